// pith: the page as `pith serve` serves it, with a real model.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { answers, ask, noProgram, page, program, root, shared, shots } from "../harness.mjs";
import { test } from "../lanes.mjs";

const withPith = { skip: noProgram, url: () => shared.pithUrl };

test("pith: / is the page for browsers and a line of text for Ollama's clients", { skip: noProgram }, async () => {
  const browserSees = await fetch(shared.pithUrl, { headers: { Accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" } });
  assert.equal(browserSees.headers.get("content-type"), "text/html; charset=utf-8");
  const policy = browserSees.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^;]+; style-src 'sha256-[^;]+; .*frame-ancestors 'none'$/);
  assert.equal(browserSees.headers.get("x-content-type-options"), "nosniff");
  const same = (await browserSees.text()) === readFileSync(join(root, "ui/dist/index.html"), "utf8");
  assert.ok(same, `${program} carries another page than ui/dist/index.html; build it again`);
  const tag = browserSees.headers.get("etag");
  const again = await fetch(shared.pithUrl, { headers: { Accept: "text/html", "If-None-Match": tag } });
  assert.equal(again.status, 304);
  const clientSees = await fetch(shared.pithUrl, { headers: { Accept: "*/*" } });
  assert.equal(await clientSees.text(), "Ollama is running");
});

test("pith: its own page may ask it under any of its names, another's may not", { skip: noProgram }, async () => {
  const { port } = new URL(shared.pithUrl);
  const status = (host, origin) =>
    new Promise((resolve, reject) => {
      const headers = { Host: host, Origin: origin, "Content-Type": "application/json" };
      const ask = request({ port, host: "127.0.0.1", path: "/tokenize", method: "POST", headers }, (r) => resolve(r.resume().statusCode));
      ask.on("error", reject).end('{"content":"a"}');
    });
  assert.equal(await status("10.1.2.3:8000", "http://10.1.2.3:8000"), 200);
  assert.equal(await status("10.1.2.3:8000", "http://10.1.2.4:8000"), 403);
  assert.equal(await status("evil.example", "http://evil.example"), 403); // no name of this server: DNS rebinding
});

async function setNumbers(p, values) {
  await p.click("[aria-label='Settings of this chat']");
  for (const [label, value] of Object.entries(values)) await p.getByLabel(new RegExp(`^${label}`)).fill(String(value));
}

page("pith answers, answers again, and is remembered", withPith, async (p) => {
  await setNumbers(p, { Temperature: 0, "Longest answer": 24 });
  await ask(p, "Once upon a time");
  assert.match(await p.locator(".stats").innerText(), /tok\/s\s+24 tokens\s+first token \d+/);
  await p.locator(".ending:has-text('limit of tokens')").waitFor();
  const first = await answers(p).innerText();
  assert.ok(first.length > 20, first);
  await p.getByLabel("Answer again").click();
  await p.waitForFunction(() => !document.querySelector(".writing") && document.querySelectorAll(".turn").length === 2);
  assert.equal(await answers(p).innerText(), first, "at temperature 0 the same again");
  await p.reload();
  assert.equal(await answers(p).innerText(), first);
  await p.screenshot({ path: join(shots, "real-chat.png") });
  await p.locator(".turn.mine").hover();
  await p.getByLabel("Edit").click();
  await p.fill(".edit textarea", "Lily had a red ball");
  await p.keyboard.press("Enter");
  await p.locator(".stats:has-text('tokens')").waitFor();
  assert.notEqual(await answers(p).innerText(), first);
});

page("pith is stopped in the middle", withPith, async (p) => {
  const cdp = await p.context().newCDPSession(p);
  await cdp.send("Network.enable");
  // So slow a line that the answer is long on its way.
  await cdp.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: 1500, uploadThroughput: -1 });
  await ask(p, "Once upon a time", { wait: false });
  await p.locator(".writing .prose").waitFor();
  await p.keyboard.press("Escape");
  await p.locator(".ending:text('Stopped.')").waitFor();
  assert.ok((await answers(p).innerText()).length > 0);
});

page("pith counts what goes along, and refuses what is too long in a sentence", withPith, async (p) => {
  const text = "one day a girl found a stone. ".repeat(100);
  await p.locator("input[type=file][multiple]").setInputFiles({ name: "story.txt", mimeType: "text/plain", buffer: Buffer.from(text) });
  await p.locator(".composer .files li").waitFor();
  assert.match(await p.locator(".composer .files li").innerText(), /^story\.txt\s+[1-9][\d\u202f]* tokens, 2\.9 KiB/);
  await ask(p, "What did she find?");
  assert.match(await p.locator(".problem span").innerText(), /^The request has \d+ tokens, and the context .* holds \d+/);
});

page("pith with keys lets in who has one", { ...withPith, url: () => shared.lockedUrl }, async (p) => {
  await p.locator("dialog:modal #key-title").waitFor();
  await p.getByLabel("Key", { exact: true }).fill("not-the-right-one");
  await p.click("text=Use this key");
  await p.locator("dialog:modal [role=alert]:has-text('not known here')").waitFor();
  await p.getByLabel("Key", { exact: true }).fill("open-sesame");
  await p.click("text=Use this key");
  await p.locator("dialog:modal").waitFor({ state: "detached" });
  await setNumbers(p, { "Longest answer": 4 });
  await ask(p, "Hello");
  await p.locator(".stats:has-text('4 tokens')").waitFor();
});
