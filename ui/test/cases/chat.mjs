// chat: what a person does with the page, against the test's own server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { answers, ask, field, page } from "../harness.mjs";

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

page("what is written is also said, in whole sentences", {}, async (p, mock) => {
  await ask(p, "be long");
  const said = await p.locator("[role=status]").innerText();
  assert.match(said, /The answer is complete\.$/);
  assert.match(said, /Paragraph 60 of a long answer\./);
});
