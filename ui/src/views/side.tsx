// side: the mark, the rooms, the history. On narrow screens it slides over the chat, as a modal dialog.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useCell } from "../cell.ts";
import { ageOf } from "../format.ts";
import { app, rooms } from "../state.ts";
import type { Head } from "../types.ts";
import type { Theme } from "../settings.ts";
import * as Icon from "./icons.tsx";
import { useWide } from "./wide.ts";

const roomNames = { documents: "Documents", tuning: "Tuning", evaluation: "Evaluation" } as const;
const roomIcons = { documents: Icon.Documents, tuning: Icon.Tuning, evaluation: Icon.Evaluation } as const;

interface Props {
  open: boolean;
  onClose: () => void;
  onHelp: () => void;
}

export function Side({ open, onClose, onHelp }: Props): JSX.Element {
  const wide = useWide(900);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const box = dialog.current;
    if (!box) return;
    if (open && !box.open) box.showModal();
    if (!open && box.open) box.close();
  }, [open, wide]);

  const inside = <SideContent onLeave={onClose} onHelp={onHelp} narrow={!wide} />;
  if (wide)
    return (
      <aside class="side" aria-label="Navigation and chats">
        {inside}
      </aside>
    );
  return (
    <dialog
      class="side over"
      ref={dialog}
      aria-label="Navigation"
      onClose={() => open && onClose()}
      onClick={(e) => e.target === dialog.current && onClose()}
    >
      {open && inside}
    </dialog>
  );
}

function SideContent({ onLeave, onHelp, narrow }: { onLeave: () => void; onHelp: () => void; narrow: boolean }): JSX.Element {
  const room = useCell(app.room);
  return (
    <>
      <div class="side-top">
        <span class="brand">
          <Icon.Mark />
          <span class="brand-name">pith</span>
        </span>
        {narrow && (
          <button type="button" class="round" aria-label="Close navigation" onClick={onLeave}>
            <Icon.Close />
          </button>
        )}
      </div>
      <nav aria-label="Rooms" class="rooms">
        <ul>
          <li>
            <a
              href="#/"
              aria-current={room === "chat" ? "page" : undefined}
              onClick={(e) => (e.preventDefault(), app.go("chat"), narrow && onLeave())}
            >
              <Icon.Chat />
              Chat
            </a>
          </li>
          {rooms.map((name) => {
            const Drawing = roomIcons[name];
            return (
              <li key={name}>
                <a href={`#/${name}`} class="later" aria-current={room === name ? "page" : undefined} onClick={() => narrow && onLeave()}>
                  <Drawing />
                  {roomNames[name]}
                  <span class="tag">later</span>
                </a>
              </li>
            );
          })}
        </ul>
      </nav>
      <History onLeave={() => narrow && onLeave()} />
      <div class="side-foot">
        <ThemeChoice />
        <button type="button" class="round" aria-label="Keyboard and help" title="Keyboard and help (?)" onClick={onHelp}>
          <Icon.Keys />
        </button>
      </div>
    </>
  );
}

