// build: makes dist/index.html, the one file that the program serves, from src/.
// The same sources and package-lock.json give the same bytes on every machine; `--check` compares and writes nothing.
// Scripts and styles stand in the page itself and its policy names each by hash, so a browser runs nothing else.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = ["chrome111", "firefox113", "safari16.4"];

async function bundle(entry) {
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target,
    charset: "utf8",
    legalComments: "none", // all notices stand in NOTICE, which heads the page
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "warning",
  });
  return result.outputFiles[0].text.trim();
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

export async function page() {
  const [first, main, style] = await Promise.all(["src/first.ts", "src/main.tsx", "src/style/all.css"].map(bundle));
  const policy = [
    "default-src 'none'",
    `script-src ${hash(first)} ${hash(main)}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types dompurify",
  ].join("; ");
  const notice = readFileSync(join(here, "NOTICE"), "utf8").trim().replaceAll("--", "- -");
  const fill = { notice, policy, first, main, style };
  return readFileSync(join(here, "src/index.html"), "utf8").replace(/\{\{(\w+)\}\}/g, (_, name) => fill[name]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = join(here, "dist/index.html");
  const text = await page();
  if (process.argv.includes("--check")) {
    let found = "";
    try {
      found = readFileSync(file, "utf8");
    } catch {
      // no such file: differs
    }
    if (found !== text) {
      console.error("ui/dist/index.html is not what its sources give; run: cd ui && npm ci --ignore-scripts && node build.mjs, and commit it");
      process.exit(1);
    }
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  console.log(`ui/dist/index.html: ${Buffer.byteLength(text)} bytes`);
}
