// Memory under load: `npm run memory` echoes a million messages. Fails unless heap, external and resident memory stay
// flat. Needs --expose-gc.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket, event } from './support.mjs';

const MIB = 1 << 20;
/** How much memory use may grow between the first tenth of the messages and the last. */
const ALLOWED = { heapUsed: 2 * MIB, external: 2 * MIB, rss: 24 * MIB };

/** Echoes `messages` messages of several kinds. Returns the growth between the first tenth and the end. */
export async function grow(messages, log = () => {}) {
  const path = fileURLToPath(new URL('./workers/echo.mjs', import.meta.url));
  const server = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = await once(createInterface(server.stdout), 'line');
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.binaryType = 'arraybuffer';
    await event(socket, 'open');
    const payloads = ['x'.repeat(64), new Uint8Array(64), 'ä'.repeat(500), new Uint8Array(2000)];
    const window = 64;
    let first;
    for (let done = 0; done < messages; ) {
      done += await echo(socket, payloads, window, messages / 10);
      const used = await measure();
      first ??= used;
      log(done, used);
    }
    const last = await measure();
    socket.close();
    await event(socket, 'close');
    return Object.fromEntries(Object.keys(ALLOWED).map((kind) => [kind, last[kind] - first[kind]]));
  } finally {
    server.kill();
  }
}

/** Returns the entries that grew by more than is allowed. */
export const excess = (grown) => Object.entries(ALLOWED).filter(([kind, most]) => grown[kind] > most);

function echo(socket, payloads, window, count) {
  return new Promise((resolve) => {
    let sent = 0;
    let received = 0;
    const send = () => {
      socket.send(payloads[sent % payloads.length]);
      sent += 1;
    };
    socket.onmessage = () => {
      received += 1;
      if (sent < count) send();
      if (received === sent) resolve(received);
    };
    // Adds and removes listeners as well.
    const listener = () => socket.removeEventListener('message', listener);
    socket.addEventListener('message', listener);
    for (let i = 0; i < window; i += 1) send();
  });
}

async function measure() {
  for (let i = 0; i < 5; i += 1) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const messages = Number(process.argv[2] ?? 1_000_000);
  const mib = (bytes) => `${(bytes / MIB).toFixed(2)} MiB`;
  const grown = await grow(messages, (done, { heapUsed, external, rss }) =>
    console.log(`${done}: heap ${mib(heapUsed)}, external ${mib(external)}, resident ${mib(rss)}`),
  );
  for (const [kind, bytes] of Object.entries(grown)) console.log(`${kind} grew by ${mib(bytes)}`);
  process.exitCode = excess(grown).length === 0 ? 0 : 1;
}
