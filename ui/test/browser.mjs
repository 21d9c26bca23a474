// browser: the page in headless Chromium, first against the test's own server (mock.mjs), then against `pith serve` with
// a real model. Each case has a browser context of its own, so nothing is left over from another.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { executablePath, launch } from "./chromium.mjs";
import { runAll, test } from "./lanes.mjs";
import { startMock } from "./mock.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const shots = process.env.PITH_UI_SHOTS ?? join(root, "build/ui-shots");
const program = process.env.PITH_PROGRAM ?? join(root, "build/pith");
const model = join(root, "../shared/models/stories260K.gguf");
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const noBrowser = executablePath ? false : "Chromium is not installed";
let browser;

/** A case with a page of its own. What the page's own code gets wrong, or its policy stops, fails the case. */
function page(name, options, body) {
  test(`page: ${name}`, { skip: options.skip ?? noBrowser }, async () => {
    const mock = await startMock(options.mock);
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options.context });
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

const field = "#message";
const answers = (p) => p.locator(".turn.theirs:not(.writing) .prose");
async function ask(p, text, { wait = true } = {}) {
  const n = await p.locator(".turn.theirs").count();
  await p.fill(field, text);
  await p.press(field, "Enter");
  if (wait) await p.locator(".turn.theirs:not(.writing)").nth(n).waitFor();
}

async function accessible(p, what) {
  await p.evaluate(axeSource);
  const result = await p.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const found = result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} (${n.failureSummary})`).join("; ")}`);
  assert.deepEqual(found, [], `axe finds in ${what}`);
  assert.ok(result.passes.length > 20, "axe looked at something");
}

page("an answer streams in, is rendered, and is measured", {}, async (p, mock) => {
  await ask(p, "Explain binary search in C, briefly.");
  await p.locator(".code .hljs-keyword").first().waitFor();
  assert.equal(await p.locator(".prose table td").count(), 4);
  assert.equal(await p.locator(".prose td").first().getAttribute("align"), "right");
  assert.match(await p.locator(".stats").innerText(), /tok\/s\s+\d+ tokens\s+first token \d+/);
  assert.equal(await p.title(), "Explain binary search in C, briefly. · pith");
  assert.match(await p.locator("#message-hint").innerText(), /\d+ of 4\u202f096 tokens/);
});

page("code is copied by its button", { context: { permissions: ["clipboard-read", "clipboard-write"] } }, async (p, mock) => {
  await ask(p, "Explain binary search in C, briefly.");
  await p.click(".code .copy");
  await p.locator(".copy:text('Copied')").waitFor();
  assert.match(await p.evaluate(() => navigator.clipboard.readText()), /^\/\* The first index[\s\S]*n when all are smaller\n}$/);
});

page("an answer is stopped, by button and by Escape, and the server is told", {}, async (p, mock) => {
  const gone = mock.state.gone;
  await ask(p, "be endless", { wait: false });
  await p.locator(".writing .prose").waitFor();
  await p.click("[aria-label=Stop]");
  await p.locator(".ending:text('Stopped.')").waitFor();
  await ask(p, "be endless again", { wait: false });
  await p.locator(".writing .prose").waitFor();
  await p.keyboard.press("Escape");
  await p.locator(".ending").nth(1).waitFor();
  for (let i = 0; i < 50 && mock.state.gone < gone + 2; i++) await p.waitForTimeout(20);
  assert.equal(mock.state.gone, gone + 2);
  assert.match(await answers(p).first().innerText(), /^on and on/);
});

page("a question is edited and an answer made anew", {}, async (p, mock) => {
  await ask(p, "first");
  await ask(p, "second");
  await p.locator(".turn.mine").first().hover();
  await p.locator(".turn.mine").first().getByLabel("Edit").click();
  await p.fill(".edit textarea", "changed");
  await p.keyboard.press("Enter");
  await p.locator(".prose:has-text('You said: changed')").waitFor();
  assert.equal(await p.locator(".turn").count(), 2);
  assert.deepEqual(mock.state.asked.at(-1).messages, [{ role: "user", content: "changed" }]);
  await p.click(".toast:has-text('3 turns gave way') >> text=Undo");
  await p.locator(".prose:has-text('You said: second')").waitFor();
  assert.equal(await p.locator(".turn").count(), 4);
  await p.reload();
  await p.locator(".prose:has-text('You said: second')").waitFor();
  const before = mock.state.asked.length;
  await p.getByLabel("Answer again").click();
  for (let i = 0; i < 500 && mock.state.asked.length === before; i++) await p.waitForTimeout(20);
  await p.waitForFunction(() => !document.querySelector(".writing") && document.querySelectorAll(".turn").length === 4);
  assert.equal(mock.state.asked.length, before + 1);
  assert.equal(mock.state.asked.at(-1).messages.length, 3);
  assert.equal(await p.locator(".turn").count(), 4);
});

