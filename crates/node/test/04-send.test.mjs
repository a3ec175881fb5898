import assert from 'node:assert/strict';
import { WebSocket, deferred, echoing, event, opened, serve, test, throwsDom, turn, until, untilClosed } from './support.mjs';

/** Returns an open socket and a list of the messages that its server receives. */
async function collecting(t) {
  const received = [];
  const socket = await opened(t, async (peer) => {
    for (let next = await peer.frame(); next !== undefined; next = await peer.frame()) {
      if (next.opcode === 8) {
        received.push(['close', next.payload]);
        peer.close(1000);
        break;
      }
      received.push(next.opcode === 1 ? next.payload.toString() : next.payload);
    }
    peer.socket.end();
  });
  return { socket, received };
}

/** Sends the values, and returns what the server receives. */
async function sent(t, ...values) {
  const { socket, received } = await collecting(t);
  for (const value of values) assert.equal(socket.send(value), undefined);
  socket.close();
  await event(socket, 'close');
  return received.slice(0, -1);
}

test('4.1 while CONNECTING every type is an InvalidStateError', async (t) => {
  const { url } = await echoing(t);
  const socket = new WebSocket(url);
  for (const value of ['x', new Uint8Array(1), new ArrayBuffer(1), new SharedArrayBuffer(1), new Blob(['x']), null, 5]) {
    throwsDom(assert, () => socket.send(value), 'InvalidStateError');
  }
  // The argument is converted before the state is checked.
  assert.throws(() => socket.send({ toString() { throw new RangeError('mine'); } }), RangeError);
  assert.throws(() => socket.send(new Uint8Array(new SharedArrayBuffer(1))), TypeError);
  assert.throws(() => socket.send(Symbol('x')), TypeError);
  assert.equal(socket.bufferedAmount, 0);
  await event(socket, 'open');
  socket.close();
});

test('4.2 buffers, views and Blobs are sent as binary', async (t) => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const types = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView, globalThis.Float16Array].filter(Boolean);
  const views = types.map((type) => new type(bytes.slice().buffer));
  const got = await sent(t, bytes.slice().buffer, ...views, Buffer.from(bytes), new Blob([bytes]));
  assert.equal(got.length, types.length + 3);
  for (const one of got) assert.deepEqual([...one], [...bytes]);
});

test('4.2 everything else is sent as a string', async (t) => {
  const error = new Error('mine');
  const values = [null, undefined, 1, -0, 1.5, NaN, true, 10n, {}, [1, [2]], () => 1, error, new Date(0), /x/];
  assert.deepEqual(await sent(t, ...values), values.map((value) => `${value}`));
});

test('4.3 lone surrogates become U+FFFD', async (t) => {
  const values = ['a\ud800b', '\udc00', '\ud800\ud800', '\ud83d\ude00', '\ude00\ud83d', 'ä€', { toString: () => '\ud900' }, '\0'];
  assert.deepEqual(await sent(t, ...values), values.map((value) => `${value}`.toWellFormed()));
});

test('4.4 a view sends only its own bytes', async (t) => {
  const { buffer } = Uint8Array.from({ length: 16 }, (_, i) => i);
  const got = await sent(t, new Uint8Array(buffer, 3, 2), new Uint16Array(buffer, 4, 1), new DataView(buffer, 5, 3), new Uint8Array(buffer, 16), new DataView(buffer, 7));
  assert.deepEqual(got.map((bytes) => [...bytes]), [[3, 4], [4, 5], [5, 6, 7], [], [7, 8, 9, 10, 11, 12, 13, 14, 15]]);
});

test('4.5 empty messages', async (t) => {
  const got = await sent(t, '', new ArrayBuffer(0), new Blob([]), new Uint8Array(0));
  assert.deepEqual(got.map((value) => [typeof value, value.length]), [['string', 0], ['object', 0], ['object', 0], ['object', 0]]);
});

