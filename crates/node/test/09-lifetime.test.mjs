import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { WebSocket, deferred, event, opened, serve, test, turn, until } from './support.mjs';

const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));

/** Runs a script in a process of its own. Resolves with its exit code and output. */
async function script(t, source, ...args) {
  const child = spawn(process.execPath, ['--expose-gc', '-e', source, index, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, output };
}

const start = `
  const [index, url] = process.argv.slice(globalThis.Deno ? 2 : 1);
  const { WebSocket, WebSocketStream } = require(index);
`;

/** Starts a server that records the body of the Close it receives. */
async function closes(t) {
  const bodies = [];
  const server = await serve(t, async (peer) => {
    // A process may end before it sends its request.
    if (!(await peer.accept().catch(() => undefined))) return;
    for (let next = await peer.frame(); next !== undefined; next = await peer.frame()) {
      if (next.opcode !== 8) continue;
      bodies.push(next.payload);
      peer.write(Buffer.concat([Buffer.from([0x88, next.payload.length]), next.payload]));
      break;
    }
    peer.socket.end();
  });
  return { ...server, bodies };
}

/** Collects garbage until the condition holds. An object that the condition reads by `deref` lives until the next turn. */
const collect = async (condition) => {
  do {
    await turn();
    globalThis.gc();
    await turn();
  } while (!condition());
};

test('9.1 a socket whose listeners could still be called is not collected', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.go = deferred();
    await peer.go.promise;
    peer.text('x');
    await peer.finish();
  });
  const heard = deferred();
  (() => {
    new WebSocket(server.url).onmessage = function ({ data }) {
      this.onclose = () => heard.resolve(data);
      this.onmessage = null;
      this.close();
    };
  })();
  await until(() => server.peers[0]?.go);
  for (let i = 0; i < 10; i += 1) {
    globalThis.gc();
    await turn();
  }
  server.peers[0].go.resolve();
  assert.equal(await heard.promise, 'x');
});

test('9.1 a socket with unsent data is not collected', async (t) => {
  let bytes = 0;
  const held = deferred();
  const server = await serve(t, async (peer) => {
    await peer.accept();
    await held.promise;
    for (let next = await peer.frame(); next !== undefined; next = await peer.frame()) {
      if (next.opcode === 8) {
        peer.close();
        break;
      }
      bytes += next.payload.length;
    }
    peer.socket.end();
  });
  await (async () => {
    const socket = new WebSocket(server.url);
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    socket.onopen = null;
    for (let i = 0; i < 20; i += 1) socket.send(new Uint8Array(1 << 20));
  })();
  for (let i = 0; i < 10; i += 1) {
    globalThis.gc();
    await turn();
  }
  held.resolve();
  await collect(() => bytes === 20 << 20);
});

test('9.2 a socket that is collected while open closes without a code', async (t) => {
  const server = await closes(t);
  await (async () => {
    const socket = new WebSocket(server.url);
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    socket.onopen = null;
  })();
  await collect(() => server.bodies.length === 1);
  assert.equal(server.bodies[0].length, 0);
});

test('9.2 closed sockets leave nothing behind', async (t) => {
  const references = [];
  const live = async () => {
    const socket = await opened(t);
    socket.onmessage = () => {};
    references.push(new WeakRef(socket));
    const closed = event(socket, 'close');
    socket.close();
    await closed;
  };
  for (let i = 0; i < 5; i += 1) await live();
  await collect(() => references.every((reference) => reference.deref() === undefined));
});

test('9.3 a socket keeps the process alive only while it has listeners', async (t) => {
  const server = await closes(t);
  const alone = await script(t, `${start} new WebSocket(url);`, server.url);
  assert.deepEqual([alone.code, alone.output], [0, '']);
  const heard = await script(t, `${start} const s = new WebSocket(url); s.onopen = () => setTimeout(() => s.close(3000), 50).unref(); s.onclose = (e) => console.log(e.code);`, server.url);
  assert.deepEqual([heard.code, heard.output], [0, '3000\n']);
  const opened = await script(t, `${start} const s = new WebSocket(url); s.onopen = () => console.log('open');`, server.url);
  assert.deepEqual([opened.code, opened.output], [0, 'open\n']);
});

test('9.3 process.exit() closes sockets with 1001', async (t) => {
  const server = await closes(t);
  for (let i = 0; i < 3; i += 1) {
    const { code, output } = await script(t, `${start} const s = new WebSocket(url); s.onopen = () => process.exit(7);`, server.url);
    assert.deepEqual([code, output], [7, '']);
  }
  await until(() => server.bodies.length === 3);
  assert.deepEqual(server.bodies.map((body) => body.readUInt16BE()), [1001, 1001, 1001]);
});

test('9.3 worker.terminate() closes sockets with 1001', async (t) => {
  const server = await closes(t);
  for (let i = 0; i < 3; i += 1) {
    const worker = new Worker(
      `const { WebSocket } = require(${JSON.stringify(index)}); const { parentPort } = require('node:worker_threads');
       const s = new WebSocket(${JSON.stringify(server.url)}); s.onopen = () => parentPort.postMessage('open'); s.onclose = () => {};`,
      { eval: true },
    );
    await once(worker, 'message');
    await worker.terminate();
  }
  await until(() => server.bodies.length === 3);
  assert.deepEqual(server.bodies.map((body) => body.readUInt16BE()), [1001, 1001, 1001]);
});
