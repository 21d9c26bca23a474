// sse: reads server-sent events out of a stream of bytes, however the network cut it (WHATWG HTML, "Server-sent
// events"). Only what chat completions use is kept: the data of each event.

export class EventReader {
  private rest = "";
  private data: string[] = [];
  private afterCr = false;

  /** Takes a piece of text; returns the data of the events that it completes. */
  push(text: string): string[] {
    const out: string[] = [];
    if (this.afterCr && text.startsWith("\n")) text = text.slice(1);
    if (text === "") return out;
    this.afterCr = text.endsWith("\r");
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.data.length) out.push(this.data.join("\n"));
        this.data = [];
      } else if (line === "data" || line.startsWith("data:")) {
        const value = line.slice(5);
        this.data.push(value.startsWith(" ") ? value.slice(1) : value);
      } // comments, event names, ids and retry times say nothing here
    }
    return out;
  }
}

/** The data of each event of a response's body, as they come. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
    yield* parser.push(decoder.decode() + "\n\n"); // a last event that lacks its empty line still counts
  } finally {
    await reader.cancel().catch(() => {});
  }
}
