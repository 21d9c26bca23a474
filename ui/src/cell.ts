// cell: a value that tells who looks at it when it changes. All state of the page lies in cells.
import { useEffect, useState } from "preact/hooks";

export class Cell<T> {
  private readonly watchers = new Set<() => void>();
  constructor(private held: T) {}

  get value(): T {
    return this.held;
  }

  set value(next: T) {
    if (Object.is(next, this.held)) return;
    this.held = next;
    for (const tell of [...this.watchers]) tell();
  }

  watch(tell: () => void): () => void {
    this.watchers.add(tell);
    return () => this.watchers.delete(tell);
  }
}

/** The value of a cell; the component is drawn again when it changes. */
export function useCell<T>(cell: Cell<T>): T {
  const [, draw] = useState(0);
  useEffect(() => {
    const tell = (): void => draw((n) => n + 1);
    tell(); // it may have changed between drawing and watching
    return cell.watch(tell);
  }, [cell]);
  return cell.value;
}