test('4.6 resizable buffers and views of shared ones are TypeErrors, a detached one is empty', async (t) => {
  const { socket, received } = await collecting(t);
  const shared = new SharedArrayBuffer(4);
  const resizable = new ArrayBuffer(4, { maxByteLength: 8 });
  const growable = new SharedArrayBuffer(4, { maxByteLength: 8 });
  assert.throws(() => socket.send(resizable), TypeError);
  for (const buffer of [shared, resizable, growable]) {
    assert.throws(() => socket.send(new Uint8Array(buffer)), TypeError);
    assert.throws(() => socket.send(new DataView(buffer)), TypeError);
  }
  const detached = new ArrayBuffer(4);
  const views = [new Uint8Array(detached, 1), new DataView(detached, 1)];
  structuredClone(detached, { transfer: [detached] });
  for (const value of [detached, ...views]) socket.send(value);
  assert.equal(socket.bufferedAmount, 0);
  socket.close();
  await event(socket, 'close');
  assert.deepEqual(received.slice(0, -1).map((bytes) => [...bytes]), [[], [], []]);
});

// FN-20: Web IDL has no type for it, so it is converted to a string.
test('4.6 a SharedArrayBuffer is sent as a string', async (t) => {
  const { socket, received } = await collecting(t);
  socket.send(new SharedArrayBuffer(4));
  socket.close();
  await event(socket, 'close');
  assert.equal(received[0], '[object SharedArrayBuffer]');
});

test('4.6 an object that only looks like a buffer or a Blob is sent as a string', async (t) => {
  const values = [
    { byteLength: 4, buffer: new ArrayBuffer(4) },
    Object.create(Uint8Array.prototype, { toString: { value: () => 'not an array' } }),
    Object.create(Blob.prototype, { toString: { value: () => 'not a blob' } }),
    new Proxy(new ArrayBuffer(4), { get: (target, name) => (name === Symbol.toPrimitive ? () => 'a proxy' : undefined) }),
  ];
  assert.deepEqual(await sent(t, ...values), ['[object Object]', 'not an array', 'not a blob', 'a proxy']);
});

test('4.6 overridden properties of a view are ignored', async (t) => {
  const lying = Uint8Array.of(1, 2, 3);
  for (const name of ['buffer', 'byteOffset', 'byteLength', 'length']) Object.defineProperty(lying, name, { value: 7 });
  assert.deepEqual((await sent(t, lying)).map((bytes) => [...bytes]), [[1, 2, 3]]);
});

test('4.7 the bytes are those at the time of the call', async (t) => {
  const bytes = Uint8Array.of(1, 2, 3);
  const big = new Uint8Array(1 << 20).fill(1);
  const { socket, received } = await collecting(t);
  socket.send(bytes);
  socket.send(bytes.buffer);
  socket.send(big);
  bytes.fill(9);
  big.fill(9);
  structuredClone(big.buffer, { transfer: [big.buffer] });
  socket.close();
  await event(socket, 'close');
  assert.deepEqual(received.slice(0, 2).map((got) => [...got]), [[1, 2, 3], [1, 2, 3]]);
  assert.ok(received[2].length === 1 << 20 && received[2].every((byte) => byte === 1));
});

test('4.8 messages keep their order, Blobs included, and the Close is last', async (t) => {
  const { socket, received } = await collecting(t);
  const blob = new Blob(['b'.repeat(300_000)]);
  socket.send('1');
  socket.send(blob);
  socket.send('3');
  socket.send(new Blob(['4']));
  socket.send(Uint8Array.of(5));
  socket.close(3001, 'last');
  const { wasClean } = await event(socket, 'close');
  assert.ok(wasClean);
  assert.deepEqual(received.slice(0, -1).map((value) => value.length), [1, 300_000, 1, 1, 1]);
  assert.deepEqual(received.map((value) => (typeof value === 'string' ? value : undefined)).filter(Boolean), ['1', '3']);
  assert.deepEqual(received.at(-1), ['close', Buffer.from('\x0b\xb9last', 'latin1')]);
});

