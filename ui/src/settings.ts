// settings: what the page remembers beside the chats: theme, key, and what a new chat begins with.
import { numeric } from "./transfer.ts";
import type { Params } from "./types.ts";

export type Theme = "auto" | "light" | "dark";

export interface Defaults {
  model: string;
  system: string;
  params: Params;
}

function read(store: () => Storage, name: string): string {
  try {
    return store().getItem(name) ?? "";
  } catch {
    return ""; // the browser keeps nothing for this page
  }
}

function write(store: () => Storage, name: string, value: string): void {
  try {
    if (value) store().setItem(name, value);
    else store().removeItem(name);
  } catch {
    // then it lasts as long as the page
  }
}

const local = (): Storage => localStorage;
const session = (): Storage => sessionStorage;

export const settings = {
  get theme(): Theme {
    const value = read(local, "pith.theme");
    return value === "light" || value === "dark" ? value : "auto";
  },
  set theme(value: Theme) {
    write(local, "pith.theme", value === "auto" ? "" : value);
  },
  get key(): string {
    return read(session, "pith.key") || read(local, "pith.key");
  },
  /** Kept until the browser's tab closes, or for good where the person says so. */
  setKey(key: string, remember: boolean): void {
    write(session, "pith.key", remember ? "" : key);
    write(local, "pith.key", remember ? key : "");
  },
  get defaults(): Defaults {
    try {
      const value = JSON.parse(read(local, "pith.defaults") || "{}") as Partial<Defaults>;
      const text = (t: unknown): string => (typeof t === "string" ? t : "");
      return { model: text(value.model), system: text(value.system), params: saneParams(value.params) };
    } catch {
      return { model: "", system: "", params: {} };
    }
  },
  set defaults(value: Defaults) {
    write(local, "pith.defaults", JSON.stringify(value));
  },
};

function saneParams(value: unknown): Params {
  const given = (typeof value === "object" && value !== null ? value : {}) as Params;
  const out: Params = {};
  for (const name of numeric) if (typeof given[name] === "number") out[name] = given[name];
  if (Array.isArray(given.stop)) out.stop = given.stop.map(String);
  if (typeof given.think === "boolean") out.think = given.think;
  return out;
}
