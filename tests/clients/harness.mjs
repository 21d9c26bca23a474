// harness: what the npm client tests share: the server's address, the packages, TAP.
import { createRequire } from 'node:module';
import path from 'node:path';

export const url = process.env.PITH_URL;
// The packages lie in the cache folder, not beside this file.
export const need = createRequire(path.join(process.env.PITH_CLIENTS_NPM, 'package.json'));

const cases = [];
export const test = (name, fn) => cases.push([name, fn]);

export async function run() {
  let failed = 0;
  console.log(`1..${cases.length}`);
  for (const [i, [name, fn]] of cases.entries()) {
    const start = performance.now();
    try {
      await fn();
      console.log(`ok ${i + 1} ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok ${i + 1} ${name}`);
      console.error(error);
    }
    console.error(`# ${name}: ${((performance.now() - start) / 1000).toFixed(2)} s`);
  }
  process.exit(failed ? 1 : 0);
}

export async function rejects(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a failure, got an answer');
}

// Waits until no request runs any more: one that was left is noticed.
export async function idle() {
  for (let i = 0; i < 500; i++) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const running = [...text.matchAll(/^pith_answers_running(?:\{.*\})? (\S+)$/gm)];
    if (running.length && running.every((m) => Number(m[1]) === 0)) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error('requests still run');
}
