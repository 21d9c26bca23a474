// The flows of the openai package (npm) against pith serve.
import assert from 'node:assert/strict';
import { idle, need, rejects, run, test, url } from './harness.mjs';

const { default: OpenAI } = need('openai');
const { zodResponseFormat, zodTextFormat } = need('openai/helpers/zod');
const { z } = need('zod');

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, timeout: 60000 });
const messages = [{ role: 'user', content: 'Tell me a story.' }];
const Point = z.object({ color: z.enum(['red', 'green']), on: z.boolean() });
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Paris', 'Oslo'] } },
      required: ['city'],
      additionalProperties: false,
    },
  },
};

test('models are listed', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(['qwen', 'llama', 'think', 'stories'].every((id) => ids.includes(id)), ids.join());
  assert.equal((await client.models.retrieve('qwen')).object, 'model');
});

test('chat', async () => {
  const r = await client.chat.completions.create({ model: 'qwen', messages, max_tokens: 9, temperature: 0 });
  assert.equal(r.object, 'chat.completion');
  assert.equal(r.choices[0].message.role, 'assistant');
  assert.equal(r.usage.total_tokens, r.usage.prompt_tokens + r.usage.completion_tokens);
});

test('a chat streams the same text', async () => {
  const options = { model: 'qwen', messages, max_tokens: 30, temperature: 0 };
  const whole = await client.chat.completions.create(options);
  const stream = await client.chat.completions.create({ ...options, stream: true, stream_options: { include_usage: true } });
  let text = '', usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test('tools are called', async () => {
  const r = await client.chat.completions.create({
    model: 'qwen', messages, tools: [weather], tool_choice: 'required', parallel_tool_calls: false, max_tokens: 200,
  });
  assert.equal(r.choices[0].finish_reason, 'tool_calls');
  const [call] = r.choices[0].message.tool_calls;
  assert.ok(['Paris', 'Oslo'].includes(JSON.parse(call.function.arguments).city), call.function.arguments);
});

test('runTools runs a tool and goes on', async () => {
  const seen = [];
  const runner = client.chat.completions.runTools(
    {
      model: 'qwen',
      messages,
      max_tokens: 200,
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
      parallel_tool_calls: false,
      tools: [{
        type: 'function',
        function: {
          ...weather.function,
          parse: JSON.parse,
          function: (args) => (seen.push(args.city), 'rain'),
        },
      }],
    },
    { maxChatCompletions: 1 },
  );
  await runner.done().catch(() => {});
  assert.ok(seen.length >= 1 && seen.every((city) => ['Paris', 'Oslo'].includes(city)), seen.join());
});

test('tool calls stream', async () => {
  const runner = client.chat.completions.stream({
    model: 'llama', messages, tools: [weather], tool_choice: 'required', parallel_tool_calls: false, max_tokens: 200,
  });
  const final = await runner.finalChatCompletion();
  assert.ok(['Paris', 'Oslo'].includes(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments).city));
});

test('a zod schema is parsed', async () => {
  const r = await client.chat.completions.parse({
    model: 'qwen', messages, max_tokens: 200, response_format: zodResponseFormat(Point, 'point'),
  });
  assert.equal(typeof r.choices[0].message.parsed.on, 'boolean');
});

test('responses', async () => {
  const r = await client.responses.create({ model: 'qwen', input: 'Hello', max_output_tokens: 20, temperature: 0 });
  assert.equal(r.object, 'response');
  let text = '', n = 0;
  const stream = await client.responses.create({ model: 'qwen', input: 'Hello', max_output_tokens: 20, temperature: 0, stream: true });
  for await (const event of stream) {
    assert.equal(event.sequence_number, n++);
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  assert.equal(text, r.output_text);
});

test('responses parse a zod schema', async () => {
  const r = await client.responses.parse({
    model: 'qwen', input: 'Hello', max_output_tokens: 200, text: { format: zodTextFormat(Point, 'point') },
  });
  assert.equal(typeof r.output_parsed.on, 'boolean');
});

test('completions and embeddings', async () => {
  const r = await client.completions.create({ model: 'stories', prompt: 'Once upon a time', max_tokens: 20, temperature: 0 });
  assert.ok(r.choices[0].text.startsWith(', there was a little girl named Lily.'), r.choices[0].text);
  const e = await client.embeddings.create({ model: 'stories', input: ['one', 'two'] });
  assert.deepEqual(e.data.map((d) => d.embedding.length), [64, 64]);
});

test('errors have their class', async () => {
  const missing = await rejects(client.chat.completions.create({ model: 'nothing', messages }));
  assert.ok(missing instanceof OpenAI.NotFoundError, missing);
  const long = [{ role: 'user', content: 'word '.repeat(6000) }];
  const full = await rejects(client.chat.completions.create({ model: 'qwen', messages: long }));
  assert.ok(full instanceof OpenAI.BadRequestError, full);
  assert.equal(full.code, 'context_length_exceeded');
});

test('an aborted stream ends on the server', async () => {
  const stream = await client.chat.completions.create({ model: 'qwen', messages, max_tokens: 3500, stream: true });
  let n = 0;
  for await (const _ of stream) if (++n === 3) break;
  stream.controller.abort();
  await idle();
});

await run();
