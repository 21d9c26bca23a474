// lanes: runs cases side by side, as most of their time is waiting, and prints flat TAP in the order of the cases.
const cases = [];

/** A case; `skip` is a reason, or false. */
export function test(name, { skip = false, timeout = 120_000 }, body) {
  cases.push({ name, skip, timeout, body });
}

async function run({ name, skip, timeout, body }) {
  if (skip) return `ok - ${name} # SKIP ${skip}`;
  let timer;
  const began = Date.now();
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`took more than ${timeout} ms`)), timeout)));
  try {
    await Promise.race([body(), late]);
    return process.env.PITH_UI_TIMES ? `ok - ${name} (${Date.now() - began} ms)` : `ok - ${name}`;
  } catch (error) {
    return `not ok - ${name}\n${String(error?.stack ?? error).replace(/\u001b\[\d+m/g, "").replace(/^/gm, "  ")}`;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs those whose names hold `words`; true when none failed. */
export async function runAll(n, words = "") {
  const chosen = cases.filter((c) => c.name.includes(words));
  const results = [];
  let next = 0;
  let printed = 0;
  const lane = async () => {
    while (next < chosen.length) {
      const i = next++;
      results[i] = await run(chosen[i]);
      for (; results[printed] !== undefined; printed++) console.log(results[printed]);
    }
  };
  console.log(`1..${chosen.length}`);
  await Promise.all(Array.from({ length: n }, lane));
  return results.every((r) => r.startsWith("ok"));
}
