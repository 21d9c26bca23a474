// run: everything that proves the page, as flat TAP on standard output: that the bundle comes from its sources, that
// types hold, the logic by itself, and the page in Chromium against the test's own server and against the real program.
//   node test/run.mjs [bundle] [types] [unit] [browser]      PITH_PROGRAM: the program; PITH_UI_SHOTS: where pictures go
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const ui = dirname(dirname(fileURLToPath(import.meta.url)));
const wanted = process.argv.slice(2);
const want = (name) => wanted.length === 0 || wanted.includes(name);
let failed = false;

function one(name, command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: ui, encoding: "utf8" });
  console.log(`${status === 0 ? "ok" : "not ok"} - ${name}`);
  if (status === 0) return;
  failed = true;
  console.log(`${stdout}${stderr}`.trim().replace(/^/gm, "  "));
}

/** A program that prints a line a case. */
function many(file) {
  const { status, error } = spawnSync(process.execPath, ["--test-reporter=tap", file], { cwd: ui, stdio: "inherit" });
  if (error) console.log(`not ok - ${file}: ${error.message}`);
  if (status !== 0) failed = true;
}

if (want("bundle")) one("the page is what its sources give", process.execPath, ["build.mjs", "--check"]);
if (want("types")) one("types hold", process.execPath, ["node_modules/typescript/bin/tsc", "--noEmit"]);
if (want("unit")) {
  const folder = mkdtempSync(join(tmpdir(), "pith-ui-"));
  const file = join(folder, "unit.mjs");
  const tests = readdirSync(join(ui, "test/unit")).filter((f) => f.endsWith(".test.ts")).sort();
  await esbuild.build({
    stdin: { contents: tests.map((f) => `import "./${f}";`).join("\n"), resolveDir: join(ui, "test/unit") },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: file,
    sourcemap: "inline",
    banner: { js: 'import { webcrypto } from "node:crypto"; globalThis.crypto ??= webcrypto;' }, // Node 18
    logLevel: "warning",
    alias: { dompurify: join(ui, "test/unit/no-dom.mjs") },
  });
  many(file);
  rmSync(folder, { recursive: true });
}
if (want("browser")) many(join(ui, "test/browser.mjs"));
process.exit(failed ? 1 : 0);
