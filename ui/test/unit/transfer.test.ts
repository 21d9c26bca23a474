import assert from "node:assert/strict";
import { test } from "node:test";
import { exportChats, fileNameFor, importChats } from "../../src/transfer.ts";
import type { Chat } from "../../src/types.ts";

const chat: Chat = {
  id: "abc-1",
  title: "Über C & mehr",
  named: true,
  created: 1,
  updated: 2,
  model: "m",
  system: "s",
  params: { temperature: 0.5, seed: 7, stop: ["x"], think: true },
  tools: "",
  turns: [
    { id: "1", role: "user", text: "q", at: 3, files: [{ name: "f", text: "t", bytes: 1, tokens: 1, estimated: true }] },
    {
      id: "2", role: "assistant", text: "a", at: 4, reasoning: "r", model: "m", finish: "stop",
      calls: [{ id: "c", name: "n", arguments: "{}", result: "z" }],
      stats: { totalMs: 5, tokens: 6, firstMs: 1, rate: 2, promptTokens: 3, cachedTokens: 1 },
    },
  ],
};
const withoutIds = (c: Chat): Chat => ({ ...c, turns: c.turns.map((t) => ({ ...t, id: "" })) });

test("transfer: what is exported comes back", () => {
  const [back] = importChats(exportChats([chat]));
  assert.deepEqual(withoutIds(back!), withoutIds(chat));
  assert.equal(back!.id, "abc-1");
});

test("transfer: a chat whose id is taken gets another", () => {
  const [a, b] = importChats(exportChats([chat, chat]), new Set(["abc-1"]));
  assert.notEqual(a!.id, "abc-1");
  assert.notEqual(a!.id, b!.id);
});

test("transfer: foreign files are refused in one sentence, and nothing unknown gets in", () => {
  const file = (chats: unknown): string => JSON.stringify({ format: "pith-chats", version: 1, chats });
  assert.throws(() => importChats("{"), /not JSON/);
  assert.throws(() => importChats("[]"), /the file is not an object/);
  assert.throws(() => importChats("{}"), /“format” is not “pith-chats”/);
  assert.throws(() => importChats('{"format":"pith-chats","version":2}'), /version 2, and this page reads version 1/);
  assert.throws(() => importChats(file({})), /“chats” is not a list/);
  assert.throws(() => importChats(file([{ turns: [{ role: "system" }] }])), /“role” of turn 1 of chat 1 is neither/);
  assert.throws(() => importChats(file([{ turns: [], title: 7 }])), /“title” of chat 1 is not a text/);
  assert.throws(() => importChats(file([{ turns: [], params: { top_p: "1" } }])), /“top_p” of chat 1 is not a number/);
  const [odd] = importChats(file([{ id: "<img>", turns: [{ role: "user", text: "x", evil: 1 }], params: { evil: 1 }, __proto__: { a: 1 } }]));
  assert.match(odd!.id, /^[0-9a-f]{24}$/);
  assert.deepEqual(odd!.params, {});
  assert.deepEqual(Object.keys(odd!.turns[0]!).sort(), ["at", "id", "role", "text"]);
});

test("transfer: files are named after the chat and the day", () => {
  const day = new Date("2026-11-22T12:00:00Z");
  assert.equal(fileNameFor([chat], day), "pith-über-c-mehr-2026-11-22.json");
  assert.equal(fileNameFor([chat, chat], day), "pith-chats-2026-11-22.json");
  assert.equal(fileNameFor([{ ...chat, title: "??" }], day), "pith-chats-2026-11-22.json");
});