page("history outlives a reload; renamed, deleted, brought back", {}, async (p, mock) => {
  await ask(p, "remember me");
  await p.reload();
  await p.locator(".prose:has-text('You said: remember me')").waitFor();
  await p.keyboard.press("Control+Shift+O");
  await p.locator(".welcome").waitFor();
  await ask(p, "another");
  assert.equal(await p.locator(".history-item").count(), 2);
  await p.locator(".history-item a:has-text('remember me')").click();
  await p.locator(".prose:has-text('You said: remember me')").waitFor();
  await p.goBack();
  await p.locator(".prose:has-text('You said: another')").waitFor();

  await p.locator(".history-item a:has-text('remember me')").focus();
  await p.keyboard.press("F2");
  await p.keyboard.type("A new name");
  await p.keyboard.press("Enter");
  await p.locator(".history-item a:has-text('A new name')").waitFor();
  await p.reload();
  await p.locator(".history-item a:has-text('A new name')").hover();
  await p.getByLabel("Delete “A new name”").click();
  await p.waitForFunction(() => document.querySelectorAll(".history-item").length === 1);
  await p.click(".toast >> text=Undo");
  await p.locator(".history-item a:has-text('A new name')").waitFor();
});

page("a closed tab loses little of the answer that it was reading", {}, async (p, mock) => {
  await ask(p, "be endless", { wait: false });
  await p.locator(".writing .prose").waitFor();
  await p.waitForTimeout(2500);
  await p.reload();
  await p.locator(".ending:has-text('This answer is not complete')").waitFor();
  assert.match(await answers(p).innerText(), /^on and on/);
  const n = mock.state.asked.length;
  await p.getByLabel("Answer again").click();
  await p.locator(".writing .prose").waitFor();
  assert.equal(mock.state.asked.length, n + 1);
  assert.equal(await p.locator(".turn").count(), 2);
});

page("a turn that cannot be drawn leaves the others", { breaks: true }, async (p) => {
  await ask(p, "fine");
  // What no import lets in and no version wrote: a damaged record in the browser's database.
  await p.evaluate(async () => {
    const db = await new Promise((resolve) => (indexedDB.open("pith").onsuccess = (e) => resolve(e.target.result)));
    const store = db.transaction("chats", "readwrite").objectStore("chats");
    const chat = await new Promise((resolve) => (store.getAll().onsuccess = (e) => resolve(e.target.result[0])));
    chat.turns.push({ id: "x", role: "assistant", text: { not: "a text" }, at: 0, finish: "stop" });
    await new Promise((resolve) => (store.put(chat).onsuccess = resolve));
  });
  await p.reload();
  await p.locator(".problem:has-text('This turn cannot be shown')").waitFor();
  await p.locator(".prose:has-text('You said: fine')").waitFor();
  await p.keyboard.press("Control+Shift+O");
  await ask(p, "next");
  await p.locator(".prose:has-text('You said: next')").waitFor();
});

page("two tabs know of each other", {}, async (p, mock) => {
  await ask(p, "in the first tab");
  const other = await p.context().newPage();
  await other.goto(mock.url + (await p.evaluate(() => location.hash)));
  await other.locator(".prose:has-text('in the first tab')").waitFor();
  await ask(p, "and more");
  await other.locator(".prose:has-text('You said: and more')").waitFor();
  await ask(other, "answered");
  await p.locator(".prose:has-text('You said: answered')").waitFor();
  assert.equal(await p.locator(".turn").count(), 6);
});

