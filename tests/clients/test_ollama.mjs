// The flows of the ollama package (npm) against pith serve.
import assert from 'node:assert/strict';
import { idle, need, rejects, run, test, url } from './harness.mjs';

const { Ollama } = need('ollama');
const { z } = need('zod');

const client = new Ollama({ host: url });
const messages = [{ role: 'user', content: 'Tell me a story.' }];
const options = { temperature: 0, num_predict: 20 };
const Point = z.object({ color: z.enum(['red', 'green']), on: z.boolean() });

test('models are listed and shown', async () => {
  const { models } = await client.list();
  assert.ok(models.some((m) => m.name === 'qwen:latest'), JSON.stringify(models));
  const shown = await client.show({ model: 'qwen' });
  assert.equal(shown.details.family, 'qwen2');
  assert.deepEqual(shown.capabilities, ['completion', 'tools']);
});

test('generate, whole and as a stream', async () => {
  const whole = await client.generate({ model: 'qwen', prompt: 'Hello', options });
  assert.equal(whole.done, true);
  assert.ok(whole.eval_count > 0 && whole.total_duration > 0 && Array.isArray(whole.context));
  let text = '', last;
  for await (const part of await client.generate({ model: 'qwen', prompt: 'Hello', options, stream: true })) {
    text += part.response;
    last = part;
  }
  assert.equal(text, whole.response);
  assert.equal(last.done_reason, whole.done_reason);
});

test('chat, whole and as a stream', async () => {
  const whole = await client.chat({ model: 'qwen', messages, options });
  assert.equal(whole.message.role, 'assistant');
  let text = '';
  for await (const part of await client.chat({ model: 'qwen', messages, options, stream: true })) text += part.message.content;
  assert.equal(text, whole.message.content);
});

test('tools', async () => {
  const tool = {
    type: 'function',
    function: {
      name: 'get_weather',
      description: 'The weather.',
      parameters: { type: 'object', properties: { city: { type: 'string', enum: ['Paris', 'Oslo'] } }, required: ['city'] },
    },
  };
  const r = await client.chat({ model: 'qwen', messages, tools: [tool], tool_choice: 'required', options: { num_predict: 300 } });
  assert.ok(r.message.tool_calls.length >= 1);
  for (const call of r.message.tool_calls) {
    assert.equal(call.function.name, 'get_weather');
    assert.ok(['Paris', 'Oslo'].includes(call.function.arguments.city));
  }
});

test('structured output', async () => {
  const r = await client.chat({ model: 'qwen', messages, format: z.toJSONSchema(Point), options: { num_predict: 200 } });
  Point.parse(JSON.parse(r.message.content));
});

test('embed', async () => {
  const r = await client.embed({ model: 'stories', input: ['one', 'two'] });
  assert.deepEqual(r.embeddings.map((e) => e.length), [64, 64]);
});

test('ps and version', async () => {
  assert.ok((await client.ps()).models.length > 0);
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
});

test('errors', async () => {
  const missing = await rejects(client.chat({ model: 'nothing', messages }));
  assert.equal(missing.name, 'ResponseError');
  assert.equal(missing.status_code, 404);
  assert.match(missing.error, /nothing/);
});

test('an aborted stream ends on the server', async () => {
  const stream = await client.chat({ model: 'qwen', messages, stream: true, options: { num_predict: 3500 } });
  let n = 0;
  await rejects((async () => {
    for await (const _ of stream) if (++n === 2) stream.abort();
    throw new Error('it ended by itself');
  })());
  await idle();
});

await run();
