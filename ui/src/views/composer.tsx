// composer: the field for the next message, and the files that go with it.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useCell } from "../cell.ts";
import { textOf } from "../files.ts";
import * as format from "../format.ts";
import { contentOf, estimateTokens, quoteFile } from "../prompt.ts";
import { app } from "../state.ts";
import type { Attachment } from "../types.ts";
import * as Icon from "./icons.tsx";
import { FileList } from "./turn.tsx";

/** Drafts live as long as the page, one for each chat. */
const drafts = new Map<string, { text: string; files: Attachment[] }>();

export function Composer(): JSX.Element {
  const chat = useCell(app.chat);
  const answers = useCell(app.answers);
  const down = useCell(app.down);
  const [, redraw] = useState(0);
  const [dragging, setDragging] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const upload = useRef<HTMLInputElement>(null);
  const draft = drafts.get(chat.id) ?? { text: "", files: [] };
  const busy = answers.has(chat.id);
  const ready = (draft.text.trim() !== "" || draft.files.length > 0) && !busy;

  const put = (next: Partial<typeof draft>, id = chat.id): void => {
    drafts.set(id, { ...(drafts.get(id) ?? { text: "", files: [] }), ...next });
    redraw((n) => n + 1);
  };

  useLayoutEffect(() => {
    const f = field.current;
    if (!f) return;
    f.style.height = "auto";
    f.style.height = `${Math.min(f.scrollHeight, Math.round(innerHeight * 0.4))}px`;
  }, [draft.text, chat.id]);

  const send = (): void => {
    if (!ready) return;
    drafts.delete(chat.id);
    redraw((n) => n + 1);
    app.send(draft.text.trim(), draft.files);
    field.current?.focus();
  };

  const add = async (files: Iterable<File>): Promise<void> => {
    const id = chat.id;
    for (const file of files) {
      try {
        const text = textOf(file.name, new Uint8Array(await file.arrayBuffer()));
        const counted = await app.api.count(app.modelOf(chat), quoteFile({ name: file.name, text }));
        const attachment = { name: file.name, text, bytes: file.size, tokens: counted ?? estimateTokens(text), estimated: counted === undefined };
        put({ files: [...(drafts.get(id)?.files ?? []), attachment] }, id);
        app.say(`Added ${file.name}.`);
      } catch (error) {
        app.tell({ text: error instanceof Error ? error.message : `“${file.name}” could not be read.` });
      }
    }
    field.current?.focus();
  };

  useEffect(() => {
    let depth = 0;
    const holdsFiles = (e: DragEvent): boolean => e.dataTransfer?.types.includes("Files") ?? false;
    const enter = (e: DragEvent): void => {
      if (holdsFiles(e) && ++depth === 1) setDragging(true);
    };
    const leave = (e: DragEvent): void => {
      if (holdsFiles(e) && --depth <= 0) setDragging(false);
    };
    const over = (e: DragEvent): void => {
      if (holdsFiles(e)) e.preventDefault();
    };
    const drop = (e: DragEvent): void => {
      depth = 0;
      setDragging(false);
      if (!holdsFiles(e)) return;
      e.preventDefault();
      void add(e.dataTransfer?.files ?? []);
    };
    const pairs = { dragenter: enter, dragleave: leave, dragover: over, drop };
    for (const [name, on] of Object.entries(pairs)) addEventListener(name, on as EventListener);
    return () => {
      for (const [name, on] of Object.entries(pairs)) removeEventListener(name, on as EventListener);
    };
  });

  return (
    <form
      class="composer"
      onSubmit={(e) => {
        e.preventDefault();
        send();
      }}
    >
      {dragging && (
        <div class="drop" aria-hidden="true">
          Drop text files to send them along
        </div>
      )}
      <div class="composer-box">
        <FileList files={draft.files} onRemove={(at) => put({ files: draft.files.filter((_, i) => i !== at) })} />
        <div class="composer-row">
          <button type="button" class="round" aria-label="Add text files" title="Add text files" onClick={() => upload.current?.click()}>
            <Icon.Clip />
          </button>
          <input
            ref={upload}
            type="file"
            multiple
            hidden
            aria-label="Text files to add"
            onChange={(e) => {
              const files = [...(e.currentTarget.files ?? [])];
              e.currentTarget.value = "";
              void add(files);
            }}
          />
          <textarea
            id="message"
            ref={field}
            rows={1}
            dir="auto"
            aria-label="Message"
            aria-describedby="message-hint"
            placeholder="Write a message"
            autocomplete="off"
            value={draft.text}
            onInput={(e) => put({ text: e.currentTarget.value })}
            onPaste={(e) => {
              const files = [...(e.clipboardData?.files ?? [])];
              if (files.length === 0) return;
              e.preventDefault();
              void add(files);
            }}
            onKeyDown={(e) => {
              if (e.key === "Enter" && !e.shiftKey && !e.isComposing && !coarse.matches) {
                e.preventDefault();
                send();
              }
            }}
          />
          {busy ? (
            <button type="button" class="send stop" aria-label="Stop" title="Stop (Esc)" onClick={() => app.stop()}>
              <Icon.Stop />
            </button>
          ) : (
            <button type="submit" class="send" aria-label="Send" title="Send (Enter)" aria-disabled={!ready || down}>
              <Icon.Send />
            </button>
          )}
        </div>
      </div>
      <ContextLine draft={contentOf(draft)} />
    </form>
  );
}

/** On a touch keyboard Enter makes a line, as there is no Shift to hold. */
const coarse = matchMedia("(pointer: coarse)");

function ContextLine({ draft }: { draft: string }): JSX.Element {
  const chat = useCell(app.chat);
  const models = useCell(app.models);
  const context = models?.find((m) => m.id === app.modelOf(chat))?.context;
  const stats = chat.turns.at(-1)?.stats;
  const known = stats?.promptTokens !== undefined ? stats.promptTokens + (stats.tokens ?? 0) : undefined;
  const sofar = known ?? chat.turns.reduce((sum, t) => sum + estimateTokens(contentOf(t)), estimateTokens(chat.system));
  const total = sofar + estimateTokens(draft);
  const exact = known !== undefined && draft === "";
  const words = `${exact ? "" : "about "}${format.count(total)}${context ? ` of ${format.count(context)}` : ""} tokens`;
  const full = context !== undefined && total > context;
  return (
    <p class="context-line fine" id="message-hint">
      <span>{coarse.matches ? "" : "Enter sends, Shift + Enter makes a line."}</span>
      {total > 0 && (
        <span class={full ? "warn" : undefined}>
          {words}
          {full ? ": more than the model can read" : ""}
        </span>
      )}
    </p>
  );
}