page("chats are exported and imported", {}, async (p, mock) => {
  await ask(p, "take me along");
  const [download] = await Promise.all([p.waitForEvent("download"), p.click("text=Export all")]);
  const file = await download.path();
  assert.match(download.suggestedFilename(), /^pith-take-me-along-\d{4}-\d\d-\d\d\.json$/);
  assert.equal(JSON.parse(readFileSync(file, "utf8")).chats[0].turns.length, 2);
  await p.locator("input[type=file][accept]").setInputFiles(file);
  await p.locator(".toast:has-text('Imported 1 chat.')").waitFor();
  assert.equal(await p.locator(".history-item").count(), 2);
  await p.locator("input[type=file][accept]").setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await p.locator(".toast:has-text('choose one that “Export” of this page made')").waitFor();
});

page("a hostile answer, title and file run nothing and ask nobody", {}, async (p, mock) => {
  await ask(p, "be hostile");
  await p.locator(".prose").first().waitFor();
  const seen = await p.evaluate(() => {
    const prose = document.querySelector(".prose");
    return {
      elements: [...new Set([...prose.querySelectorAll("*")].map((e) => e.localName))],
      handlers: [...prose.querySelectorAll("*")].flatMap((e) => [...e.attributes].map((a) => a.name)).filter((n) => n.startsWith("on") || n === "style"),
      addresses: [...prose.querySelectorAll("[href]")].map((e) => e.getAttribute("href")).filter((h) => !/^(https?:\/\/|mailto:)/.test(h)),
      links: [...prose.querySelectorAll("a")].every((a) => a.target === "_blank" && a.rel.includes("noopener")),
      text: prose.innerText,
    };
  });
  for (const bad of ["script", "img", "svg", "iframe", "style", "form", "base", "meta", "link", "math", "details", "object"])
    assert.ok(!seen.elements.includes(bad), `<${bad}> came through`);
  assert.deepEqual(seen.handlers, []);
  assert.deepEqual(seen.addresses, []);
  assert.ok(seen.links);
  assert.match(seen.text, /<script>window\.hit = 1<\/script>/); // shown as it was written

  const evil = '<img src=x onerror="window.hit=20">';
  await ask(p, evil);
  await p.locator("input[type=file][multiple]").setInputFiles({ name: `${evil}.txt`, mimeType: "text/plain", buffer: Buffer.from(evil) });
  await p.locator(".file-name").waitFor();
  await ask(p, "see the file");
  await p.waitForTimeout(200);
  assert.equal(await p.evaluate(() => window.hit), undefined);
});

page("an answer that is nested beyond measure leaves the page alive, also after a reload", {}, async (p, mock) => {
  await ask(p, "be deep");
  await p.reload();
  await p.locator(".prose .plain").waitFor();
  await ask(p, "still there?");
  await p.locator(".prose:has-text('You said: still there?')").waitFor();
});

page("the policy is strict and no HTML gets past the sanitizer", { breaks: true }, async (p, mock) => {
  const blocked = await p.evaluate(async () => {
    const out = [];
    try {
      document.body.insertAdjacentHTML("beforeend", "<b>x</b>");
    } catch (error) {
      out.push(error.name);
    }
    try {
      await fetch("https://example.invalid/");
    } catch (error) {
      out.push(error.name);
    }
    const script = document.createElement("script");
    try {
      script.textContent = "window.hit = 30";
      document.body.append(script);
    } catch (error) {
      out.push(error.name);
    }
    return [out, window.hit, document.querySelectorAll("body > b").length];
  });
  assert.deepEqual(blocked, [["TypeError", "TypeError", "TypeError"], undefined, 0]);
  assert.match((await p.request.get(mock.url, { headers: { Accept: "text/html" } })).headers()["content-security-policy"], /^default-src 'none'; script-src 'sha256-/);
});

page("the keyboard alone is enough", {}, async (p, mock) => {
  await p.locator(".model select").waitFor();
  await p.keyboard.press("Tab");
  assert.match(await p.evaluate(() => document.activeElement.textContent), /^Skip to the chat/);
  await p.keyboard.press("Enter");
  assert.equal(await p.evaluate(() => document.activeElement.id), "main");
  await p.keyboard.press("/");
  await p.waitForFunction(() => document.activeElement.id === "message");
  await p.keyboard.type("typed");
  await p.keyboard.press("Shift+Enter");
  await p.keyboard.type("in two lines");
  await p.keyboard.press("Enter");
  await p.locator(".prose:has-text('You said: typed')").waitFor();
  assert.equal(mock.state.asked.at(-1).messages[0].content, "typed\nin two lines");
  await p.keyboard.press("Alt+ArrowUp");
  assert.match(await p.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Answer of mock-1b$/);
  await p.keyboard.press("Alt+ArrowUp");
  assert.equal(await p.evaluate(() => document.activeElement.getAttribute("aria-label")), "You");
  await p.keyboard.press("Tab");
  assert.equal(await p.evaluate(() => document.activeElement.getAttribute("aria-label")), "Edit");
  await p.keyboard.press("Enter");
  await p.locator(".edit textarea:focus").waitFor();
  await p.keyboard.press("Escape");
  await p.waitForFunction(() => document.activeElement.getAttribute("aria-label") === "You");
  await p.keyboard.press("?");
  await p.locator("dialog:modal #help-title").waitFor();
  await p.keyboard.press("Escape");
  await p.locator("dialog:modal").waitFor({ state: "detached" });
  await p.keyboard.press("Control+.");
  await p.locator("#panel-title").waitFor();
  // Whatever Tab reaches can be seen to have the focus.
  for (let i = 0; i < 40; i++) {
    await p.keyboard.press("Tab");
    const unseen = await p.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return "";
      const shown = [e, e.closest("label"), e.closest(".composer-box")].some((x) => {
        const s = x && getComputedStyle(x);
        return s && ((s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow.includes("0px 0px 0px 1px"));
      });
      return shown ? "" : e.outerHTML.slice(0, 120);
    });
    assert.equal(unseen, "");
  }
});

