// dialogs: help, and the entry of an API key.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useCell } from "../cell.ts";
import { app } from "../state.ts";
import * as Icon from "./icons.tsx";

const mac = /Mac|iPhone|iPad/.test(navigator.platform);
const ctrl = mac ? "⌘" : "Ctrl";

const keys: readonly [string, string][] = [
  ["Enter", "send"],
  ["Shift + Enter", "a new line"],
  ["Esc", "stop the answer"],
  ["/", "to the message field"],
  [`${mac ? "⌥" : "Alt"} + ↑ ↓`, "from turn to turn"],
  [`${ctrl} + Shift + O`, "new chat"],
  [`${ctrl} + K`, "search chats"],
  [`${ctrl} + .`, "settings of the chat"],
  ["F2", "rename the chat in focus"],
  ["?", "this help"],
];

function useModal(open: boolean): { current: HTMLDialogElement | null } {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const box = dialog.current;
    if (open && box && !box.open) box.showModal();
    if (!open && box?.open) box.close();
  }, [open]);
  return dialog;
}

export function HelpDialog({ open, onClose }: { open: boolean; onClose: () => void }): JSX.Element {
  const dialog = useModal(open);
  return (
    <dialog ref={dialog} class="box" aria-labelledby="help-title" onClose={() => open && onClose()}>
      <div class="box-top">
        <h2 id="help-title">Keyboard</h2>
        <button type="button" class="round" aria-label="Close help" onClick={onClose}>
          <Icon.Close />
        </button>
      </div>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="fine">
        Chats, settings and files stay in this browser. They are sent to one place only: the server that this page came from, when you ask it
        something.
      </p>
    </dialog>
  );
}

export function KeyDialog(): JSX.Element {
  const why = useCell(app.wantKey);
  const [key, setKey] = useState("");
  const [remember, setRemember] = useState(false);
  const dialog = useModal(why !== null);
  return (
    <dialog ref={dialog} class="box" aria-labelledby="key-title" onClose={() => (app.wantKey.value = null)}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (key.trim()) void app.setKey(key.trim(), remember);
          setKey("");
        }}
      >
        <div class="box-top">
          <h2 id="key-title">API key</h2>
          <button type="button" class="round" aria-label="Close without a key" onClick={() => (app.wantKey.value = null)}>
            <Icon.Close />
          </button>
        </div>
        <p role="alert">{why}</p>
        <label class="field">
          <span>Key</span>
          <input type="password" autocomplete="off" required value={key} onInput={(e) => setKey(e.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={remember} onChange={(e) => setRemember(e.currentTarget.checked)} />
          Remember it in this browser; otherwise it is forgotten when the tab closes
        </label>
        <div class="row-end">
          <button type="submit" class="main-action">
            Use this key
          </button>
        </div>
      </form>
    </dialog>
  );
}
