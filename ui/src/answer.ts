// answer: one answer being written. It gathers the pieces into a turn and measures; it knows nothing of the page.
import type { Api, Ask } from "./api.ts";
import { asProblem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { newId } from "./types.ts";
import type { Stats, ToolCall, Turn } from "./types.ts";

export class Answer {
  turn: Turn;
  problem: Problem | null = null;
  private readonly abort = new AbortController();
  private readonly began: number;
  private firstAt: number | undefined;
  private lastAt: number | undefined;
  private pieces = 0;
  private stopped = false;

  constructor(
    private readonly api: Api,
    private readonly ask: Ask,
    private readonly changed: () => void,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.began = this.clock();
    this.turn = { id: newId(), role: "assistant", text: "", at: Date.now(), model: ask.model };
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
  }

  /** Milliseconds since it was asked for. */
  get elapsed(): number {
    return this.clock() - this.began;
  }

  /** Pieces per second so far: near tokens per second, as most servers send each token by itself. */
  get pace(): number | undefined {
    if (this.firstAt === undefined || this.lastAt === undefined || this.pieces < 4) return undefined;
    return ((this.pieces - 1) * 1000) / Math.max(this.lastAt - this.firstAt, 1);
  }

  /** Runs to the end and never throws: what went wrong stands in the turn and in `problem`. */
  async run(): Promise<Turn> {
    const stats: Partial<Stats> = {};
    let finish: Turn["finish"];
    try {
      for await (const piece of this.api.chat(this.ask, this.abort.signal)) {
        if (piece.text !== undefined || piece.reasoning !== undefined || piece.call !== undefined) this.tick();
        if (piece.text !== undefined) this.turn = { ...this.turn, text: this.turn.text + piece.text };
        if (piece.reasoning !== undefined) this.turn = { ...this.turn, reasoning: (this.turn.reasoning ?? "") + piece.reasoning };
        if (piece.call) this.turn = { ...this.turn, calls: withPiece(this.turn.calls ?? [], piece.call) };
        if (piece.finish) finish = piece.finish;
        if (piece.rate !== undefined) stats.rate = piece.rate;
        if (piece.usage) {
          stats.promptTokens = piece.usage.prompt;
          stats.tokens = piece.usage.completion;
          if (piece.usage.cached !== undefined) stats.cachedTokens = piece.usage.cached;
        }
        this.changed();
      }
    } catch (error) {
      if (this.stopped) finish = "stopped";
      else {
        this.problem = asProblem(error);
        finish = "error";
        this.turn = { ...this.turn, error: this.problem.message };
      }
    }
    stats.totalMs = this.elapsed;
    if (this.firstAt !== undefined) stats.firstMs = this.firstAt - this.began;
    if (stats.rate === undefined && stats.tokens !== undefined && stats.tokens > 1 && this.firstAt !== undefined && this.lastAt !== undefined)
      stats.rate = ((stats.tokens - 1) * 1000) / Math.max(this.lastAt - this.firstAt, 1);
    this.turn = { ...this.turn, finish: finish ?? "stop", stats: stats as Stats };
    this.changed();
    return this.turn;
  }

  private tick(): void {
    this.lastAt = this.clock();
    this.firstAt ??= this.lastAt;
    this.pieces++;
  }
}

function withPiece(calls: ToolCall[], piece: { index: number; id?: string; name?: string; arguments?: string }): ToolCall[] {
  const out = calls.slice();
  const at = Math.min(Math.max(piece.index, 0), out.length);
  const old = out[at] ?? { id: newId(), name: "", arguments: "" };
  out[at] = { ...old, id: piece.id ?? old.id, name: old.name + (piece.name ?? ""), arguments: old.arguments + (piece.arguments ?? "") };
  return out;
}