page("what is set is what is sent", {}, async (p, mock) => {
  await p.locator(".model select").selectOption("mock-3b");
  await p.click("[aria-label='Settings of this chat']");
  await p.getByLabel("System prompt").fill("Speak in rhymes.");
  await p.getByLabel(/^Temperature/).fill("0,5");
  await p.getByLabel(/^Top k/).fill("40");
  await p.getByLabel(/^Seed/).fill("7");
  await p.getByLabel(/^Stop texts/).fill("END\n\nSTOP");
  await p.getByLabel(/^Top p/).fill("3");
  await p.locator(".number-row:has-text('a number from 0 to 1')").waitFor();
  await ask(p, "go");
  const { messages, stream, stream_options, ...rest } = mock.state.asked.at(-1);
  assert.deepEqual(rest, { model: "mock-3b", temperature: 0.5, top_k: 40, seed: 7, stop: ["END", "STOP"] });
  assert.deepEqual(messages, [{ role: "system", content: "Speak in rhymes." }, { role: "user", content: "go" }]);
  await p.click("text=Begin new chats like this");
  await p.reload();
  await p.keyboard.press("Control+Shift+O");
  await ask(p, "again");
  assert.equal(mock.state.asked.at(-1).seed, 7);
});

page("files go along with their size in tokens", {}, async (p, mock) => {
  const files = p.locator("input[type=file][multiple]");
  await files.setInputFiles({ name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("one two three\n") });
  await p.locator(".composer .files:has-text('notes.md')").waitFor();
  assert.match(await p.locator(".composer .files li").innerText(), /^notes\.md\s+\d+ tokens, 14 B/);
  await files.setInputFiles({ name: "x.pdf", mimeType: "application/pdf", buffer: Buffer.from([0x25, 0x50, 0xff, 0xfe]) });
  await p.locator(".toast:has-text('“x.pdf” is not a text file')").waitFor();
  const drop = await p.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped text"], "drop.txt"));
    return data;
  });
  for (const type of ["dragenter", "dragover", "drop"]) await p.dispatchEvent("body", type, { dataTransfer: drop });
  await p.locator(".composer .files:has-text('drop.txt')").waitFor();
  await p.getByLabel("Remove drop.txt").click();
  await ask(p, "What is in it?");
  assert.equal(mock.state.asked.at(-1).messages[0].content, "File: notes.md\n```\none two three\n```\n\nWhat is in it?");
  assert.equal(await p.locator(".turn.mine .files li").count(), 1);
});

