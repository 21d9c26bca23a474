// transfer: chats as a JSON file and back. An imported file is somebody else's: every member is checked and copied.
import { newId } from "./types.ts";
import type { Attachment, Chat, Finish, Params, Stats, ToolCall, Turn } from "./types.ts";

const format = "pith-chats";

export function exportChats(chats: readonly Chat[], now = new Date()): string {
  return `${JSON.stringify({ format, version: 1, exported: now.toISOString(), chats }, null, 2)}\n`;
}

export function fileNameFor(chats: readonly Chat[], now = new Date()): string {
  const day = now.toISOString().slice(0, 10);
  const only = chats.length === 1 ? chats[0] : undefined;
  const slug = only?.title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  return `pith-${slug || "chats"}-${day}.json`;
}

/** The chats of an exported file, with new ids where `taken` has theirs. Throws an Error with one sentence. */
export function importChats(text: string, taken: ReadonlySet<string> = new Set()): Chat[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON; choose one that “Export” of this page made.");
  }
  const file = object(value, "the file");
  if (file["format"] !== format) throw new Error(`This file's “format” is not “${format}”; choose one that “Export” of this page made.`);
  if (file["version"] !== 1) throw new Error(`This file has version ${String(file["version"])}, and this page reads version 1.`);
  const used = new Set(taken);
  return list(file["chats"], "chats").map((chat, i) => {
    const read = chatOf(chat, `chat ${i + 1}`);
    if (used.has(read.id)) read.id = newId();
    used.add(read.id);
    return read;
  });
}

type Fields = Record<string, unknown>;

function object(value: unknown, where: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`In this file, ${where} is not an object.`);
  return value as Fields;
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`In this file, “${where}” is not a list.`);
  return value;
}

function string(fields: Fields, name: string, where: string, fallback?: string): string {
  const value = fields[name] ?? fallback;
  if (typeof value !== "string") throw new Error(`In this file, “${name}” of ${where} is not a text.`);
  return value;
}

function number(fields: Fields, name: string, where: string, fallback?: number): number {
  const value = fields[name] ?? fallback;
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`In this file, “${name}” of ${where} is not a number.`);
  return value;
}

const idOf = (fields: Fields): string => {
  const id = fields["id"];
  return typeof id === "string" && /^[\w-]{1,64}$/.test(id) ? id : newId();
};

function chatOf(value: unknown, where: string): Chat {
  const c = object(value, where);
  const created = number(c, "created", where, Date.now());
  return {
    id: idOf(c),
    title: string(c, "title", where, "Imported chat").slice(0, 200),
    named: c["named"] === true,
    created,
    updated: number(c, "updated", where, created),
    model: string(c, "model", where, ""),
    system: string(c, "system", where, ""),
    params: paramsOf(c["params"] ?? {}, where),
    tools: string(c, "tools", where, ""),
    turns: list(c["turns"], `turns of ${where}`).map((t, i) => turnOf(t, `turn ${i + 1} of ${where}`)),
  };
}

export const numeric = [
  "temperature", "top_p", "top_k", "min_p", "max_tokens", "seed",
  "repeat_penalty", "presence_penalty", "frequency_penalty",
] as const satisfies readonly (keyof Params)[];

function paramsOf(value: unknown, where: string): Params {
  const p = object(value, `“params” of ${where}`);
  const out: Params = {};
  for (const name of numeric) if (p[name] !== undefined) out[name] = number(p, name, where);
  if (p["stop"] !== undefined) out.stop = list(p["stop"], `stop of ${where}`).map(String);
  if (typeof p["think"] === "boolean") out.think = p["think"];
  return out;
}

const finishes: readonly string[] = ["stop", "length", "tool_calls", "content_filter", "stopped", "error"];

function turnOf(value: unknown, where: string): Turn {
  const t = object(value, where);
  const role = t["role"];
  if (role !== "user" && role !== "assistant") throw new Error(`In this file, “role” of ${where} is neither “user” nor “assistant”.`);
  const turn: Turn = { id: newId(), role, text: string(t, "text", where, ""), at: number(t, "at", where, 0) };
  if (t["files"] !== undefined) turn.files = list(t["files"], `files of ${where}`).map((f) => fileOf(f, where));
  if (t["reasoning"] !== undefined) turn.reasoning = string(t, "reasoning", where);
  if (t["calls"] !== undefined) turn.calls = list(t["calls"], `calls of ${where}`).map((c) => callOf(c, where));
  if (t["model"] !== undefined) turn.model = string(t, "model", where);
  if (t["error"] !== undefined) turn.error = string(t, "error", where);
  if (typeof t["finish"] === "string" && finishes.includes(t["finish"])) turn.finish = t["finish"] as Finish;
  if (t["stats"] !== undefined) turn.stats = statsOf(t["stats"], where);
  return turn;
}

function fileOf(value: unknown, where: string): Attachment {
  const f = object(value, `a file of ${where}`);
  const text = string(f, "text", where);
  return {
    name: string(f, "name", where).slice(0, 255),
    text,
    bytes: number(f, "bytes", where, text.length),
    tokens: number(f, "tokens", where, 0),
    estimated: f["estimated"] !== false,
  };
}

function callOf(value: unknown, where: string): ToolCall {
  const c = object(value, `a call of ${where}`);
  const call: ToolCall = { id: string(c, "id", where), name: string(c, "name", where), arguments: string(c, "arguments", where, "") };
  if (c["result"] !== undefined) call.result = string(c, "result", where);
  return call;
}

function statsOf(value: unknown, where: string): Stats {
  const s = object(value, `“stats” of ${where}`);
  const out: Stats = { totalMs: number(s, "totalMs", where, 0) };
  for (const name of ["promptTokens", "cachedTokens", "tokens", "firstMs", "rate"] as const)
    if (s[name] !== undefined) out[name] = number(s, name, where);
  return out;
}
