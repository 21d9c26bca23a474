// browser: the page in headless Chromium, against the test's own server (mock.mjs) and against `pith serve` with a real
// model. Each case has a browser context and a server of its own, so nothing is left over from another.
//   node test/browser.mjs [WORDS]      runs the cases whose names hold these words
import { start, stop } from "./harness.mjs";
import { runAll } from "./lanes.mjs";
import "./cases/chat.mjs";
import "./cases/looks.mjs";
import "./cases/pith.mjs";

let good = false;
try {
  await start();
  good = await runAll(3, process.argv[2]);
} catch (error) {
  console.log(`not ok - the browser and the program start\n${String(error.stack).replace(/^/gm, "  ")}`);
} finally {
  await stop();
}
process.exit(good ? 0 : 1);