page("thoughts are folded, calls are shown and answered", {}, async (p, mock) => {
  await ask(p, "think");
  assert.equal(await p.locator(".reasoning").getAttribute("open"), null);
  await p.click("summary:text('Thoughts')");
  await p.locator(".reasoning .prose strong:text('Two')").waitFor();
  await ask(p, "use a tool");
  assert.match(await p.locator(".call").innerText(), /Calls get_weather\s+{\s+"city": "Wien",\s+"days": 3\s+}/);
  await p.getByLabel("What get_weather returned").fill("sunny");
  await p.click("text=Send the result");
  await p.locator(".prose:has-text('You said: sunny')").waitFor();
  assert.deepEqual(mock.state.asked.at(-1).messages.slice(-2), [
    { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Wien","days":3}' } }] },
    { role: "tool", tool_call_id: "call_1", content: "sunny" },
  ]);
});

page("failures are one sentence and a way on", {}, async (p, mock) => {
  const sentence = p.locator(".problem").last();
  await ask(p, "be busy");
  assert.equal(await sentence.locator("span").innerText(), "All 4 places are taken; try again in 2 s.");
  await p.keyboard.press("Control+Shift+O");
  await ask(p, "be too long");
  assert.equal(await sentence.locator("span").innerText(), "The messages have 9000 tokens, and the context holds 4096.");
  await p.keyboard.press("Control+Shift+O");
  await ask(p, "be cut");
  assert.match(await sentence.innerText(), /^The connection ended before the answer was complete/);
  assert.match(await answers(p).innerText(), /^This sentence/);
  await p.keyboard.press("Control+Shift+O");
  await ask(p, "fail inside");
  assert.equal(await sentence.locator("span").innerText(), "The model ran out of memory.");
  const n = mock.state.asked.length;
  await p.getByRole("button", { name: "Retry" }).click();
  await p.locator(".problem").waitFor();
  for (let i = 0; i < 50 && mock.state.asked.length === n; i++) await p.waitForTimeout(20);
  assert.equal(mock.state.asked.length, n + 1);
});

page("a server that wants a key gets one", { mock: { key: "open sesame" } }, async (p, mock) => {
  await p.locator("dialog:modal #key-title").waitFor();
  await p.getByLabel("Key", { exact: true }).fill("wrong");
  await p.click("text=Use this key");
  for (let i = 0; i < 100 && mock.state.refused < 2; i++) await p.waitForTimeout(20);
  assert.equal(mock.state.refused, 2);
  await p.getByLabel("Key", { exact: true }).fill("open sesame");
  await p.click("text=Use this key");
  await ask(p, "hello");
  await p.locator(".prose:has-text('You said: hello')").waitFor();
  assert.equal(await p.locator("dialog:modal").count(), 0);
});

page("a server that goes is missed, and its return is seen", {}, async (p, mock) => {
  await ask(p, "hello");
  await mock.stop();
  await ask(p, "anybody there?");
  await p.locator(".down-line").waitFor();
  assert.match(await p.locator(".problem span").innerText(), /^The server does not answer; start it again with “pith serve”/);
  await mock.restart();
  await p.locator(".down-line").waitFor({ state: "detached" });
  await p.getByRole("button", { name: "Retry" }).click();
  await p.locator(".prose:has-text('You said: anybody there?')").waitFor();
});

page("rooms to come say so and lead back", {}, async (p, mock) => {
  for (const room of ["Documents", "Tuning", "Evaluation"]) {
    await p.click(`nav >> text=${room}`);
    await p.locator(`h1:text('${room}')`).waitFor();
    assert.equal(await p.locator(".kicker").innerText(), "Comes with a later version");
    await p.click("text=Back to the chat");
    await p.locator(field).waitFor();
  }
});

page("a long answer is followed, and can be left and found again", {}, async (p, mock) => {
  await ask(p, "be long");
  const bottom = () => p.evaluate(() => { const t = document.querySelector(".transcript"); return t.scrollHeight - t.scrollTop - t.clientHeight; });
  assert.ok((await bottom()) < 4);
  await p.evaluate(() => document.querySelector(".transcript").scrollTo(0, 0));
  await p.click(".to-end");
  assert.ok((await bottom()) < 4);
});

// ------------------------------------------------------------------ what it looks like, and for whom

const looks = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  "phone-dark": { colorScheme: "dark", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, reducedMotion: "reduce" },
};

