// types: what a chat is made of, as kept in the browser and as exported.

export interface Params {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  max_tokens?: number;
  seed?: number;
  repeat_penalty?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  stop?: string[];
  /** Whether a model that can think does so; absent: as the model's template says. */
  think?: boolean;
}

/** A text file that goes along with a message. */
export interface Attachment {
  name: string;
  text: string;
  bytes: number;
  tokens: number;
  /** The server has no tokenize route, or did not answer: `tokens` is an estimate. */
  estimated: boolean;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON as the model wrote it. */
  arguments: string;
  /** What the person says the tool returned. */
  result?: string;
}

export interface Stats {
  promptTokens?: number;
  cachedTokens?: number;
  tokens?: number;
  /** Milliseconds from sending to the first piece of the answer, by the browser's clock. */
  firstMs?: number;
  /** Milliseconds from sending to the end. */
  totalMs: number;
  /** Tokens per second while writing. */
  rate?: number;
}

export type Finish = "stop" | "length" | "tool_calls" | "content_filter" | "stopped" | "error";

export interface Turn {
  id: string;
  role: "user" | "assistant";
  text: string;
  at: number;
  files?: Attachment[];
  reasoning?: string;
  calls?: ToolCall[];
  model?: string;
  stats?: Stats;
  finish?: Finish;
  error?: string;
}

export interface Chat {
  id: string;
  title: string;
  /** The person gave the title; it is not made from the first message any more. */
  named: boolean;
  created: number;
  updated: number;
  /** Name of the model to ask; "" is the server's first. */
  model: string;
  system: string;
  params: Params;
  /** Tools offered to the model: a JSON array in OpenAI's form, or "". */
  tools: string;
  turns: Turn[];
}

export type Head = Pick<Chat, "id" | "title" | "updated">;

export interface Model {
  id: string;
  /** Tokens that its context holds, where the server says so. */
  context?: number;
}

export const newId = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
};
