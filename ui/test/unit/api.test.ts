import assert from "node:assert/strict";
import { test } from "node:test";
import { Answer } from "../../src/answer.ts";
import { Api, piecesOf } from "../../src/api.ts";
import type { Ask } from "../../src/api.ts";
import { Problem, problemOfStatus } from "../../src/problem.ts";

const ask: Ask = { model: "m", messages: [{ role: "user", content: "hi" }], params: { temperature: 0, think: false }, tools: [] };

function apiOf(reply: (url: string, init: RequestInit) => Response | Promise<Response>, key = ""): Api {
  return new Api(() => key, "", async (input, init) => reply(String(input), init ?? {}));
}

const stream = (...data: string[]): Response => new Response(data.map((d) => `data: ${d}\n\n`).join(""));

test("api: a piece of a stream says what it says", () => {
  const chunk = {
    choices: [{ delta: { content: "a", reasoning: "b", tool_calls: [{ index: 1, id: "x", function: { name: "f", arguments: "{" } }] }, finish_reason: "length" }],
    usage: { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 1 } },
    timings: { predicted_per_second: 40 },
  };
  assert.deepEqual([...piecesOf(JSON.stringify(chunk))], [
    { reasoning: "b" },
    { text: "a" },
    { call: { index: 1, id: "x", name: "f", arguments: "{" } },
    { finish: "length" },
    { usage: { prompt: 3, completion: 2, cached: 1 } },
    { rate: 40 },
  ]);
  assert.deepEqual([...piecesOf('{"choices":[{"delta":{"role":"assistant","content":null}}]}')], []);
  assert.throws(() => [...piecesOf('{"error":{"message":"out of memory"}}')], /^Error: Out of memory\.$/);
  assert.throws(() => [...piecesOf("{")], Problem);
});

test("api: what is sent is what OpenAI's clients send, and the key goes along", async () => {
  let seen: { url: string; init: RequestInit } | undefined;
  const api = apiOf((url, init) => {
    seen = { url, init };
    return stream('{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}', "[DONE]");
  }, "secret");
  await new Answer(api, ask, () => {}).run();
  assert.equal(seen?.url, "/v1/chat/completions");
  assert.deepEqual(seen?.init.headers, { Authorization: "Bearer secret", "Content-Type": "application/json" });
  assert.deepEqual(JSON.parse(String(seen?.init.body)), {
    temperature: 0,
    chat_template_kwargs: { enable_thinking: false },
    model: "m",
    messages: [{ role: "user", content: "hi" }],
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("api: an answer is gathered and measured", async () => {
  let now = 0;
  const api = apiOf(() =>
    stream(
      '{"choices":[{"delta":{"reasoning_content":"hm"}}]}',
      '{"choices":[{"delta":{"content":"one"}}]}',
      '{"choices":[{"delta":{"content":" two"}}]}',
      '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\\"a\\""}}]}}]}',
      '{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}',
      '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}',
      "[DONE]",
    ),
  );
  const turn = await new Answer(api, ask, () => {}, () => (now += 100)).run();
  assert.equal(turn.text, "one two");
  assert.equal(turn.reasoning, "hm");
  assert.deepEqual(turn.calls, [{ id: "c", name: "f", arguments: '{"a":1}' }]);
  assert.equal(turn.finish, "tool_calls");
  // The clock is read at the start (100), at each of five pieces (200 to 600) and at the end (700).
  assert.deepEqual(turn.stats, { promptTokens: 7, tokens: 5, totalMs: 600, firstMs: 100, rate: 10 });
});

test("api: a stream that ends early keeps what came and says so", async () => {
  const answer = new Answer(apiOf(() => stream('{"choices":[{"delta":{"content":"half"}}]}')), ask, () => {});
  const turn = await answer.run();
  assert.equal(turn.text, "half");
  assert.equal(turn.finish, "error");
  assert.equal(answer.problem?.kind, "broken");
  assert.match(turn.error ?? "", /^The connection ended before the answer was complete/);
});

test("api: stopping is no error", async () => {
  const api = apiOf(
    (_, init) =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('data: {"choices":[{"delta":{"content":"a"}}]}\n\n'));
            init.signal?.addEventListener("abort", () => controller.error(new DOMException("aborted", "AbortError")));
          },
        }),
      ),
  );
  const answer: Answer = new Answer(api, ask, () => answer.stop());
  const turn = await answer.run();
  assert.equal(turn.finish, "stopped");
  assert.equal(turn.text, "a");
  assert.equal(turn.error, undefined);
});

test("api: nobody there, no key, no room: each in one sentence", async () => {
  const nobody = new Api(() => "", "", async () => {
    throw new TypeError("Failed to fetch");
  });
  await assert.rejects(nobody.models(), { kind: "gone", message: "The server does not answer; start it again with “pith serve”, then retry." });
  assert.equal(await nobody.alive(), false);
  assert.equal(await nobody.count("m", "text"), undefined);

  const cases: [number, string, string | null, Partial<Problem>][] = [
    [401, '{"error":{"message":"wrong key"}}', null, { kind: "key", message: "Wrong key." }],
    [401, "", null, { kind: "key", message: "The server wants an API key that it knows." }],
    [503, '{"error":"no place is free."}', "3", { kind: "busy", message: "No place is free; try again in 3 s.", wait: 3 }],
    [503, "<html>", null, { kind: "busy", message: "The server is busy; try again in a moment." }],
    [400, '{"type":"error","error":{"type":"x","message":"too long"}}', null, { kind: "refused", message: "Too long." }],
    [404, "nginx", null, { kind: "refused", message: "The server has no such route (404): is this pith serve?" }],
    [500, "", null, { kind: "server", message: "The server answered with status 500 and no explanation." }],
  ];
  for (const [status, body, after, want] of cases) {
    const got = problemOfStatus(status, body, after);
    for (const [name, value] of Object.entries(want)) assert.equal(got[name as keyof Problem], value, `${status} ${body}`);
  }
});

test("api: models come with their context, and strangers are refused", async () => {
  const list = { data: [{ id: "a", meta: { n_ctx: 512, n_ctx_train: 9 } }, { id: "b", max_model_len: 7 }, { id: "c" }, { no: 1 }, null] };
  assert.deepEqual(await apiOf(() => Response.json(list)).models(), [
    { id: "a", context: 512 },
    { id: "b", context: 7 },
    { id: "c", context: undefined },
  ]);
  await assert.rejects(apiOf(() => Response.json({})).models(), /is this pith serve/);
});