for (const [name, context] of Object.entries(looks))
  page(`axe finds nothing, and pictures are taken: ${name}`, { context }, async (p, mock) => {
    const shot = (what) => p.screenshot({ path: join(shots, `${name}-${what}.png`) });
    const narrow = context.viewport !== undefined;
    const wide = async () => {
      const [scroll, inner] = await p.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(scroll <= inner, `the page is ${scroll} px wide in a window of ${inner}`);
    };
    await p.locator(".model select").waitFor();
    await accessible(p, `an empty chat, ${name}`);
    await shot("welcome");
    await p.fill(field, "Explain binary search in C, briefly.");
    await p.click("[aria-label=Send]");
    await p.locator(".stats:has-text('tokens')").waitFor();
    await p.evaluate(() => document.querySelector(".transcript").scrollTo(0, 0));
    await accessible(p, `a chat, ${name}`);
    await wide();
    await shot("chat");
    await p.click("[aria-label='Settings of this chat']");
    await p.locator("#panel-title").waitFor();
    await p.click("summary:text('More')");
    await accessible(p, `settings, ${name}`);
    await shot("settings");
    await p.click("[aria-label='Close settings']");
    if (narrow) {
      await p.click("[aria-label='Open navigation']");
      await p.locator("dialog:modal .rooms").waitFor();
      await accessible(p, `navigation, ${name}`);
      await shot("navigation");
      await p.click("[aria-label='Close navigation']");
    }
    await p.fill(field, "be busy");
    await p.click("[aria-label=Send]");
    await p.locator(".problem").waitFor();
    await accessible(p, `a failure, ${name}`);
    await shot("failure");
    await p.evaluate(() => (location.hash = "#/documents"));
    await p.locator(".kicker").waitFor();
    await accessible(p, `a room to come, ${name}`);
    await shot("room");
  });

page("what is written is also said, in whole sentences", {}, async (p, mock) => {
  await ask(p, "be long");
  const said = await p.locator("[role=status]").innerText();
  assert.match(said, /The answer is complete\.$/);
  assert.match(said, /Paragraph 60 of a long answer\./);
});

// ------------------------------------------------------------------ the real program

const noProgram =
  noBrowser || (!existsSync(program) && `${program} is not built`) || (!existsSync(model) && `${model} is not there`);
const running = [];
const home = mkdtempSync(join(tmpdir(), "pith-ui-"));
let realUrl = "";
let lockedUrl = "";

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

const withPith = { skip: noProgram, url: () => realUrl };

test("pith: / is the page for browsers and a line of text for Ollama's clients", { skip: noProgram }, async () => {
  const browserSees = await fetch(realUrl, { headers: { Accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" } });
  assert.equal(browserSees.headers.get("content-type"), "text/html; charset=utf-8");
  const policy = browserSees.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^;]+; style-src 'sha256-[^;]+; .*frame-ancestors 'none'$/);
  assert.equal(browserSees.headers.get("x-content-type-options"), "nosniff");
  const same = (await browserSees.text()) === readFileSync(join(root, "ui/dist/index.html"), "utf8");
  assert.ok(same, `${program} carries another page than ui/dist/index.html; build it again`);
  const tag = browserSees.headers.get("etag");
  const again = await fetch(realUrl, { headers: { Accept: "text/html", "If-None-Match": tag } });
  assert.equal(again.status, 304);
  const clientSees = await fetch(realUrl, { headers: { Accept: "*/*" } });
  assert.equal(await clientSees.text(), "Ollama is running");
});

test("pith: its own page may ask it under any of its names, another's may not", { skip: noProgram }, async () => {
  const { port } = new URL(realUrl);
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

page("pith with keys lets in who has one", { ...withPith, url: () => lockedUrl }, async (p) => {
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

// ------------------------------------------------------------------

mkdirSync(shots, { recursive: true });
let good = false;
try {
  if (!noBrowser) browser = await launch();
  if (!noProgram) {
    const keys = join(home, "keys");
    writeFileSync(keys, "open-sesame:test\n");
    [realUrl, lockedUrl] = await Promise.all([startPith(), startPith("--api-key-file", keys)]);
  }
  good = await runAll(3, process.argv[2]);
} catch (error) {
  console.log(`not ok - the browser and the program start\n${String(error.stack).replace(/^/gm, "  ")}`);
} finally {
  await browser?.close();
  for (const process of running) process.kill();
  rmSync(home, { recursive: true, force: true });
}
process.exit(good ? 0 : 1);