test('4.9 send() after close() sends nothing, throws nothing, and increases bufferedAmount', async (t) => {
  const { socket, received } = await collecting(t);
  socket.close();
  const before = socket.bufferedAmount;
  assert.equal(socket.send('äb'), undefined);
  assert.equal(socket.bufferedAmount, before + 3);
  socket.send(new Uint8Array(5));
  socket.send(new Blob(['blob']));
  assert.equal(socket.bufferedAmount, before + 12);
  await event(socket, 'close');
  socket.send(new ArrayBuffer(100));
  assert.equal(socket.bufferedAmount, before + 112);
  await turn();
  assert.equal(socket.bufferedAmount, before + 112);
  assert.equal(received.length, 1);
});

test('4.10 bufferedAmount counts payload bytes immediately', async (t) => {
  const { socket } = await collecting(t);
  const expected = [];
  let total = 0;
  for (const [value, size] of [['abc', 3], ['€', 3], ['\ud800', 3], ['\ud83d\ude00', 4], [new ArrayBuffer(7), 7], [new Uint16Array(2), 4], [new Blob(['12345']), 5], ['', 0], ['x'.repeat(65_000), 65_000]]) {
    socket.send(value);
    total += size;
    expected.push(total);
    assert.equal(socket.bufferedAmount, total);
  }
  await until(() => socket.bufferedAmount === 0);
  socket.close();
});

test('4.11 bufferedAmount falls only between tasks', async (t) => {
  const { socket } = await collecting(t);
  const size = 100_000;
  socket.send(new Uint8Array(size));
  // The network takes the bytes during this loop; neither the script nor its microtasks may see it.
  const end = performance.now() + 50;
  while (performance.now() < end) assert.equal(socket.bufferedAmount, size);
  for (let i = 0; i < 100; i += 1) {
    await null;
    assert.equal(socket.bufferedAmount, size);
  }
  await until(() => socket.bufferedAmount === 0);
  socket.close();
});

test('4.12 closing does not reset bufferedAmount', async (t) => {
  const paused = deferred();
  const server = await serve(t, async (peer) => {
    await peer.accept();
    await paused.promise;
    peer.socket.resetAndDestroy();
  });
  const socket = new WebSocket(server.url);
  await event(socket, 'open');
  for (let i = 0; i < 64; i += 1) socket.send(new Uint8Array(1 << 20));
  paused.resolve();
  await untilClosed(socket);
  const left = socket.bufferedAmount;
  assert.ok(left > 0);
  await turn();
  assert.equal(socket.bufferedAmount, left);
  socket.send('more');
  assert.equal(socket.bufferedAmount, left + 4);
});

test('4.13 a full buffer closes the connection', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept(); // and reads nothing
  });
  const socket = new WebSocket(server.url, [], { maxBufferedAmount: 1000 });
  await event(socket, 'open');
  socket.send(new Uint8Array(900));
  socket.send(new Uint8Array(900));
  assert.equal(socket.bufferedAmount, 1800);
  const { names, event: close } = await untilClosed(socket);
  assert.deepEqual([names, close.code, close.wasClean], [['error', 'close'], 1006, false]);
  assert.ok(socket.bufferedAmount >= 900);
});

test('4.14 many large messages to a peer that reads slowly', async (t) => {
  const count = 200;
  let received = 0;
  const socket = await opened(t, async (peer) => {
    peer.socket.pause();
    for (let next = await peer.frame(); next !== undefined; next = await peer.frame()) {
      if (next.opcode === 8) {
        peer.close(1000);
        break;
      }
      assert.equal(next.payload.length, 65_536);
      received += 1;
    }
    peer.socket.end();
  });
  for (let i = 0; i < count; i += 1) socket.send(new Uint8Array(65_536));
  socket.close();
  await event(socket, 'close');
  assert.equal(received, count);
});
