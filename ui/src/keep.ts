// keep: chats in the browser's own database. Nothing of them is on the server. Where the browser refuses (a private
// window, a full disk) they live as long as the page, and `lasting` says so.
import type { Chat, Head } from "./types.ts";

const wait = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's database failed"));
  });

const done = (tx: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = tx.onerror = () => reject(tx.error ?? new Error("the browser's database failed"));
  });

const headOf = ({ id, title, updated }: Chat): Head => ({ id, title, updated });
const newest = (heads: Head[]): Head[] => heads.sort((a, b) => b.updated - a.updated);

export class Keep {
  private readonly memory = new Map<string, Chat>();
  private constructor(private readonly db: IDBDatabase | null) {}

  static async open(name = "pith"): Promise<Keep> {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("chats", { keyPath: "id" });
        request.result.createObjectStore("heads", { keyPath: "id" });
      };
      return new Keep(await wait(request));
    } catch {
      return new Keep(null);
    }
  }

  get lasting(): boolean {
    return this.db !== null;
  }

  async heads(): Promise<Head[]> {
    if (!this.db) return newest([...this.memory.values()].map(headOf));
    return newest((await wait(this.db.transaction("heads").objectStore("heads").getAll())) as Head[]);
  }

  async get(id: string): Promise<Chat | undefined> {
    if (!this.db) return this.memory.get(id);
    return (await wait(this.db.transaction("chats").objectStore("chats").get(id))) as Chat | undefined;
  }

  async all(): Promise<Chat[]> {
    if (!this.db) return [...this.memory.values()];
    return (await wait(this.db.transaction("chats").objectStore("chats").getAll())) as Chat[];
  }

  async put(chats: readonly Chat[]): Promise<void> {
    if (!this.db) {
      for (const chat of chats) this.memory.set(chat.id, chat);
      return;
    }
    const tx = this.db.transaction(["chats", "heads"], "readwrite");
    for (const chat of chats) {
      tx.objectStore("chats").put(chat);
      tx.objectStore("heads").put(headOf(chat));
    }
    await done(tx);
  }

  async remove(id: string): Promise<void> {
    this.memory.delete(id);
    if (!this.db) return;
    const tx = this.db.transaction(["chats", "heads"], "readwrite");
    tx.objectStore("chats").delete(id);
    tx.objectStore("heads").delete(id);
    await done(tx);
  }
}
