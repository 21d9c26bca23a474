// panel: settings of the chat. Beside it where there is room, else over it.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useCell } from "../cell.ts";
import { parseTools } from "../prompt.ts";
import { app } from "../state.ts";
import type { numeric } from "../transfer.ts";
import type { Params } from "../types.ts";
import * as Icon from "./icons.tsx";

type Numeric = (typeof numeric)[number];

interface Row {
  name: Numeric;
  label: string;
  hint: string;
  min: number;
  max: number;
  whole?: boolean;
}

const rows: readonly Row[] = [
  { name: "temperature", label: "Temperature", hint: "0 is always the likeliest word", min: 0, max: 5 },
  { name: "top_p", label: "Top p", hint: "keeps the likeliest words up to this share", min: 0, max: 1 },
  { name: "top_k", label: "Top k", hint: "keeps this many words; 0 keeps all", min: 0, max: 1_000_000, whole: true },
  { name: "min_p", label: "Min p", hint: "drops words below this share of the best", min: 0, max: 1 },
  { name: "max_tokens", label: "Longest answer", hint: "in tokens", min: 1, max: 10_000_000, whole: true },
  { name: "seed", label: "Seed", hint: "the same seed gives the same answer", min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
];

const moreRows: readonly Row[] = [
  { name: "repeat_penalty", label: "Repeat penalty", hint: "1 is none", min: 0, max: 10 },
  { name: "presence_penalty", label: "Presence penalty", hint: "0 is none", min: -2, max: 2 },
  { name: "frequency_penalty", label: "Frequency penalty", hint: "0 is none", min: -2, max: 2 },
];

interface Props {
  open: boolean;
  docked: boolean;
  onClose: () => void;
}

export function Panel({ open, docked, onClose }: Props): JSX.Element | null {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const box = dialog.current;
    if (!box) return;
    if (box.open) box.close();
    if (open && !docked) box.showModal();
  }, [open, docked]);
  if (docked)
    return open ? (
      <aside class="panel" aria-labelledby="panel-title">
        <PanelContent onClose={onClose} />
      </aside>
    ) : null;
  return (
    <dialog
      ref={dialog}
      class="panel over"
      aria-labelledby="panel-title"
      onClose={() => open && onClose()}
      onClick={(e) => e.target === dialog.current && onClose()}
    >
      {open && <PanelContent onClose={onClose} />}
    </dialog>
  );
}

function PanelContent({ onClose }: { onClose: () => void }): JSX.Element {
  const chat = useCell(app.chat);
  const set = (params: Params): void => void app.change({ ...chat, params });
  const tools = parseTools(chat.tools);
  return (
    <div class="panel-inner" key={chat.id}>
      <div class="panel-top">
        <h2 id="panel-title">Settings of this chat</h2>
        <button type="button" class="round" aria-label="Close settings" onClick={onClose}>
          <Icon.Close />
        </button>
      </div>
      <label class="field">
        <span>System prompt</span>
        <textarea
          rows={4}
          value={chat.system}
          placeholder="What the model should know and how it should answer"
          onInput={(e) => app.change({ ...chat, system: e.currentTarget.value })}
        />
      </label>
      <p class="fine">Empty fields leave it to the server.</p>
      <div class="rows">
        {rows.map((row) => (
          <NumberRow key={row.name} row={row} params={chat.params} set={set} />
        ))}
      </div>
      <label class="field">
        <span>
          Stop texts <span class="fine">one a line, at most four</span>
        </span>
        <StopField params={chat.params} set={set} />
      </label>
      <details class="more">
        <summary>More</summary>
        <div class="rows">
          {moreRows.map((row) => (
            <NumberRow key={row.name} row={row} params={chat.params} set={set} />
          ))}
          <label class="number-row">
            <span>
              Thinking
              <span class="fine">for models that can</span>
            </span>
            <select
              value={chat.params.think === undefined ? "" : chat.params.think ? "on" : "off"}
              onChange={(e) => {
                const { think: _, ...rest } = chat.params;
                const value = e.currentTarget.value;
                set(value === "" ? rest : { ...rest, think: value === "on" });
              }}
            >
              <option value="">default</option>
              <option value="on">on</option>
              <option value="off">off</option>
            </select>
          </label>
        </div>
        <label class="field">
          <span>
            Tools <span class="fine">JSON, in OpenAI's form; you give the results</span>
          </span>
          <textarea
            class="mono"
            rows={4}
            spellcheck={false}
            value={chat.tools}
            aria-invalid={typeof tools === "string"}
            aria-describedby="tools-problem"
            onInput={(e) => app.change({ ...chat, tools: e.currentTarget.value })}
          />
          <span id="tools-problem" class="fine warn">
            {typeof tools === "string" ? `${tools} Tools are left out until this is right.` : ""}
          </span>
        </label>
      </details>
      <div class="panel-foot">
        <button type="button" class="quiet" onClick={() => app.saveDefaults()}>
          Begin new chats like this
        </button>
        <button type="button" class="quiet" onClick={() => app.change({ ...chat, params: {}, system: "", tools: "" })}>
          Reset
        </button>
        <button type="button" class="quiet" onClick={() => (app.wantKey.value = "The key that the server was started with (--api-key-file).")}>
          API key
        </button>
      </div>
    </div>
  );
}

function NumberRow({ row, params, set }: { row: Row; params: Params; set: (p: Params) => void }): JSX.Element {
  const value = params[row.name];
  const [text, setText] = useState(value === undefined ? "" : String(value));
  const [wrong, setWrong] = useState("");
  useEffect(() => {
    if (value !== (text.trim() === "" ? undefined : Number(text.replace(",", ".")))) {
      if (!wrong) setText(value === undefined ? "" : String(value));
    }
  }, [value]);
  const take = (typed: string): void => {
    setText(typed);
    const { [row.name]: _, ...rest } = params;
    const words = typed.trim().replace(",", ".");
    if (words === "") {
      setWrong("");
      set(rest);
      return;
    }
    const n = Number(words);
    const good = Number.isFinite(n) && n >= row.min && n <= row.max && (!row.whole || Number.isInteger(n));
    setWrong(good ? "" : `${row.whole ? "a whole number" : "a number"} from ${row.min}${row.max < 1_000_000 ? ` to ${row.max}` : ""}`);
    if (good) set({ ...rest, [row.name]: n });
  };
  return (
    <label class="number-row">
      <span>
        {row.label}
        <span class={wrong ? "fine warn" : "fine"}>{wrong || row.hint}</span>
      </span>
      <input
        inputMode={row.whole ? "numeric" : "decimal"}
        autocomplete="off"
        placeholder="default"
        value={text}
        aria-invalid={wrong !== ""}
        onInput={(e) => take(e.currentTarget.value)}
      />
    </label>
  );
}

function StopField({ params, set }: { params: Params; set: (p: Params) => void }): JSX.Element {
  const [text, setText] = useState((params.stop ?? []).join("\n"));
  return (
    <textarea
      class="mono"
      rows={2}
      value={text}
      onInput={(e) => {
        setText(e.currentTarget.value);
        const stop = e.currentTarget.value.split("\n").filter((line) => line !== "").slice(0, 4);
        const { stop: _, ...rest } = params;
        set(stop.length ? { ...rest, stop } : rest);
      }}
    />
  );
}
