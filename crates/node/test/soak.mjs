// Environments that end while sockets are open: `npm run soak` runs a thousand workers and a thousand processes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));

/** Sockets in all states: connecting, open with messages in flight, closing, and a stream. */
const source = (url, then) => `
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

export async function teardown(url, { workers, exits }, log = () => {}) {
  const random = (most) => Math.floor(Math.random() * most);
  for (let done = 0; done < workers; done += 1) {
    // Three workers at once; the first is terminated at a random moment.
    const ready = `require('node:worker_threads').parentPort.postMessage('ready');`;
    const three = Array.from({ length: 3 }, () => new Worker(source(url, ready), { eval: true }));
    const failed = three.map((worker) => once(worker, 'error').then(([error]) => { throw error; }));
    const isReady = once(three[1], 'message');
    const soon = new Promise((resolve) => setTimeout(resolve, random(60)));
    await Promise.race([soon, ...failed]);
    await three[0].terminate();
    await Promise.race([isReady, ...failed]);
    await Promise.all(three.map((worker) => worker.terminate()));
    failed.forEach((promise) => promise.catch(() => {}));
    if (done % 100 === 99) log(`${done + 1} cycles of three workers`);
  }
  for (let done = 0; done < exits; done += 1) {
    const then = done % 2 ? 'process.exit(0);' : 'setTimeout(() => process.exit(0), 5);';
    const child = spawn(process.execPath, ['-e', source(url, then)], { stdio: 'inherit' });
    const [code, signal] = await once(child, 'close');
    assert.deepEqual([code, signal], [0, null]);
    if (done % 100 === 99) log(`${done + 1} processes`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = Number(process.argv[2] ?? 1000);
  const path = fileURLToPath(new URL('./workers/echo.mjs', import.meta.url));
  const server = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = await once(createInterface(server.stdout), 'line');
    await teardown(`ws://127.0.0.1:${port}/`, { workers: count, exits: count }, console.log);
  } finally {
    server.kill();
  }
}
