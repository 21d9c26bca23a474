// turn: one turn of a chat. The margin says who speaks and what it cost; the column holds the words.
import { Component } from "preact";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Answer } from "../answer.ts";
import { copyText } from "../clipboard.ts";
import * as format from "../format.ts";
import { blocksOf, htmlOf } from "../markdown.ts";
import type { Block } from "../markdown.ts";
import { app } from "../state.ts";
import type { Attachment, Stats, ToolCall, Turn } from "../types.ts";
import * as Icon from "./icons.tsx";

class BlockView extends Component<{ block: Block }> {
  private box: HTMLDivElement | null = null;

  override shouldComponentUpdate(next: { block: Block }): boolean {
    return next.block.raw !== this.props.block.raw || next.block.token.type !== this.props.block.token.type;
  }

  override componentDidMount(): void {
    this.componentDidUpdate();
  }

  override componentDidUpdate(): void {
    if (this.box) this.box.innerHTML = htmlOf(this.props.block) as unknown as string;
  }

  override render(): JSX.Element {
    return <div class="block" dir="auto" ref={(box) => void (this.box = box)} />;
  }
}

/** Markdown, drawn block by block: while an answer grows, only its last block is drawn anew. */
export function Markdown({ text }: { text: string }): JSX.Element {
  const blocks = useMemo(() => blocksOf(text), [text]);
  return (
    <div class="prose">
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
    </div>
  );
}

function ActionButton({ label, onClick, children }: { label: string; onClick: () => void; children: ComponentChildren }): JSX.Element {
  return (
    <button type="button" class="small" aria-label={label} title={label} onClick={onClick}>
      {children}
    </button>
  );
}

function CopyButton({ text }: { text: string }): JSX.Element {
  const [state, setState] = useState("Copy");
  return (
    <ActionButton
      label={state}
      onClick={() =>
        void copyText(text).then((done) => {
          setState(done ? "Copied" : "Not copied");
          setTimeout(() => setState("Copy"), 1600);
        })
      }
    >
      {state === "Copied" ? <span class="tick">✓</span> : <Icon.Copy />}
    </ActionButton>
  );
}

