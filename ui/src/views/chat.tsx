// chat: the room where one talks to a model: head line, turns, message field, settings beside them.
import type { JSX, RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Answer } from "../answer.ts";
import { Cell, useCell } from "../cell.ts";
import { copyCode } from "../clipboard.ts";
import { tokens } from "../format.ts";
import { app } from "../state.ts";
import type { Turn } from "../types.ts";
import { Composer } from "./composer.tsx";
import { Guard } from "./guard.tsx";
import * as Icon from "./icons.tsx";
import { Panel } from "./panel.tsx";
import { AssistantTurn, UserTurn } from "./turn.tsx";
import { useWide } from "./wide.ts";

interface Props {
  menuButton: RefObject<HTMLButtonElement | null>;
  onMenu: () => void;
  panel: boolean;
  setPanel: (open: boolean) => void;
}

export function ChatRoom({ menuButton, onMenu, panel, setPanel }: Props): JSX.Element {
  const chat = useCell(app.chat);
  const wide = useWide(1180);
  const panelButton = useRef<HTMLButtonElement>(null);
  const closePanel = useCallback(() => {
    setPanel(false);
    panelButton.current?.focus();
  }, [setPanel]);
  useEffect(() => {
    document.title = chat.turns.length ? `${chat.title} · pith` : "pith";
  }, [chat.title, chat.turns.length]);

  return (
    <>
      <main id="main" class={chat.turns.length ? "main" : "main blank"} tabIndex={-1}>
        <header class="top">
          <button ref={menuButton} type="button" class="round menu" aria-label="Open navigation" onClick={onMenu}>
            <Icon.Menu />
          </button>
          <h1 class={chat.turns.length ? "chat-title" : "unseen"}>{chat.title}</h1>
          <ModelChoice />
          {chat.turns.length > 0 && (
            <button type="button" class="round" aria-label="Export this chat" title="Export this chat" onClick={() => void app.exportTo([chat.id])}>
              <Icon.Save />
            </button>
          )}
          <button
            ref={panelButton}
            type="button"
            class={Object.keys(chat.params).length || chat.system.trim() || chat.tools.trim() ? "round changed" : "round"}
            aria-label="Settings of this chat"
            title="Settings of this chat (Ctrl+.)"
            aria-expanded={panel}
            onClick={() => setPanel(!panel)}
          >
            <Icon.Sliders />
          </button>
        </header>
        <DownLine />
        <Transcript />
        <Composer />
      </main>
      <Panel open={panel} docked={wide} onClose={closePanel} />
    </>
  );
}

function ModelChoice(): JSX.Element {
  const chat = useCell(app.chat);
  const models = useCell(app.models);
  const problem = useCell(app.modelsProblem);
  if (!models || models.length === 0) {
    const why = problem ? "No model" : models ? "The server has no model" : "…";
    return (
      <span class="model none" title={problem?.message}>
        {why}
      </span>
    );
  }
  const now = app.modelOf(chat);
  if (models.length === 1) return <span class="model only" title={`Model: ${now}`}>{now}</span>;
  return (
    <span class="model">
      <select aria-label="Model" value={now} onChange={(e) => app.setModel(e.currentTarget.value)}>
        {models.map((m) => (
          <option key={m.id} value={m.id}>
            {m.id}
          </option>
        ))}
      </select>
    </span>
  );
}

function DownLine(): JSX.Element | null {
  const down = useCell(app.down);
  if (!down) return null;
  return (
    <p class="down-line">
      <span class="pulse" aria-hidden="true" />
      The server does not answer. Your chats are safe here; the page tries again every few seconds.
    </p>
  );
}

const nearEnd = 60;
const still = new Cell(0);

function Transcript(): JSX.Element {
  const chat = useCell(app.chat);
  const answers = useCell(app.answers);
  const box = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const [stuck, setStuck] = useState(true);
  const answer = answers.get(chat.id);
  const turns = answer ? [...chat.turns.filter((t) => t.id !== answer.turn.id), answer.turn] : chat.turns;

  const toEnd = (): void => {
    const b = box.current;
    if (!b) return;
    b.scrollTop = b.scrollHeight;
    lastTop.current = b.scrollTop;
  };
  const follow = (): void => {
    if (stuck) toEnd();
  };
  useLayoutEffect(follow);
  useLayoutEffect(() => {
    setStuck(true);
    toEnd();
  }, [chat.id, turns.length]);

  // Only who scrolls up leaves the end: an answer that grew between a step and its event does not.
  const onScroll = (): void => {
    const b = box.current;
    if (!b) return;
    if (b.scrollHeight - b.scrollTop - b.clientHeight < nearEnd) setStuck(true);
    else if (b.scrollTop < lastTop.current - 2) setStuck(false);
    lastTop.current = b.scrollTop;
  };

  return (
    <div class="transcript" ref={box} onScroll={onScroll} onClick={copyCode}>
      {turns.length === 0 ? (
        <Welcome />
      ) : (
        <div class="stem" role="log" aria-live="off" aria-label="Conversation">
          {chat.system.trim() && (
            <div class="turn system">
              <div class="margin">
                <span class="node" aria-hidden="true" />
                <span class="who">System</span>
              </div>
              <p class="column instructions" dir="auto">{chat.system}</p>
            </div>
          )}
          {turns.map((turn, i) => (
            <Guard key={turn.id} what="This turn">
              {turn.role === "user" ? (
                <UserTurn turn={turn} later={turns.length - i - 1} busy={answer !== undefined} />
              ) : (
                <ModelTurn
                  turn={turn}
                  last={i === turns.length - 1}
                  answer={turn.id === answer?.turn.id ? answer : undefined}
                  onDraw={follow}
                />
              )}
            </Guard>
          ))}
        </div>
      )}
      {!stuck && (
        <button type="button" class="to-end" onClick={() => (setStuck(true), toEnd())}>
          <Icon.Down />
          To the end
        </button>
      )}
    </div>
  );
}

/** While it is being written it alone is drawn anew with each picture; then it stays the same element, with its focus. */
function ModelTurn({ turn, last, answer, onDraw }: { turn: Turn; last: boolean; answer?: Answer; onDraw: () => void }): JSX.Element {
  useCell(answer ? app.frame : still);
  useLayoutEffect(() => {
    if (answer) onDraw();
  });
  return <AssistantTurn turn={answer?.turn ?? turn} last={last} writing={answer} />;
}

function Welcome(): JSX.Element {
  const models = useCell(app.models);
  const problem = useCell(app.modelsProblem);
  const chat = useCell(app.chat);
  const name = models?.length ? app.modelOf(chat) : "";
  const context = models?.find((m) => m.id === name)?.context;
  return (
    <div class="welcome">
      <Icon.Rings />
      <h2>Ask {name ? <span class="name">{name}</span> : "a model"}</h2>
      {problem && problem.kind !== "gone" ? (
        <p class="problem">
          <span>{problem.message}</span>
          <button type="button" class="quiet" onClick={() => (problem.kind === "key" ? (app.wantKey.value = problem.message) : void app.loadModels())}>
            {problem.kind === "key" ? "Enter a key" : "Try again"}
          </button>
        </p>
      ) : (
        <p>
          It runs on the machine that serves this page{context ? <> and reads up to {tokens(context)}</> : null}. What you write goes there and
          nowhere else.
        </p>
      )}
    </div>
  );
}
