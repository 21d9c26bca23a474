// app: the frame of the page: navigation, the room that is open, and what lies over both.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useCell } from "../cell.ts";
import { app } from "../state.ts";
import { ChatRoom } from "./chat.tsx";
import { HelpDialog, KeyDialog } from "./dialogs.tsx";
import { LaterRoom } from "./later.tsx";
import { Side } from "./side.tsx";

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function Frame(): JSX.Element {
  const room = useCell(app.room);
  const [help, setHelp] = useState(false);
  const [side, setSide] = useState(false);
  const [panel, setPanel] = useState(false);
  const menuButton = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing) return;
      const command = (event.ctrlKey || event.metaKey) && !event.altKey;
      const modal = document.querySelector("dialog:modal") !== null;
      if (command && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        app.newChat();
      } else if (command && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setSide(true);
        requestAnimationFrame(() => document.getElementById("history-search")?.focus());
      } else if (command && event.key === ".") {
        event.preventDefault();
        setPanel((open) => !open);
      } else if (event.key === "Escape" && !modal) {
        app.stop();
      } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        event.preventDefault();
        stepTurn(event.key === "ArrowUp" ? -1 : 1);
      } else if (!modal && !typing(event.target) && !event.altKey && !command) {
        if (event.key === "/") {
          event.preventDefault();
          app.focusComposer();
        } else if (event.key === "?") {
          event.preventDefault();
          setHelp(true);
        }
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  const closeSide = (): void => {
    setSide(false);
    menuButton.current?.focus();
  };

  return (
    <div class={`frame${panel && room === "chat" ? " with-panel" : ""}`}>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById("main")?.focus())}>
        Skip to the {room === "chat" ? "chat" : "room"}
      </a>
      <Side open={side} onClose={closeSide} onHelp={() => setHelp(true)} />
      {room === "chat" ? (
        <ChatRoom menuButton={menuButton} onMenu={() => setSide(true)} panel={panel} setPanel={setPanel} />
      ) : (
        <LaterRoom room={room} menuButton={menuButton} onMenu={() => setSide(true)} />
      )}
      <HelpDialog open={help} onClose={() => setHelp(false)} />
      <KeyDialog />
      <ToastView />
      <Spoken />
    </div>
  );
}

/** Moves between the turns of the chat, from the one that holds the focus. */
function stepTurn(by: number): void {
  const turns = [...document.querySelectorAll<HTMLElement>("article.turn")];
  if (turns.length === 0) return;
  const now = turns.findIndex((t) => t.contains(document.activeElement));
  const next = now < 0 ? (by < 0 ? turns.length - 1 : 0) : Math.min(Math.max(now + by, 0), turns.length - 1);
  turns[next]?.focus();
  turns[next]?.scrollIntoView({ block: "nearest" });
}

function ToastView(): JSX.Element | null {
  const toast = useCell(app.toast);
  if (!toast) return null;
  return (
    <div class="toast">
      <span>{toast.text}</span>
      {toast.undo && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            toast.undo?.();
            app.toast.value = null;
          }}
        >
          Undo
        </button>
      )}
      <button type="button" class="quiet" onClick={() => (app.toast.value = null)}>
        Close
      </button>
    </div>
  );
}

function Spoken(): JSX.Element {
  const lines = useCell(app.spoken);
  return (
    <div class="unseen" role="status" aria-live="polite" aria-relevant="additions" aria-atomic="false">
      {lines.map((line) => (
        <p key={line.id}>{line.text}</p>
      ))}
    </div>
  );
}
