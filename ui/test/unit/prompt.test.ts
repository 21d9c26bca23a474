import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "../../src/files.ts";
import * as format from "../../src/format.ts";
import { contentOf, estimateTokens, fenceFor, messagesOf, parseTools, quoteFile, titleOf } from "../../src/prompt.ts";
import { speakable } from "../../src/speech.ts";
import type { Turn } from "../../src/types.ts";

const user = (text: string, more: Partial<Turn> = {}): Turn => ({ id: text, role: "user", text, at: 0, ...more });
const model = (text: string, more: Partial<Turn> = {}): Turn => ({ id: `a${text}`, role: "assistant", text, at: 0, ...more });

test("prompt: turns become messages", () => {
  assert.deepEqual(messagesOf({ system: "Be brief.", turns: [user("a"), model("b"), user("c")] }), [
    { role: "system", content: "Be brief." },
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
    { role: "user", content: "c" },
  ]);
  assert.deepEqual(messagesOf({ system: "  ", turns: [] }), []);
});

test("prompt: a question whose answer failed joins the next", () => {
  assert.deepEqual(messagesOf({ system: "", turns: [user("a"), model("", { finish: "error" }), user("b")] }), [{ role: "user", content: "a\n\nb" }]);
});

test("prompt: calls and their results are sent back", () => {
  const call = { id: "c1", name: "f", arguments: "{}", result: "42" };
  assert.deepEqual(messagesOf({ system: "", turns: [user("a"), model("", { calls: [call] })] }), [
    { role: "user", content: "a" },
    { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }] },
    { role: "tool", tool_call_id: "c1", content: "42" },
  ]);
});

test("prompt: a file cannot end its own quotation", () => {
  const text = "```\nquoted\n```\n`````x`````";
  assert.equal(fenceFor(text), "``````");
  assert.equal(fenceFor("none"), "```");
  assert.equal(quoteFile({ name: "a\nb.md", text }), `File: a b.md\n\`\`\`\`\`\`\n${text}\n\`\`\`\`\`\`\n`);
  const file = { name: "n.txt", text: "x\n", bytes: 2, tokens: 1, estimated: true };
  assert.equal(contentOf({ text: "What is it?", files: [file] }), "File: n.txt\n```\nx\n```\n\nWhat is it?");
});

test("prompt: titles are the first words", () => {
  assert.equal(titleOf("  Hello   there\nsecond line"), "Hello there");
  assert.equal(titleOf("Please explain, in simple words, why the sky is blue"), "Please explain, in simple words, why the sky is…");
  assert.equal(titleOf("x".repeat(60)), `${"x".repeat(48)}…`);
  assert.equal(titleOf("\u{1f600}".repeat(50)), `${"\u{1f600}".repeat(48)}…`);
  assert.equal(titleOf(" \n "), "");
});

test("prompt: estimates count letters by four and dense scripts by one", () => {
  assert.equal(estimateTokens(""), 0);
  assert.equal(estimateTokens("abcde"), 2);
  assert.equal(estimateTokens("日本語"), 3);
});

test("prompt: tools that are wrong are named", () => {
  assert.deepEqual(parseTools("  "), []);
  assert.deepEqual(parseTools('[{"type":"function","function":{"name":"f"}}]'), [{ type: "function", function: { name: "f" } }]);
  assert.match(String(parseTools("[")), /^This is not JSON: /);
  assert.match(String(parseTools("{}")), /^Tools are a JSON array/);
  assert.match(String(parseTools('[{"type":"function","function":{"name":"f"}},null]')), /^Tool 2 needs/);
});

test("files: text is read in its encodings, anything else is refused by name", () => {
  const bytes = (...b: number[]): Uint8Array => Uint8Array.of(...b);
  assert.equal(textOf("a", new TextEncoder().encode("é\r\nb\rc")), "é\nb\nc");
  assert.equal(textOf("a", bytes(0xef, 0xbb, 0xbf, 0x41)), "A");
  assert.equal(textOf("a", bytes(0xff, 0xfe, 0x41, 0x00)), "A");
  assert.equal(textOf("a", bytes(0xfe, 0xff, 0x00, 0x41)), "A");
  assert.throws(() => textOf("a.pdf", bytes(0x25, 0xff)), /“a\.pdf” is not a text file/);
  assert.throws(() => textOf("a", bytes(0x41, 0)), /holds binary data/);
  assert.throws(() => textOf("a", bytes()), /is empty/);
  assert.throws(() => textOf("a", new Uint8Array(4 * 1024 * 1024 + 1)), /larger than 4 MiB/);
});

test("format: numbers and times read well", () => {
  assert.equal(format.tokens(1), "1 token");
  assert.equal(format.tokens(1234567), "1\u202f234\u202f567 tokens");
  assert.equal(format.rate(9.96), "10.0 tok/s");
  assert.equal(format.rate(1234.4), "1\u202f234 tok/s");
  assert.equal(format.duration(999), "999 ms");
  assert.equal(format.duration(1500), "1.5 s");
  assert.equal(format.duration(61_000), "1 min 1 s");
  assert.equal(format.duration(119_900), "2 min 0 s");
  assert.equal(format.bytes(1536), "1.5 KiB");
  const noon = new Date(2026, 10, 22, 12).getTime();
  const day = 24 * 3600 * 1000;
  assert.deepEqual([0, 0.9, 3, 40].map((d) => format.ageOf(noon - d * day, noon)), ["Today", "Yesterday", "This week", "October 2026"]);
});

test("speech: signs are not read out, and code is named by its length", () => {
  assert.equal(speakable("## Title\n\n- **one** `two`\n- [three](http://x)"), "Title one two three");
  assert.equal(speakable("See:\n```c\nint a;\nint b;\n```\nDone."), "See: Code, 2 lines. Done.");
});
