// mock: a server that speaks as pith serve does and answers by script, for what a real model cannot be made to do:
// hostile markdown, tool calls, thoughts, failures at a chosen moment.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const page = fileURLToPath(new URL("../dist/index.html", import.meta.url));
export const policyOf = (html) => /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)[1];

export const hostile = [
  "<script>window.hit = 1</script>",
  '<img src="x" onerror="window.hit = 2">',
  "<svg onload=window.hit=3><circle r=4></svg>",
  '[a link](javascript:window.hit=4) and [another](JaVaScRiPt:window.hit=5)',
  "[data](data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGl0PTY8L3NjcmlwdD4=)",
  '![image](https://tracker.invalid/pixel.png) ![x" onerror="window.hit=7](javascript:window.hit=7)',
  '<iframe srcdoc="<script>parent.hit=8</script>"></iframe>',
  '<a href="https://a.invalid/" onclick="window.hit=9" style="position:fixed;inset:0">click</a>',
  '<button class="copy" onclick="window.hit=10">Copy</button>',
  "<math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=11>",
  "```html\" onmouseover=\"window.hit=12\n</code></pre><script>window.hit=13</script>\n```",
  "[ref][r] <https://ok.invalid/\"onmouseover=window.hit=14> <javascript:window.hit=15>",
  "| a |\n|---|\n| <img src=x onerror=window.hit=16> |",
  '<base href="https://evil.invalid/"><meta http-equiv="refresh" content="0;url=https://evil.invalid/">',
  '<form action="https://evil.invalid/"><input name=key autofocus onfocus=window.hit=17></form>',
  "<details open ontoggle=window.hit=18><summary>x</summary></details>",
  '<style>body{background:url(https://evil.invalid/)}</style><link rel="stylesheet" href="https://evil.invalid/x.css">',
  '[r]: javascript:window.hit=19 "title"',
].join("\n\n");

export const showcase = `A **binary search** halves the range with each comparison, so it needs at most ⌈log₂ n⌉ + 1 of them.

\`\`\`c
/* The first index at which key could stand, in a[0..n). */
size_t lower_bound(const int *a, size_t n, int key)
{
    size_t low = 0;
    while (n > 0) {
        size_t half = n / 2;
        if (a[low + half] < key) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low; // n when all are smaller
}
\`\`\`

What to watch:

1. The middle is \`low + n / 2\`, which cannot overflow.
2. Equal keys: this one finds the *first* of them.
   - \`upper_bound\` differs in one sign.

| n | comparisons at most |
|--:|--:|
| 1 000 | 11 |
| 1 000 000 | 21 |

> It needs a sorted range; sorting first costs more than a single linear search.

See [the C standard's bsearch](https://en.cppreference.com/w/c/algorithm/bsearch) for the library's own.`;

const pieces = (text) => text.match(/[\s\S]{1,6}/g) ?? [];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts it; `asked` lists the bodies of chat requests, `gone` counts clients that left before the end. */
export async function startMock({ key = "", models = ["mock-1b", "mock-3b"] } = {}) {
  const state = { asked: [], gone: 0, key, delay: 2, refused: 0 };
  const server = createServer(async (request, response) => {
    const send = (status, type, body, headers = {}) => {
      response.writeHead(status, { "Content-Type": type, ...headers });
      response.end(body);
    };
    const json = (status, value, headers) => send(status, "application/json", JSON.stringify(value), headers);
    let body = "";
    for await (const piece of request) body += piece;
    if (request.url === "/" && /text\/html/.test(request.headers.accept ?? "")) {
      const html = readFileSync(page, "utf8");
      return send(200, "text/html; charset=utf-8", html, { "Content-Security-Policy": `${policyOf(html)}; frame-ancestors 'none'` });
    }
    if (request.url === "/health") return json(200, { status: "ok" });
    if (state.key && request.headers.authorization !== `Bearer ${state.key}`) {
      state.refused++;
      return json(401, { error: { message: "this server wants an API key; send it as Authorization: Bearer KEY", type: "authentication_error" } });
    }
    if (request.url === "/v1/models")
      return json(200, { object: "list", data: models.map((id) => ({ id, object: "model", created: 0, owned_by: "pith", meta: { n_ctx: 4096 } })) });
    if (request.url === "/tokenize") return json(200, { tokens: JSON.parse(body).content.split(/\s+/).map((_, i) => i) });
    if (request.url !== "/v1/chat/completions") return json(404, { error: { message: "no such route", type: "not_found_error" } });

    const ask = JSON.parse(body);
    state.asked.push(ask);
    const words = String(ask.messages.findLast((m) => m.role === "user" || m.role === "tool")?.content ?? "");
    if (words.includes("be busy")) return json(503, { error: { message: "all 4 places are taken", type: "unavailable_error" } }, { "Retry-After": "2" });
    if (words.includes("be too long"))
      return json(400, { error: { message: "the messages have 9000 tokens, and the context holds 4096", type: "exceed_context_size_error" } });
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    let left = false;
    response.on("close", () => {
      if (!response.writableEnded) {
        left = true;
        state.gone++;
      }
    });
    const base = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: ask.model };
    let n = 0;
    const put = async (delta, finish = null) => {
      if (left) return;
      n++;
      response.write(`data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
      await sleep(state.delay);
    };
    const say = async (text) => {
      for (const piece of pieces(text)) {
        if (left) return;
        await put({ content: piece });
      }
    };
    await put({ role: "assistant", content: null });
    let finish = "stop";
    if (words.includes("be endless")) {
      while (!left) await say("on and on ");
      return;
    } else if (words.includes("be cut")) {
      await say("This sentence will not");
      await sleep(200); // what was sent has been read
      return response.destroy();
    } else if (words.includes("fail inside")) {
      await say("So far so good");
      response.write(`data: ${JSON.stringify({ error: { message: "the model ran out of memory", type: "server_error" } })}\n\n`);
      return response.end();
    } else if (words.includes("think")) {
      for (const piece of pieces("The person wants a number. **Two** and two are four.")) await put({ reasoning_content: piece });
      await say("Four.");
    } else if (words.includes("use a tool")) {
      await put({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "get_weather", arguments: "" } }] });
      for (const piece of ['{"city":', '"Wien"', ',"days":3}']) await put({ tool_calls: [{ index: 0, function: { arguments: piece } }] });
      finish = "tool_calls";
    } else if (words.includes("be deep")) {
      for (let i = 0; i < 20; i++) await put({ content: "> ".repeat(5000) });
    } else if (words.includes("be hostile")) await say(hostile);
    else if (words.includes("binary search")) await say(showcase);
    else if (words.includes("be long")) await say(Array.from({ length: 60 }, (_, i) => `Paragraph ${i + 1} of a long answer.`).join("\n\n"));
    else await say(`You said: ${words}`);
    await put({}, finish);
    const usage = { prompt_tokens: 12, completion_tokens: n, total_tokens: 12 + n, prompt_tokens_details: { cached_tokens: 4 } };
    response.write(`data: ${JSON.stringify({ ...base, choices: [], usage })}\n\ndata: [DONE]\n\n`);
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    state,
    url: `http://127.0.0.1:${port}/`,
    port,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
    /** The same port again, after stop. */
    restart: () => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve)),
  };
}