export function FileList({ files, onRemove }: { files: readonly Attachment[]; onRemove?: (at: number) => void }): JSX.Element | null {
  if (files.length === 0) return null;
  return (
    <ul class="files" aria-label="Files">
      {files.map((file, i) => (
        <li key={`${i}${file.name}`}>
          <Icon.File />
          <span class="file-name">{file.name}</span>
          <span class="fine" title={file.estimated ? "An estimate: the server has not counted" : "Counted by the server"}>
            {file.estimated ? "about " : ""}
            {format.tokens(file.tokens)}, {format.bytes(file.bytes)}
          </span>
          {onRemove && (
            <button type="button" class="small" aria-label={`Remove ${file.name}`} title="Remove" onClick={() => onRemove(i)}>
              <Icon.Close />
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

// ------------------------------------------------------------------ the person's turns

export function UserTurn({ turn, later, busy }: { turn: Turn; later: number; busy: boolean }): JSX.Element {
  const [editing, setEditing] = useState(false);
  const box = useRef<HTMLElement>(null);
  const stop = (): void => {
    setEditing(false);
    requestAnimationFrame(() => box.current?.focus());
  };
  return (
    <article ref={box} class="turn mine" tabIndex={-1} aria-label="You">
      <div class="margin">
        <span class="node" aria-hidden="true" />
        <span class="who">You</span>
      </div>
      <div class="column">
        {turn.files && <FileList files={turn.files} />}
        {editing ? (
          <EditField turn={turn} later={later} onDone={stop} />
        ) : (
          <div class="said-row">
            {turn.text && <p class="said" dir="auto">{turn.text}</p>}
            <div class="actions">
              {!busy && (
                <ActionButton label="Edit" onClick={() => setEditing(true)}>
                  <Icon.Pencil />
                </ActionButton>
              )}
              <CopyButton text={turn.text} />
            </div>
          </div>
        )}
      </div>
    </article>
  );
}

function EditField({ turn, later, onDone }: { turn: Turn; later: number; onDone: () => void }): JSX.Element {
  const [text, setText] = useState(turn.text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);
  const save = (): void => {
    if (!text.trim() && !turn.files?.length) return;
    onDone();
    app.edit(turn.id, text);
    app.focusComposer();
  };
  return (
    <form
      class="edit"
      onSubmit={(e) => {
        e.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        dir="auto"
        aria-label="Your message"
        rows={Math.min(12, text.split("\n").length + 1)}
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === "Escape") {
            e.preventDefault();
            e.stopPropagation();
            onDone();
          } else if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
            e.preventDefault();
            save();
          }
        }}
      />
      <div class="row-end">
        <span class="fine">
          {later === 1 ? "The turn below gives way to a new answer." : later > 1 ? `The ${later} turns below give way to a new answer.` : ""}
        </span>
        <button type="button" class="quiet" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" class="main-action">
          Ask again
        </button>
      </div>
    </form>
  );
}

// ------------------------------------------------------------------ the model's turns

export function AssistantTurn({ turn, last, writing }: { turn: Turn; last: boolean; writing?: Answer }): JSX.Element {
  const who = turn.model || "Model";
  const cut = !writing && turn.finish === undefined;
  const empty = !turn.text && !turn.reasoning && !turn.calls?.length;
  return (
    <article class={`turn theirs${writing ? " writing" : ""}${turn.error ? " failed" : ""}`} tabIndex={-1} aria-label={`Answer of ${who}`} aria-busy={writing !== undefined}>
      <div class="margin">
        <span class="node" aria-hidden="true" />
        <span class="who" title={who}>
          {who}
        </span>
        {writing ? <Progress answer={writing} /> : turn.stats && <StatsView stats={turn.stats} />}
      </div>
      <div class="column">
        {turn.reasoning && <Reasoning text={turn.reasoning} open={false} thinking={writing !== undefined && !turn.text} />}
        {turn.text && <Markdown text={turn.text} />}
        {turn.calls && turn.calls.length > 0 && <Calls turn={turn} calls={turn.calls} open={last && !writing} />}
        {writing && empty && <p class="waiting">Reading…</p>}
        {!writing && empty && !turn.error && turn.finish !== "stopped" && !cut && <p class="waiting">The model ended its answer without a word.</p>}
        {turn.error && (
          <p class="problem">
            <span>{turn.error}</span>
            {last && (
              <button type="button" class="quiet" onClick={() => app.retry(turn.id)}>
                Retry
              </button>
            )}
          </p>
        )}
        {!writing && <Ending turn={turn} cut={cut} />}
        {!writing && (
          <div class="actions">
            {turn.text && <CopyButton text={turn.text} />}
            {last && !turn.error && (
              <ActionButton label="Answer again" onClick={() => app.retry(turn.id)}>
                <Icon.Again />
              </ActionButton>
            )}
          </div>
        )}
      </div>
    </article>
  );
}

function Ending({ turn, cut }: { turn: Turn; cut: boolean }): JSX.Element | null {
  const text =
    cut ? "This answer is not complete: it is being written in another tab, or its tab was closed."
    : turn.finish === "stopped" ? "Stopped."
    : turn.finish === "length" ? "The answer reached its limit of tokens; raise “Longest answer” in the settings, or ask the model to go on."
    : turn.finish === "content_filter" ? "The server held back the rest of this answer."
    : "";
  return text ? <p class="ending">{text}</p> : null;
}

function Progress({ answer }: { answer: Answer }): JSX.Element {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 250);
    return () => clearInterval(timer);
  }, []);
  const pace = answer.pace;
  return (
    <span class="stats">
      <span>{format.duration(answer.elapsed)}</span>
      {pace !== undefined && <span title="By the pieces that have come so far">≈ {format.rate(pace)}</span>}
    </span>
  );
}

function StatsView({ stats }: { stats: Stats }): JSX.Element {
  return (
    <span class="stats">
      {stats.rate !== undefined && <span title="Tokens per second while writing">{format.rate(stats.rate)}</span>}
      {stats.tokens !== undefined && (
        <span title={stats.promptTokens === undefined ? undefined : `Read ${format.tokens(stats.promptTokens)}${stats.cachedTokens ? `, ${format.count(stats.cachedTokens)} of them from the cache` : ""}`}>
          {format.tokens(stats.tokens)}
        </span>
      )}
      {stats.firstMs !== undefined && <span title="From sending to the first piece of the answer, by this browser's clock">first token {format.duration(stats.firstMs)}</span>}
    </span>
  );
}

function Reasoning({ text, open, thinking }: { text: string; open: boolean; thinking: boolean }): JSX.Element {
  const [shown, setShown] = useState(open);
  return (
    <details class="reasoning" open={shown} onToggle={(e) => setShown(e.currentTarget.open)}>
      <summary>{thinking ? "Thinking…" : "Thoughts"}</summary>
      {shown && <Markdown text={text} />}
    </details>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

function Calls({ turn, calls, open }: { turn: Turn; calls: readonly ToolCall[]; open: boolean }): JSX.Element {
  const [results, setResults] = useState<string[]>([]);
  const answered = calls.every((c) => c.result !== undefined);
  return (
    <form
      class="calls"
      onSubmit={(e) => {
        e.preventDefault();
        app.answerCalls(turn.id, calls.map((_, i) => results[i] ?? ""));
      }}
    >
      {calls.map((call, i) => (
        <section class="call" key={call.id} aria-label={`Call of ${call.name}`}>
          <p class="call-name">
            Calls <code>{call.name || "…"}</code>
          </p>
          <pre tabIndex={0} role="region" aria-label={`Arguments for ${call.name}`}>{pretty(call.arguments) || "…"}</pre>
          {call.result !== undefined ? (
            <>
              <p class="call-name">Result</p>
              <pre tabIndex={0} role="region" aria-label={`Result of ${call.name}`}>{call.result}</pre>
            </>
          ) : (
            open && (
              <label class="field">
                <span>What {call.name} returned</span>
                <textarea
                  rows={2}
                  value={results[i] ?? ""}
                  onInput={(e) => {
                    const next = results.slice();
                    next[i] = e.currentTarget.value;
                    setResults(next);
                  }}
                />
              </label>
            )
          )}
        </section>
      ))}
      {open && !answered && (
        <div class="row-end">
          <button type="submit" class="main-action">
            Send {calls.length === 1 ? "the result" : "the results"}
          </button>
        </div>
      )}
    </form>
  );
}