function History({ onLeave }: { onLeave: () => void }): JSX.Element {
  const heads = useCell(app.heads);
  const current = useCell(app.chat);
  const room = useCell(app.room);
  const keepsNothing = useCell(app.keepsNothing);
  const [query, setQuery] = useState("");
  const upload = useRef<HTMLInputElement>(null);
  const found = heads.filter((h) => h.title.toLowerCase().includes(query.trim().toLowerCase()));
  const now = Date.now();
  const groups: [string, Head[]][] = [];
  for (const head of found) {
    const age = ageOf(head.updated, now);
    const last = groups.at(-1);
    if (last?.[0] === age) last[1].push(head);
    else groups.push([age, [head]]);
  }
  return (
    <section class="history" aria-labelledby="history-title">
      <div class="history-top">
        <h2 id="history-title">Chats</h2>
        <button type="button" class="new" onClick={() => (app.newChat(), onLeave())} title="New chat (Ctrl+Shift+O)">
          <Icon.Plus />
          New
        </button>
      </div>
      {heads.length > 5 || query ? (
        <input
          id="history-search"
          type="search"
          placeholder="Search titles"
          aria-label="Search the titles of chats"
          value={query}
          onInput={(e) => setQuery(e.currentTarget.value)}
        />
      ) : null}
      <div class="history-list">
        {groups.map(([age, list]) => (
          <div key={age}>
            <h3>{age}</h3>
            <ul>
              {list.map((head) => (
                <HistoryItem key={head.id} head={head} current={room === "chat" && head.id === current.id} onLeave={onLeave} />
              ))}
            </ul>
          </div>
        ))}
        {heads.length === 0 && <p class="empty">Your chats are kept in this browser, and only here.</p>}
        {heads.length > 0 && found.length === 0 && <p class="empty">No title has these words.</p>}
        {keepsNothing && <p class="empty warn">This browser window keeps nothing: chats are gone when it closes.</p>}
      </div>
      <div class="history-foot">
        <button type="button" class="quiet" onClick={() => upload.current?.click()}>
          <Icon.Open />
          Import
        </button>
        <button type="button" class="quiet" onClick={() => void app.exportTo()}>
          <Icon.Save />
          Export all
        </button>
        <input
          ref={upload}
          type="file"
          accept="application/json,.json"
          hidden
          aria-label="File of chats to import"
          onChange={(e) => {
            const file = e.currentTarget.files?.[0];
            e.currentTarget.value = "";
            if (file) void app.importFrom(file);
          }}
        />
      </div>
    </section>
  );
}

function HistoryItem({ head, current, onLeave }: { head: Head; current: boolean; onLeave: () => void }): JSX.Element {
  const [editing, setEditing] = useState(false);
  const link = useRef<HTMLAnchorElement>(null);
  const finish = (title: string | null): void => {
    setEditing(false);
    if (title !== null) void app.rename(head.id, title);
    requestAnimationFrame(() => link.current?.focus());
  };
  if (editing)
    return (
      <li>
        <input
          class="rename"
          aria-label="New title"
          value={head.title}
          ref={(input) => {
            if (input && document.activeElement !== input) {
              input.focus();
              input.select();
            }
          }}
          onKeyDown={(e) => {
            if (e.key === "Enter") finish(e.currentTarget.value);
            if (e.key === "Escape") {
              e.preventDefault();
              e.stopPropagation();
              finish(null);
            }
          }}
          onBlur={(e) => {
            if (editing) {
              setEditing(false);
              void app.rename(head.id, e.currentTarget.value);
            }
          }}
        />
      </li>
    );
  return (
    <li class="history-item">
      <a
        ref={link}
        href={`#/c/${head.id}`}
        title={head.title}
        aria-current={current ? "true" : undefined}
        onClick={onLeave}
        onKeyDown={(e) => e.key === "F2" && (e.preventDefault(), setEditing(true))}
      >
        {head.title}
      </a>
      <button type="button" class="small" aria-label={`Rename “${head.title}”`} title="Rename (F2)" onClick={() => setEditing(true)}>
        <Icon.Pencil />
      </button>
      <button type="button" class="small" aria-label={`Delete “${head.title}”`} title="Delete" onClick={() => void app.remove(head.id)}>
        <Icon.Trash />
      </button>
    </li>
  );
}

const themes: readonly [Theme, string, () => JSX.Element][] = [
  ["auto", "As the system", Icon.Half],
  ["light", "Light", Icon.Sun],
  ["dark", "Dark", Icon.Moon],
];

function ThemeChoice(): JSX.Element {
  const theme = useCell(app.theme);
  return (
    <fieldset class="themes">
      <legend class="unseen">Theme</legend>
      {themes.map(([value, label, Drawing]) => (
        <label key={value} title={label}>
          <input type="radio" name="theme" value={value} checked={theme === value} onChange={() => app.setTheme(value)} />
          <Drawing />
          <span class="unseen">{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
