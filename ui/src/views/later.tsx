// later: rooms that come with a later version. Each says what it will be, and what works today.
import type { JSX, RefObject } from "preact";
import { app } from "../state.ts";
import type { Room } from "../state.ts";
import * as Icon from "./icons.tsx";

interface Plan {
  title: string;
  what: string;
  today: string;
  commands: readonly string[];
}

const plans: Record<Exclude<Room, "chat">, Plan> = {
  documents: {
    title: "Documents",
    what: "Folders of your documents, indexed on this machine, and answers that cite the passages they rest on.",
    today: "Today you can drop text files on a chat: they are sent along with your message.",
    commands: [],
  },
  tuning: {
    title: "Tuning",
    what: "Teaching a model your own examples: data checked line by line, a run to watch, an adapter to keep.",
    today: "Today a model can be converted, and made smaller, from the command line.",
    commands: ["pith convert FOLDER model.gguf", "pith quantize model.gguf small.gguf q4_k_m"],
  },
  evaluation: {
    title: "Evaluation",
    what: "Measuring models on tasks, yours and well-known ones, and probing them for unsafe answers, side by side.",
    today: "Today a text's perplexity and a machine's speed can be measured from the command line.",
    commands: ["pith score model.gguf -f book.txt", "pith bench model.gguf"],
  },
};

interface Props {
  room: Exclude<Room, "chat">;
  menuButton: RefObject<HTMLButtonElement | null>;
  onMenu: () => void;
}

export function LaterRoom({ room, menuButton, onMenu }: Props): JSX.Element {
  const plan = plans[room];
  return (
    <main id="main" class="main later-room" tabIndex={-1}>
      <header class="top">
        <button ref={menuButton} type="button" class="round menu" aria-label="Open navigation" onClick={onMenu}>
          <Icon.Menu />
        </button>
      </header>
      <div class="later-body">
        <p class="kicker">Comes with a later version</p>
        <h1>{plan.title}</h1>
        <p class="lead">{plan.what}</p>
        <p>{plan.today}</p>
        {plan.commands.length > 0 && <pre tabIndex={0} role="region" aria-label="Commands">{plan.commands.join("\n")}</pre>}
        <button type="button" class="main-action" onClick={() => app.go("chat")}>
          Back to the chat
        </button>
      </div>
    </main>
  );
}
