// Faults that crashed other implementations. `npm run soak` repeats FT-52 and FT-54 for longer.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket, closeBody, event, frame, opened, serve, test, turn } from './support.mjs';
import { churn, echo, exits, grown, watch, workers } from './soak.mjs';

test('FT-50 buffers that are changed, detached, resized or shared after send()', async (t) => {
  let received = 0;
  const trials = 100_000;
  const socket = await opened(t, async (peer) => {
    for (let next = await peer.frame(); next.opcode !== 8; next = await peer.frame()) {
      assert.ok(next.payload.every((byte) => byte === next.payload.length % 251));
      received += 1;
    }
    peer.close(1000);
    peer.socket.end();
  });
  for (let i = 0; i < trials; i += 1) {
    const size = i % 1000;
    const bytes = new Uint8Array(size).fill(size % 251);
    socket.send(i % 2 ? bytes : bytes.buffer);
    bytes.fill(250);
    if (i % 3 === 0) structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    if (i % 50 === 0) await turn();
  }
  socket.close();
  await event(socket, 'close');
  assert.equal(received, trials);
});

test('FT-51 failures without listeners', async (t) => {
  const failures = [
    (peer) => peer.socket.destroy(),
    (peer) => peer.socket.resetAndDestroy(),
    (peer) => peer.write('HTTP/1.1 500 No\r\n\r\n'),
    (peer) => peer.write(Buffer.alloc(100_000, 0x41)),
    ...[frame(3), frame(1, Buffer.from([0xff])), frame(8, Buffer.from([1])), frame(0), frame(9, Buffer.alloc(126)), frame(1, Buffer.from('x'), { rsv: 4 }), frame(8, closeBody(1005)), Buffer.from([0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])].map(
      (bytes) => (peer) => peer.write(Buffer.concat([Buffer.from(peer.response()), bytes])),
    ),
  ];
  const server = await serve(t, async (peer) => {
    await peer.request();
    const number = Number(peer.line.match(/\d+/)[0]);
    failures[number](peer);
    peer.socket.end();
  });
  const source = `
    const { WebSocket, WebSocketStream } = require(${JSON.stringify(fileURLToPath(new URL('../lib/index.js', import.meta.url)))});
    const urls = ['ws://127.0.0.1:9/', 'ws://127.0.0.1:1025/', 'ws://host.invalid/'];
    for (let i = 0; i < ${failures.length}; i += 1) urls.push('${server.url}' + i);
    for (const url of urls) { new WebSocket(url); new WebSocketStream(url); }
    setTimeout(() => {}, 300);`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const [code, signal] = await once(child, 'close');
  assert.deepEqual([code, signal, output], [0, null, '']);
});

test('FT-52 terminated workers and exiting processes', async (t) => {
  // Many of them end before they send a request.
  const server = await serve(t, (peer) => peer.accept().then(() => peer.echo(), () => {}));
  await workers(server.url, 60);
  await exits(server.url, 3);
});

test('FT-53 every method in every state, with values that throw', async (t) => {
  class Mine extends Error {}
  const throws = () => {
    throw new Mine();
  };
  const values = [
    undefined, null, true, -1, 1e300, NaN, 5n, Symbol('x'), '', '\ud800', [], {}, () => {},
    { toString: throws }, { valueOf: throws, toString: throws }, { [Symbol.toPrimitive]: throws },
    new Proxy({}, { get: throws, getPrototypeOf: throws, has: throws, ownKeys: throws }),
    { [Symbol.iterator]: throws }, Object.create(null), new SharedArrayBuffer(1),
  ];
  const states = {
    connecting: () => new WebSocket('ws://127.0.0.1:9/'),
    open: () => opened(t),
    closing: async () => {
      const socket = await opened(t);
      socket.close();
      return socket;
    },
    closed: async () => {
      const socket = new WebSocket('ws://127.0.0.1:9/');
      await event(socket, 'close');
      return socket;
    },
    failed: async () => {
      const socket = await opened(t, (peer) => peer.socket.destroy());
      await event(socket, 'close');
      return socket;
    },
  };
  const documented = (error) => error instanceof TypeError || error instanceof DOMException || error instanceof Mine;
  for (const make of Object.values(states)) {
    const socket = await make();
    for (const value of values) {
      const calls = [
        () => socket.send(value), () => socket.close(value, value), () => socket.close(value), () => socket.close(3000, value),
        () => socket.addEventListener(value, value, value), () => socket.removeEventListener(value, value, value),
        () => socket.dispatchEvent(value), () => (socket.binaryType = value), () => (socket.onmessage = value),
        () => new WebSocket(value), () => new WebSocket('ws://127.0.0.1:9/', value), () => new WebSocket('ws://127.0.0.1:9/', [], value),
        () => new WebSocket('ws://127.0.0.1:9/', { headers: value, tls: value, proxy: value }),
        () => [socket.url, socket.readyState, socket.bufferedAmount, socket.extensions, socket.protocol],
      ];
      for (const call of calls) {
        try {
          call();
        } catch (error) {
          assert.ok(documented(error), `${call}: ${error?.stack}`);
        }
      }
      await socket.ping().catch((error) => assert.ok(documented(error)));
    }
  }
});

test('FT-54 memory use stays flat while messages are echoed', async () => {
  assert.deepEqual(grown(await watch((url) => echo(url, 5_000))), []);
});

test('FT-54 memory use stays flat while sockets open and close', async () => {
  assert.deepEqual(grown(await watch((url) => churn(url, 100))), []);
});
