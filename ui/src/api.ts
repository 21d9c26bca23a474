// api: the routes of the server that the page uses. All of them are the ones that any other client has.
import { asProblem, broken, messageOf, Problem, problemOfStatus } from "./problem.ts";
import { events } from "./sse.ts";
import type { Finish, Model, Params } from "./types.ts";

export interface ApiMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string | null;
  tool_call_id?: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
}

export interface Ask {
  model: string;
  messages: ApiMessage[];
  params: Params;
  tools: unknown[];
}

/** A piece of an answer as it arrives. */
export interface Piece {
  text?: string;
  reasoning?: string;
  call?: { index: number; id?: string; name?: string; arguments?: string };
  finish?: Finish;
  usage?: { prompt: number; cached?: number; completion: number };
  /** Tokens per second by the server's own clock. */
  rate?: number;
}

type Send = typeof fetch;

export class Api {
  /** `key` is asked anew for every request; `send` is replaced by tests. */
  constructor(
    private readonly key: () => string,
    private readonly base = "",
    private readonly send: Send = (...args) => fetch(...args),
  ) {}

  private async request(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = {};
    const key = this.key();
    if (key) headers["Authorization"] = `Bearer ${key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
      response = await this.send(this.base + path, {
        method: body === undefined ? "GET" : "POST",
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        cache: "no-store",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw asProblem(error);
    }
    if (!response.ok)
      throw problemOfStatus(response.status, await response.text().catch(() => ""), response.headers.get("Retry-After"));
    return response;
  }

  async models(): Promise<Model[]> {
    const body = (await (await this.request("/v1/models")).json()) as { data?: unknown };
    if (!Array.isArray(body.data)) throw new Problem("server", "The list of models is not one: is this pith serve?");
    return body.data
      .filter((m): m is { id: string } => typeof (m as { id?: unknown })?.id === "string")
      .map((m) => ({ id: m.id, context: contextOf(m) }));
  }

  /** Number of tokens of a text, or undefined where the server has no such route. */
  async count(model: string, text: string): Promise<number | undefined> {
    try {
      const body = (await (await this.request("/tokenize", { model, content: text })).json()) as { tokens?: unknown };
      return Array.isArray(body.tokens) ? body.tokens.length : undefined;
    } catch {
      return undefined;
    }
  }

  async alive(): Promise<boolean> {
    try {
      const response = await this.send(`${this.base}/health`, { cache: "no-store" });
      return response.status < 500 || response.status === 503;
    } catch {
      return false;
    }
  }

  /** Asks for an answer. Throws a Problem; an abort throws as fetch does. */
  async *chat(ask: Ask, signal: AbortSignal): AsyncGenerator<Piece> {
    const { think, ...params } = ask.params;
    const body = {
      ...params,
      ...(think === undefined ? {} : { chat_template_kwargs: { enable_thinking: think } }),
      ...(ask.model ? { model: ask.model } : {}),
      ...(ask.tools.length ? { tools: ask.tools } : {}),
      messages: ask.messages,
      stream: true,
      stream_options: { include_usage: true },
    };
    const response = await this.request("/v1/chat/completions", body, signal);
    if (!response.body) throw broken();
    let complete = false;
    try {
      for await (const data of events(response.body)) {
        if (data === "[DONE]") {
          complete = true;
          break;
        }
        yield* piecesOf(data);
      }
    } catch (error) {
      if (signal.aborted || error instanceof Problem) throw error;
      throw broken();
    }
    if (!complete) throw broken();
  }
}

function contextOf(model: object): number | undefined {
  const { meta, max_model_len: length } = model as { meta?: { n_ctx?: unknown; n_ctx_train?: unknown }; max_model_len?: unknown };
  return [meta?.n_ctx, length, meta?.n_ctx_train].find((n): n is number => typeof n === "number" && n > 0);
}

const finishes: readonly string[] = ["stop", "length", "tool_calls", "content_filter"];

interface Chunk {
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      reasoning?: string | null;
      tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[];
    };
    finish_reason?: string | null;
  }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number; prompt_tokens_details?: { cached_tokens?: number } } | null;
  timings?: { predicted_per_second?: number };
}

/** What one event says. Throws the error that it may carry. */
export function* piecesOf(data: string): Generator<Piece> {
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data) as Chunk;
  } catch {
    throw new Problem("broken", "The server sent something that is not JSON in the middle of the answer.");
  }
  const said = messageOf(chunk);
  if (said) throw problemOfStatus(500, data, null);
  const choice = chunk.choices?.[0];
  const delta = choice?.delta;
  const reasoning = delta?.reasoning_content ?? delta?.reasoning;
  if (reasoning) yield { reasoning };
  if (delta?.content) yield { text: delta.content };
  for (const call of delta?.tool_calls ?? [])
    yield { call: { index: call.index ?? 0, id: call.id, name: call.function?.name, arguments: call.function?.arguments } };
  if (choice?.finish_reason)
    yield { finish: finishes.includes(choice.finish_reason) ? (choice.finish_reason as Finish) : "stop" };
  if (chunk.usage)
    yield {
      usage: {
        prompt: chunk.usage.prompt_tokens ?? 0,
        completion: chunk.usage.completion_tokens ?? 0,
        cached: chunk.usage.prompt_tokens_details?.cached_tokens,
      },
    };
  const rate = chunk.timings?.predicted_per_second;
  if (typeof rate === "number" && rate > 0) yield { rate };
}
