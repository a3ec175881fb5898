// Long runs: `npm run soak` echoes a million messages, opens and closes 100,000 sockets, and terminates 3,000 workers.
// Fails if memory grows, if a file stays open, or if anything crashes. Needs --expose-gc.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { WebSocket, event } from './support.mjs';

const MIB = 1 << 20;
/** How much each figure may grow between the first tenth of a run and its end. */
const ALLOWED = { heapUsed: 2 * MIB, external: 2 * MIB, rss: 24 * MIB, files: 0 };
const FILES = '/proc/self/fd';

/**
 * Sockets connect to this many addresses in turn, because only one at a time connects to the same address. Other systems
 * than Linux have only 127.0.0.1.
 */
const ADDRESSES = process.platform === 'linux' ? 16 : 1;

/** Calls `tenth(url)` ten times, with the URL of an echo server. Returns what is in use after the first and the last call. */
export async function watch(tenth) {
  const path = fileURLToPath(new URL('./workers/echo.mjs', import.meta.url));
  const server = spawn(process.execPath, [path, ADDRESSES], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = await once(createInterface(server.stdout), 'line');
    const url = `ws://127.0.0.1:${port}/`;
    await tenth(url);
    const first = await measure();
    for (let done = 1; done < 10; done += 1) await tenth(url);
    return { first, last: await measure() };
  } finally {
    server.kill();
  }
}

async function measure() {
  for (let i = 0; i < 5; i += 1) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapUsed, external, rss, files: existsSync(FILES) ? readdirSync(FILES).length : 0 };
}

/** Returns the names of the figures that grew by more than is allowed. */
export const grown = ({ first, last }) => Object.keys(ALLOWED).filter((name) => last[name] - first[name] > ALLOWED[name]);

/** Echoes `count` messages of several kinds on one socket, 64 at a time. */
export async function echo(url, count) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  await event(socket, 'open');
  const payloads = ['x'.repeat(64), new Uint8Array(64), 'ä'.repeat(500), new Uint8Array(2000)];
  await new Promise((resolve) => {
    let sent = 0;
    let received = 0;
    const send = () => {
      socket.send(payloads[sent % payloads.length]);
      sent += 1;
    };
    socket.onmessage = () => {
      received += 1;
      if (sent < count) send();
      // Adds and removes listeners as well.
      const listener = () => {};
      socket.addEventListener('message', listener);
      socket.removeEventListener('message', listener);
      if (received === count) resolve();
    };
    for (let i = 0; i < Math.min(count, 64); i += 1) send();
  });
  socket.close();
  await event(socket, 'close');
}

/** Opens `count` sockets, 32 at a time. Each echoes a message and closes. */
export async function churn(url, count) {
  let started = 0;
  const one = async () => {
    while (started < count) {
      started += 1;
      const socket = new WebSocket(url.replace('127.0.0.1', `127.0.0.${1 + (started % ADDRESSES)}`));
      socket.onopen = () => socket.send('hello');
      socket.onmessage = () => socket.close(3000, 'done');
      const { code, wasClean } = await event(socket, 'close');
      assert.deepEqual({ code, wasClean }, { code: 3000, wasClean: true });
    }
  };
  await Promise.all(Array.from({ length: 32 }, one));
}

const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));

/** A script with sockets in all states: connecting, open with messages in flight, closing, and a stream. */
const script = (url, then) => `
  const { WebSocket, WebSocketStream } = require(${JSON.stringify(index)});
  const url = ${JSON.stringify(url)};
  const open = new WebSocket(url);
  open.onopen = () => {
    for (let i = 0; i < 100; i += 1) open.send('x'.repeat(i * 10));
    open.send(new Blob(['blob']));
    const closing = new WebSocket(url);
    closing.onopen = () => { closing.close(); new WebSocket(url); new WebSocketStream(url); ${then} };
  };
  open.onmessage = () => {};`;

/** Terminates workers, three at a time; the first of three at a random moment. */
export async function workers(url, count) {
  const ready = `require('node:worker_threads').parentPort.postMessage('ready');`;
  for (let done = 0; done < count; done += 3) {
    const three = Array.from({ length: 3 }, () => new Worker(script(url, ready), { eval: true }));
    const failed = three.map((worker) => once(worker, 'error').then(([error]) => { throw error; }));
    const isReady = once(three[1], 'message');
    const soon = new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    await Promise.race([soon, ...failed]);
    await three[0].terminate();
    await Promise.race([isReady, ...failed]);
    await Promise.all(three.map((worker) => worker.terminate()));
    failed.forEach((promise) => promise.catch(() => {}));
  }
}

/** Runs processes that call process.exit(), every second one immediately. */
export async function exits(url, count) {
  for (let done = 0; done < count; done += 1) {
    const then = done % 2 ? 'process.exit(0);' : 'setTimeout(() => process.exit(0), 5);';
    const child = spawn(process.execPath, ['-e', script(url, then)], { stdio: 'inherit' });
    const [code, signal] = await once(child, 'close');
    assert.deepEqual([code, signal], [0, null]);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const part = Number(process.argv[2] ?? 1);
  const runs = [
    ['messages echoed', echo, 1_000_000],
    ['sockets opened and closed', churn, 100_000],
    ['workers terminated', workers, 3_000],
  ];
  const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;
  const shown = ({ heapUsed, external, rss, files }) =>
    `heap ${mib(heapUsed)}, external ${mib(external)}, resident ${mib(rss)}, ${files} open files`;
  console.log(`Node.js ${process.version}. In use after the first tenth of each run, and at its end:\n`);
  for (const [what, run, all] of runs) {
    const tenth = Math.ceil((all * part) / 10);
    const start = performance.now();
    const used = await watch((url) => run(url, tenth));
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(`${(tenth * 10).toLocaleString('en')} ${what} in ${seconds} s`);
    console.log(`  ${shown(used.first)}\n  ${shown(used.last)}`);
    for (const name of grown(used)) {
      console.log(`  ${name} grew by too much`);
      process.exitCode = 1;
    }
  }
}
