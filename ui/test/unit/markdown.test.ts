// What the renderer itself lets through; that DOMPurify and the policy hold too is proven in the browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksOf, draftOf } from "../../src/markdown.ts";
import { hostile } from "../mock.mjs";

const html = (text: string): string => blocksOf(text).map(draftOf).join("");

test("markdown: HTML in an answer is shown, not obeyed", () => {
  const out = html(hostile);
  const elements = new Set([...out.matchAll(/<([a-z0-9]+)/gi)].map((m) => m[1]!.toLowerCase()));
  for (const bad of ["script", "img", "svg", "iframe", "math", "style", "form", "base", "meta", "link", "details", "input"])
    assert.ok(!elements.has(bad), `<${bad}> came through`);
  assert.doesNotMatch(out, /<[^>]*\son\w+=/i);
  assert.doesNotMatch(out, /href="(?!https?:\/\/|mailto:)/i);
});

test("markdown: code is escaped, coloured by its language, and has its button", () => {
  const out = html('```c\nif (a < b) return "x";\n```');
  assert.match(out, /<button type="button" class="copy">Copy<\/button>/);
  assert.match(out, /<span class="hljs-keyword">if<\/span> \(a &lt; b\)/);
  assert.equal(html("```nolang\n<b>\n```").match(/<code>(.*?)<\/code>/s)?.[1], "&#60;b&#62;");
});

test("markdown: headings of an answer stand below those of the page", () => {
  assert.equal(html("# a"), "<h3>a</h3>\n");
  assert.equal(html("###### b"), "<h6>b</h6>\n");
});

test("markdown: links leave safely, images are only named", () => {
  assert.equal(
    html("[a](https://x.example/?q=1&r=2)"),
    '<p><a href="https://x.example/?q=1&#38;r=2" title="https://x.example/?q=1&#38;r=2" target="_blank" rel="noopener noreferrer nofollow">a</a></p>\n',
  );
  assert.match(html("![cat](https://x.example/c.png)"), />\[image: cat\]<\/a>/);
  assert.equal(html("[a](javascript:1)"), "<p>a</p>\n");
});

test("markdown: a growing text keeps its finished blocks", () => {
  const text = "One.\n\nTwo.\n\n```c\nint a;";
  const before = blocksOf(text).map((b) => b.raw);
  const after = blocksOf(`${text}\nint b;\n\`\`\`\n\nThree`).map((b) => b.raw);
  assert.deepEqual(after.slice(0, 2), before.slice(0, 2));
  assert.equal(before.length, 3);
  assert.equal(after.length, 4);
});

test("markdown: what is nested or long beyond measure is shown as it was written", () => {
  const absurd = [
    ">".repeat(100_000),
    "> ".repeat(50_000) + "x",
    "- ".repeat(50_000) + "x",
    "1. ".repeat(24) + "x",
    "*".repeat(100_000) + "a",
    Array.from({ length: 1000 }, (_, i) => `${" ".repeat(2 * i)}- a`).join("\n"),
    "word ".repeat(60_000),
  ];
  for (const text of absurd) {
    const blocks = blocksOf(text);
    assert.equal(blocks.length, 1);
    assert.equal(blocks[0]!.token.type, "plain");
    assert.match(draftOf(blocks[0]!), /^<p class="plain">/);
  }
  assert.match(html("> ".repeat(8) + "x"), /^<blockquote>/);
  assert.match(html("- a\n  - b\n    - c\n      - d"), /<li>d/);
  assert.equal(html("-".repeat(300)), "<hr>\n");
});

test("markdown: what is repeated without end is still drawn", () => {
  const pieces = ["[", "[a](", "*a **b ", "_a __b ", "~~a ", "<", "<a ", "<!--", "&", "a@", "|a", "`", "[a]: ", "#", "http://a.", "![", "**", "\\"];
  for (const piece of pieces) assert.notEqual(html(piece.repeat(Math.floor(20_000 / piece.length))), "", piece);
});
