// prompt: from a chat as a person sees it to the messages that the server is sent.
import type { ApiMessage } from "./api.ts";
import type { Attachment, Chat, Turn } from "./types.ts";

/** A fence that is longer than any in the text, so that a file cannot end its own quotation. */
export function fenceFor(text: string): string {
  let longest = 2;
  for (const run of text.match(/`{3,}/g) ?? []) longest = Math.max(longest, run.length);
  return "`".repeat(longest + 1);
}

export function quoteFile(file: Pick<Attachment, "name" | "text">): string {
  const fence = fenceFor(file.text);
  const name = file.name.replace(/[\u0000-\u001f\u007f]/g, " ");
  return `File: ${name}\n${fence}\n${file.text}${file.text.endsWith("\n") ? "" : "\n"}${fence}\n`;
}

export function contentOf(turn: Pick<Turn, "text" | "files">): string {
  const files = (turn.files ?? []).map(quoteFile);
  return [...files, turn.text].filter((part) => part !== "").join("\n");
}

/**
 * The messages of a chat. Answers that never came are left out; the questions before and after one become a single
 * message, as many templates refuse two of one role in a row.
 */
export function messagesOf(chat: Pick<Chat, "system" | "turns">): ApiMessage[] {
  const out: ApiMessage[] = [];
  if (chat.system.trim() !== "") out.push({ role: "system", content: chat.system });
  for (const turn of chat.turns) {
    if (turn.role === "user") {
      const last = out[out.length - 1];
      if (last?.role === "user") last.content = `${last.content}\n\n${contentOf(turn)}`;
      else out.push({ role: "user", content: contentOf(turn) });
      continue;
    }
    const calls = turn.calls ?? [];
    if (turn.text === "" && calls.length === 0) continue;
    out.push({
      role: "assistant",
      content: turn.text === "" ? null : turn.text,
      ...(calls.length
        ? { tool_calls: calls.map((c) => ({ id: c.id, type: "function" as const, function: { name: c.name, arguments: c.arguments } })) }
        : {}),
    });
    for (const call of calls) out.push({ role: "tool", tool_call_id: call.id, content: call.result ?? "" });
  }
  return out;
}

/** A title out of the first message: its first words, at most 48 characters. */
export function titleOf(text: string): string {
  const line = text.trim().split("\n", 1)[0]?.replace(/\s+/g, " ").trim() ?? "";
  const chars = [...line];
  if (chars.length <= 48) return line;
  const cut = chars.slice(0, 48).join("");
  const space = cut.lastIndexOf(" ");
  return `${(space > 20 ? cut.slice(0, space) : cut).replace(/[\s,;:.]+$/, "")}…`;
}

/**
 * Tokens of a text, roughly: about four characters a token in alphabets, about one in scripts written without spaces.
 * Always shown as an estimate.
 */
export function estimateTokens(text: string): number {
  const dense = text.match(/[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/g)?.length ?? 0;
  return Math.ceil((text.length - dense) / 4 + dense);
}

/** The tools field: a JSON array in OpenAI's form, or a sentence that says what is wrong. */
export function parseTools(text: string): unknown[] | string {
  if (text.trim() === "") return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : "it cannot be read"}.`;
  }
  if (!Array.isArray(value)) return "Tools are a JSON array: [ { \"type\": \"function\", \"function\": { … } } ].";
  for (const [i, tool] of value.entries()) {
    const t = tool as { type?: unknown; function?: { name?: unknown } } | null;
    if (t?.type !== "function" || typeof t.function?.name !== "string" || t.function.name === "")
      return `Tool ${i + 1} needs "type": "function" and a "function" with a "name".`;
  }
  return value;
}
