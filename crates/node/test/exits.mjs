// Programs that send and then end. `npm run exits` runs a thousand of them in ten variants. What they sent must arrive,
// and the Close must have the requested code.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { frame, serve } from './support.mjs';

const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));
const MIB = 1 << 20;

/** Programs, and the behaviour of their server: it may send all the time, read slowly, or never answer the Close. */
export const variants = {
  'sends and closes, while the server sends': {
    program: `const s = new WebSocket(url); s.onopen = () => { three(s); s.close(4001); };`,
    server: { talks: true },
    code: 4001,
  },
  'sends and ends without closing, while the server sends': {
    program: `const s = new WebSocket(url); s.onopen = () => three(s);`,
    server: { talks: true },
    code: 1001,
  },
  'sends megabytes to a slow server and closes': {
    program: `const s = new WebSocket(url); s.onopen = () => { megabytes(s); s.close(1000, 'done'); };`,
    server: { delay: 5 },
    messages: 64,
    bytes: 4 * MIB,
    code: 1000,
  },
  'sends megabytes to a slow server that sends, and ends': {
    program: `const s = new WebSocket(url); s.onopen = () => megabytes(s);`,
    server: { delay: 45, talks: true }, // longer than the timeout of an ending environment
    messages: 64,
    bytes: 4 * MIB,
    code: 1001,
  },
  'sends and closes, and the server never answers the Close': {
    program: `const s = new WebSocket(url, { closeTimeout: 100 }); s.onopen = () => { three(s); s.close(4001); };`,
    server: { isMute: true },
    code: 4001,
  },
  'sends and calls process.exit(), while the server sends': {
    program: `const s = new WebSocket(url); s.onopen = () => { three(s); process.exit(7); };`,
    server: { talks: true },
    code: 1001,
    exitCode: 7,
  },
  'sends, closes and calls process.exit()': {
    program: `const s = new WebSocket(url); s.onopen = () => { three(s); s.close(4001); process.exit(7); };`,
    server: { talks: true },
    code: 4001,
    exitCode: 7,
  },
  'sends in a worker that is terminated': {
    program: `const { Worker } = require('node:worker_threads');
      const worker = new Worker(prelude + "const s = new WebSocket(url); s.onopen = () => { three(s); require('node:worker_threads').parentPort.postMessage(0); }; s.onclose = () => {};", { eval: true });
      worker.on('message', () => worker.terminate());`,
    server: { talks: true },
    code: 1001,
  },
  'writes to a stream and closes its writer': {
    program: `new WebSocketStream(url).opened.then(({ writable }) => {
      const writer = writable.getWriter(); for (const x of 'abc') writer.write(x); writer.close(); });`,
    server: { talks: true },
    code: undefined,
  },
  'sends Blobs and closes': {
    program: `const s = new WebSocket(url); s.onopen = () => { for (const x of 'abc') s.send(new Blob([x])); s.close(4001); };`,
    server: { talks: true },
    code: 4001,
  },
};

/** Reads until the Close, and returns what arrived. */
async function receive(peer, { talks, delay, isMute }) {
  const got = { messages: 0, bytes: 0, code: undefined, hasClose: false };
  await peer.accept();
  let talking = talks === true;
  const talk = () => {
    if (!talking || peer.socket.destroyed) return;
    for (let i = 0; i < 20 && !peer.socket.writableNeedDrain; i += 1) peer.socket.write(frame(2, Buffer.alloc(1000)));
    setImmediate(talk);
  };
  talk();
  for (let next = await peer.frame(); next !== undefined; next = await peer.frame()) {
    if (next.opcode === 8) {
      got.hasClose = true;
      if (next.payload.length > 0) got.code = next.payload.readUInt16BE();
      talking = false;
      if (isMute) continue; // until the client gives up
      peer.write(frame(8, next.payload));
      break;
    }
    got.messages += 1;
    got.bytes += next.payload.length;
    if (delay !== undefined) await new Promise((resolve) => setTimeout(resolve, delay));
  }
  peer.socket.end();
  return got;
}

/** Runs the program of a variant once, and checks what its server received. */
export async function run(t, name) {
  const { program, server: behaviour, messages = 3, bytes = 3, code, exitCode = 0 } = variants[name];
  let received;
  const server = await serve(t, (peer) => {
    received = receive(peer, behaviour);
    return received;
  });
  const prelude = `const { WebSocket, WebSocketStream } = require(${JSON.stringify(index)}); const url = ${JSON.stringify(server.url)};
    const three = (s) => { for (const x of 'abc') s.send(x); };
    const megabytes = (s) => { for (let i = 0; i < 64; i += 1) s.send(new Uint8Array(${MIB / 16})); };\n`;
  const source = `${prelude} const prelude = ${JSON.stringify(prelude)};\n${program}`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const ended = await once(child, 'close');
  assert.deepEqual([...ended, output], [exitCode, null, ''], name);
  assert.deepEqual(await received, { messages, bytes, code, hasClose: true }, name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = Number(process.argv[2] ?? 1000);
  const names = Object.keys(variants);
  let done = 0;
  let failed = 0;
  const one = async () => {
    while (done < count) {
      const name = names[done % names.length];
      done += 1;
      if (done % 100 === 0) console.log(`${done} programs, ${failed} failed`);
      const after = [];
      try {
        await run({ after: (clean) => after.push(clean) }, name);
      } catch (error) {
        failed += 1;
        console.log(error.message);
      }
      for (const clean of after) await Promise.resolve(clean()).catch((error) => console.log(error.message));
    }
  };
  await Promise.all(Array.from({ length: 4 }, one));
  console.log(`${done} programs in ${names.length} variants: ${failed} lost something`);
  process.exitCode = failed === 0 ? 0 : 1;
}
