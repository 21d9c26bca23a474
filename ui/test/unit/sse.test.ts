import assert from "node:assert/strict";
import { test } from "node:test";
import { EventReader, events } from "../../src/sse.ts";

const stream = "data: one\n\n: a comment\r\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\nid: 3\rdata\rdata: \u00e9\u20ac\u{1f600}\r\r\n\ndata: [DONE]\n\n";
const wanted = ["one", "two\nlines", "\n\u00e9\u20ac\u{1f600}", "[DONE]"];

test("sse: events are read in one piece", () => {
  assert.deepEqual(new EventReader().push(stream), wanted);
});

test("sse: events are read whatever the cuts", () => {
  for (let size = 1; size <= 7; size++) {
    const reader = new EventReader();
    const got: string[] = [];
    for (let at = 0; at < stream.length; at += size) got.push(...reader.push(stream.slice(at, at + size)));
    assert.deepEqual(got, wanted, `pieces of ${size}`);
  }
});

test("sse: bytes of one character may come apart, and a last event without its empty line counts", async () => {
  const bytes = new TextEncoder().encode(stream.trimEnd());
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const got: string[] = [];
  for await (const data of events(body)) got.push(data);
  assert.deepEqual(got, wanted);
});
