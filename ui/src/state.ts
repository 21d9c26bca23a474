// state: everything that the page knows, and everything that a person can do with it. Views read cells and call these.
import { Answer } from "./answer.ts";
import { Api } from "./api.ts";
import { Cell } from "./cell.ts";
import { Keep } from "./keep.ts";
import { asProblem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { messagesOf, parseTools, titleOf } from "./prompt.ts";
import { settings } from "./settings.ts";
import type { Theme } from "./settings.ts";
import { speakable } from "./speech.ts";
import { exportChats, fileNameFor, importChats } from "./transfer.ts";
import { newId } from "./types.ts";
import type { Attachment, Chat, Head, Model, Turn } from "./types.ts";

export const rooms = ["documents", "tuning", "evaluation"] as const;
export type Room = "chat" | (typeof rooms)[number];

export interface Toast {
  text: string;
  undo?: () => void;
}

const pollMs = 3000;
const partialSaveMs = 2000;

export class App {
  readonly api = new Api(() => settings.key);
  readonly room = new Cell<Room>("chat");
  readonly heads = new Cell<Head[]>([]);
  readonly chat = new Cell<Chat>(this.blank());
  readonly models = new Cell<Model[] | null>(null);
  readonly modelsProblem = new Cell<Problem | null>(null);
  readonly down = new Cell(false);
  /** Why a key is asked for; null: it is not. */
  readonly wantKey = new Cell<string | null>(null);
  readonly toast = new Cell<Toast | null>(null);
  readonly theme = new Cell<Theme>(settings.theme);
  readonly answers = new Cell<ReadonlyMap<string, Answer>>(new Map());
  /** Counts the pictures of answers being written: who draws one watches this. */
  readonly frame = new Cell(0);
  /** What a screen reader says, in its turn. */
  readonly spoken = new Cell<readonly { id: number; text: string }[]>([]);
  readonly keepsNothing = new Cell(false);
  private keep!: Keep;
  private framed = false;
  private pollTimer: number | undefined;
  private toastTimer: number | undefined;
  private readonly others = "BroadcastChannel" in globalThis ? new BroadcastChannel("pith") : null;

  async start(): Promise<void> {
    this.keep = await Keep.open();
    this.keepsNothing.value = !this.keep.lasting;
    this.heads.value = await this.keep.heads();
    addEventListener("hashchange", () => void this.route());
    addEventListener("offline", () => void this.probe());
    // Who comes back to the page finds the models of now, and hears whether the server is still there.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") void (this.modelsProblem.value ? this.probe() : this.loadModels());
    });
    setInterval(() => void (document.visibilityState === "visible" && this.probe()), 30_000);
    if (this.others) this.others.onmessage = () => void this.heedOthers();
    await this.route();
    await this.loadModels();
  }

  // ------------------------------------------------------------- where we are

  private async route(): Promise<void> {
    const [, first = "", second = ""] = location.hash.split("/");
    this.room.value = (rooms as readonly string[]).includes(first) ? (first as Room) : "chat";
    if (this.room.value !== "chat") return;
    if (first !== "c") {
      if (this.chat.value.turns.length) this.chat.value = this.blank();
    } else if (second !== this.chat.value.id) {
      const chat = await this.keep.get(second);
      if (chat) this.chat.value = chat;
      else location.hash = "#/";
    }
  }

  go(room: Room): void {
    location.hash = room === "chat" ? (this.chat.value.turns.length ? `#/c/${this.chat.value.id}` : "#/") : `#/${room}`;
  }

  open(id: string): void {
    location.hash = `#/c/${id}`;
  }

  newChat(): void {
    this.chat.value = this.blank();
    location.hash = "#/";
    this.room.value = "chat";
    this.focusComposer();
  }

  private blank(): Chat {
    const { model, system, params } = settings.defaults;
    const now = Date.now();
    return { id: newId(), title: "New chat", named: false, created: now, updated: now, model, system, params, tools: "", turns: [] };
  }

  focusComposer(): void {
    requestAnimationFrame(() => document.getElementById("message")?.focus());
  }

  // ------------------------------------------------------------- the server

  async loadModels(): Promise<void> {
    try {
      this.models.value = await this.api.models();
      this.modelsProblem.value = null;
      this.up();
    } catch (error) {
      const problem = asProblem(error);
      this.modelsProblem.value = problem;
      this.meet(problem);
    }
  }

  private meet(problem: Problem): void {
    if (problem.kind === "key") this.wantKey.value = problem.message;
    if (problem.kind === "gone") this.lost();
  }

  private async probe(): Promise<void> {
    if (this.down.value) return;
    if (!(await this.api.alive())) this.lost();
  }

  private lost(): void {
    if (this.down.value) return;
    this.down.value = true;
    this.say("The server does not answer.");
    this.pollTimer = window.setInterval(() => void this.again(), pollMs);
  }

  private up(): void {
    window.clearInterval(this.pollTimer);
    if (!this.down.value) return;
    this.down.value = false;
    this.say("The server is back.");
  }

  private async again(): Promise<void> {
    if (await this.api.alive()) await this.loadModels();
  }

  /** The entry stays open until the server takes the key. */
  async setKey(key: string, remember: boolean): Promise<void> {
    settings.setKey(key, remember);
    await this.loadModels();
    if (this.modelsProblem.value?.kind !== "key") this.wantKey.value = null;
  }

  // ------------------------------------------------------------- asking

  /** Chooses a model for the chat shown, and for those to come. */
  setModel(model: string): void {
    settings.defaults = { ...settings.defaults, model };
    this.change({ ...this.chat.value, model });
  }

  /** The model that a chat asks: its own where the server has it, else the server's first. */
  modelOf(chat: Chat): string {
    const models = this.models.value ?? [];
    if (models.length === 0 || models.some((m) => m.id === chat.model)) return chat.model;
    return models[0]?.id ?? "";
  }

  send(text: string, files: Attachment[]): void {
    const old = this.chat.value;
    const turn: Turn = { id: newId(), role: "user", text, at: Date.now(), ...(files.length ? { files } : {}) };
    const named = old.named || old.turns.length > 0;
    const title = named ? old.title : titleOf(text) || files[0]?.name || old.title;
    const chat = this.change({ ...old, title, turns: [...old.turns, turn] });
    history.replaceState(null, "", `#/c/${chat.id}`);
    this.ask(chat);
  }

  stop(): void {
    this.answers.value.get(this.chat.value.id)?.stop();
  }

  /** Asks again for an answer: it and what follows it give way. */
  retry(turnId: string): void {
    const chat = this.chat.value;
    const at = chat.turns.findIndex((t) => t.id === turnId);
    if (at < 0 || this.answers.value.has(chat.id)) return;
    this.ask(this.change({ ...chat, turns: chat.turns.slice(0, at) }));
  }

  /** A question in new words: what followed it gives way. */
  edit(turnId: string, text: string): void {
    const chat = this.chat.value;
    const at = chat.turns.findIndex((t) => t.id === turnId);
    const turn = chat.turns[at];
    if (!turn || this.answers.value.has(chat.id)) return;
    const title = at === 0 && !chat.named ? titleOf(text) || chat.title : chat.title;
    const lost = chat.turns.length - at - 2;
    if (lost > 0) this.tell({ text: `${lost + 1} turns gave way to the new answer.`, undo: () => void this.goBackTo(chat) });
    this.ask(this.change({ ...chat, title, turns: [...chat.turns.slice(0, at), { ...turn, text, at: Date.now() }] }));
  }

  /** The chat as it was; what is being written for it is dropped. */
  private goBackTo(chat: Chat): void {
    this.drop(chat.id);
    this.change(chat);
  }

  /** Ends an answer that nobody waits for any more; nothing of it is kept. */
  private drop(id: string): void {
    const answer = this.answers.value.get(id);
    if (!answer) return;
    const rest = new Map(this.answers.value);
    rest.delete(id);
    this.answers.value = rest;
    answer.stop();
  }

  /** What the tools returned that an answer called. */
  answerCalls(turnId: string, results: readonly string[]): void {
    const chat = this.chat.value;
    const turns = chat.turns.map((t) =>
      t.id === turnId ? { ...t, calls: t.calls?.map((call, i) => ({ ...call, result: results[i] ?? "" })) } : t,
    );
    this.ask(this.change({ ...chat, turns }));
  }

  private ask(chat: Chat): void {
    const tools = parseTools(chat.tools);
    let said = 0;
    const answer = new Answer(
      this.api,
      { model: this.modelOf(chat), messages: messagesOf(chat), params: chat.params, tools: Array.isArray(tools) ? tools : [] },
      () => {
        this.drawSoon(answer.turn.text.length);
        const end = answer.turn.text.lastIndexOf("\n\n");
        if (end > said) {
          this.say(speakable(answer.turn.text.slice(said, end)));
          said = end;
        }
      },
    );
    this.answers.value = new Map(this.answers.value).set(chat.id, answer);
    this.say("The model is answering.");
    const saving = window.setInterval(() => void this.place(chat.id, answer.turn), partialSaveMs);
    void answer.run().then(async (turn) => {
      window.clearInterval(saving);
      await this.place(chat.id, turn);
      if (this.answers.value.get(chat.id) === answer) {
        const rest = new Map(this.answers.value);
        rest.delete(chat.id);
        this.answers.value = rest;
      }
      if (answer.problem) {
        this.say(answer.problem.message);
        this.meet(answer.problem);
      } else {
        this.up();
        this.say(`${speakable(turn.text.slice(said))} ${turn.finish === "stopped" ? "Stopped." : "The answer is complete."}`);
      }
    });
  }

  /** Puts an answer, whole or half written, at the end of its chat, which may not be the one shown, or be deleted. */
  private async place(id: string, turn: Turn): Promise<void> {
    const shown = this.chat.value.id === id;
    const chat = shown ? this.chat.value : await this.keep.get(id);
    if (!chat || this.answers.value.get(id)?.turn.id !== turn.id) return;
    const whole = { ...chat, updated: Date.now(), turns: [...chat.turns.filter((t) => t.id !== turn.id), turn] };
    if (this.chat.value.id === id) this.chat.value = whole;
    await this.save(whole);
  }

  /** A picture soon: with the next frame, but later for long answers, which take longer to draw. */
  private drawSoon(length: number): void {
    if (this.framed) return;
    this.framed = true;
    const draw = (): void => {
      this.framed = false;
      this.frame.value++;
    };
    const gap = document.visibilityState === "visible" ? Math.min(length / 400, 300) : 500;
    if (gap < 16) requestAnimationFrame(draw);
    else setTimeout(draw, gap);
  }

  say(text: string): void {
    const words = text.trim();
    if (!words) return;
    const last = this.spoken.value.at(-1)?.id ?? 0;
    this.spoken.value = [...this.spoken.value.slice(-7), { id: last + 1, text: words }];
  }

  // ------------------------------------------------------------- keeping

  /** A changed chat becomes what is shown and what is kept. */
  change(next: Chat): Chat {
    const chat = { ...next, updated: Date.now() };
    if (this.chat.value.id === chat.id) this.chat.value = chat;
    if (chat.turns.length || chat.named) void this.save(chat);
    return chat;
  }

  private async save(chat: Chat): Promise<void> {
    try {
      await this.keep.put([chat]);
    } catch {
      this.tell({ text: "The browser could not keep this chat: its disk space for this page may be full. Export it, or delete old chats." });
    }
    await this.refreshHeads();
    this.others?.postMessage("changed");
  }

  /** Another tab has kept something: the list is read anew, and so is the chat shown, unless this tab writes it. */
  private async heedOthers(): Promise<void> {
    await this.refreshHeads();
    const { id } = this.chat.value;
    const kept = await this.keep.get(id);
    if (kept && id === this.chat.value.id && !this.answers.value.has(id) && kept.updated >= this.chat.value.updated) this.chat.value = kept;
  }

  private async refreshHeads(): Promise<void> {
    this.heads.value = await this.keep.heads();
  }

  async rename(id: string, title: string): Promise<void> {
    const chat = this.chat.value.id === id ? this.chat.value : await this.keep.get(id);
    const words = title.trim().slice(0, 200);
    if (!chat || !words || words === chat.title) return;
    const renamed = { ...chat, title: words, named: true };
    if (this.chat.value.id === id) this.chat.value = renamed;
    await this.save(renamed); // its place in the list, by date of change, stays
  }

  async remove(id: string): Promise<void> {
    const chat = await this.keep.get(id);
    if (!chat) return;
    this.drop(id);
    await this.keep.remove(id);
    if (this.chat.value.id === id) this.newChat();
    await this.refreshHeads();
    this.others?.postMessage("changed");
    this.tell({
      text: `Deleted “${chat.title}”.`,
      undo: () => void this.save(chat).then(() => this.open(id)),
    });
  }

  async exportTo(ids?: readonly string[]): Promise<void> {
    const all = await this.keep.all();
    const chats = all.filter((c) => !ids || ids.includes(c.id)).sort((a, b) => b.updated - a.updated);
    if (chats.length === 0) return this.tell({ text: "There is no chat to export yet." });
    const url = URL.createObjectURL(new Blob([exportChats(chats)], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = fileNameFor(chats);
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  async importFrom(file: File): Promise<void> {
    try {
      const chats = importChats(await file.text(), new Set(this.heads.value.map((h) => h.id)));
      await this.keep.put(chats);
      await this.refreshHeads();
      this.others?.postMessage("changed");
      this.tell({ text: chats.length === 1 ? "Imported 1 chat." : `Imported ${chats.length} chats.` });
    } catch (error) {
      this.tell({ text: error instanceof Error ? error.message : "This file could not be imported." });
    }
  }

  // ------------------------------------------------------------- the page itself

  tell(toast: Toast): void {
    window.clearTimeout(this.toastTimer);
    this.toast.value = toast;
    this.say(toast.text);
    this.toastTimer = window.setTimeout(() => (this.toast.value = null), toast.undo ? 12_000 : 8000);
  }

  setTheme(theme: Theme): void {
    settings.theme = theme;
    this.theme.value = theme;
    if (theme === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }

  saveDefaults(): void {
    const { model, system, params } = this.chat.value;
    settings.defaults = { model, system, params };
    this.tell({ text: "New chats begin with these settings." });
  }
}

export const app = new App();
