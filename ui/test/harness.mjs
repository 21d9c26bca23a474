// harness: what the cases in the browser share: a page of their own for each, the two servers, asking, axe.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { executablePath, launch } from "./chromium.mjs";
import { test } from "./lanes.mjs";
import { startMock } from "./mock.mjs";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const shots = process.env.PITH_UI_SHOTS ?? join(root, "build/ui-shots");
export const program = process.env.PITH_PROGRAM ?? join(root, "build/pith");
const model = join(root, "../shared/models/stories260K.gguf");
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Why cases are skipped, or false. */
export const noBrowser = executablePath ? false : "Chromium is not installed";
export const noProgram =
  noBrowser || (!existsSync(program) && `${program} is not built`) || (!existsSync(model) && `${model} is not there`);

/** What start makes: the browser, and the addresses of `pith serve` without keys and with one. */
export const shared = { browser: undefined, pithUrl: "", lockedUrl: "" };

/** A case with a page of its own. What the page's own code gets wrong, or its policy stops, fails the case. */
export function page(name, options, body) {
  test(`page: ${name}`, { skip: options.skip ?? noBrowser }, async () => {
    const mock = await startMock(options.mock);
    const context = await shared.browser.newContext({ viewport: { width: 1280, height: 800 }, ...options.context });
    context.setDefaultTimeout(60_000);
    const p = await context.newPage();
    const wrong = [];
    p.on("pageerror", (error) => wrong.push(error.message));
    p.on("console", (m) => m.type() === "error" && !/Failed to load resource/.test(m.text()) && wrong.push(m.text()));
    const outside = [];
    const url = options.url?.() ?? mock.url;
    p.on("request", (r) => !r.url().startsWith(url) && !/^(data|blob):/.test(r.url()) && outside.push(r.url()));
    try {
      await p.goto(url);
      await body(p, mock);
      if (!options.breaks) assert.deepEqual(wrong, [], "errors in the page");
      assert.deepEqual(outside, [], "requests to other places");
    } finally {
      await context.close();
      await mock.stop();
    }
  });
}

export const field = "#message";
export const answers = (p) => p.locator(".turn.theirs:not(.writing) .prose");
export async function ask(p, text, { wait = true } = {}) {
  const n = await p.locator(".turn.theirs").count();
  await p.fill(field, text);
  await p.press(field, "Enter");
  if (wait) await p.locator(".turn.theirs:not(.writing)").nth(n).waitFor();
}

export async function accessible(p, what) {
  await p.evaluate(axeSource);
  const result = await p.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const found = result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} (${n.failureSummary})`).join("; ")}`);
  assert.deepEqual(found, [], `axe finds in ${what}`);
  assert.ok(result.passes.length > 20, "axe looked at something");
}

// ------------------------------------------------------------------ the real program

const running = [];
const home = mkdtempSync(join(tmpdir(), "pith-ui-"));

const freePort = () =>
  new Promise((resolve) => {
    const s = createServer().listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });

/** Starts `pith serve`; returns its address. */
async function startPith(...more) {
  const port = await freePort();
  const process = spawn(program, ["serve", model, "--port", String(port), ...more], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...globalThis.process.env, HOME: home, PITH_HOME: home }, // no models of whoever runs this
  });
  running.push(process);
  let text = "";
  process.stderr.on("data", (piece) => (text += piece));
  const url = `http://127.0.0.1:${port}/`;
  for (let i = 0; i < 400; i++) {
    if (process.exitCode !== null) throw new Error(`pith serve ended: ${text}`);
    if (await fetch(`${url}health`).then((r) => r.ok, () => false)) return url;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`pith serve does not answer on ${url}: ${text}`);
}

export async function start() {
  mkdirSync(shots, { recursive: true });
  if (!noBrowser) shared.browser = await launch();
  if (noProgram) return;
  const keys = join(home, "keys");
  writeFileSync(keys, "open-sesame:test\n");
  [shared.pithUrl, shared.lockedUrl] = await Promise.all([startPith(), startPith("--api-key-file", keys)]);
}

export async function stop() {
  await shared.browser?.close();
  for (const process of running) process.kill();
  rmSync(home, { recursive: true, force: true });
}
