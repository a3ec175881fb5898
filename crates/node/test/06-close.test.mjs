import assert from 'node:assert/strict';
import { WebSocket, closeBody, deferred, echoing, event, opened, serve, test, throwsDom, turn, untilClosed } from './support.mjs';

const NOWHERE = 'ws://127.0.0.1:9/';

/** Returns the body of the Close frame that the server receives, and the close event. */
async function closing(t, ...args) {
  const got = deferred();
  const socket = await opened(t, async (peer) => {
    const { payload } = await peer.frame();
    got.resolve(payload);
    peer.write(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
    peer.socket.end();
  });
  socket.close(...args);
  const close = await event(socket, 'close');
  return { body: await got.promise, close };
}

test('6.1 and 6.2 the code is clamped, rounded to even, and 1000 or 3000 to 4999', async (t) => {
  const socket = await opened(t);
  const bad = [0, 500, NaN, 'string', null, 65_536 + 1000, -1, 999, 1001, 1005, 1006, 2999, 5000, 2999.4, 4999.6, Infinity, -Infinity, {}, true];
  for (const code of bad) throwsDom(assert, () => socket.close(code), 'InvalidAccessError');
  assert.throws(() => socket.close(1000n), TypeError);
  assert.throws(() => socket.close(Symbol('x')), TypeError);
  assert.equal(socket.readyState, 1);
  socket.close();
  const sent = async (code) => (await closing(t, code)).body.readUInt16BE();
  assert.equal(await sent(1000.4), 1000);
  assert.equal(await sent(999.5), 1000);
  assert.equal(await sent(3000.5), 3000);
  assert.equal(await sent(3001.5), 3002);
  assert.equal(await sent(2999.6), 3000);
  assert.equal(await sent('4000'), 4000);
  assert.equal(await sent({ valueOf: () => 4999 }), 4999);
  throwsDom(assert, () => new WebSocket(NOWHERE).close(1000.5 + 1), 'InvalidAccessError');
});

test('6.3 a reason of more than 123 bytes of UTF-8 is a SyntaxError', async (t) => {
  const socket = await opened(t);
  for (const reason of ['x'.repeat(124), '€'.repeat(42), '\ud800'.repeat(42)]) {
    throwsDom(assert, () => socket.close(1000, reason), 'SyntaxError');
  }
  socket.close(1000, '€'.repeat(41));
  const { reason } = await event(socket, 'close');
  assert.equal(reason, '€'.repeat(41));
});

test('6.4 code and reason are checked in every state', async (t) => {
  const check = (socket) => {
    throwsDom(assert, () => socket.close(999), 'InvalidAccessError');
    throwsDom(assert, () => socket.close(1000, 'x'.repeat(124)), 'SyntaxError');
    throwsDom(assert, () => socket.close(999, 'x'.repeat(124)), 'InvalidAccessError');
  };
  const { url } = await echoing(t);
  const socket = new WebSocket(url);
  check(socket);
  await event(socket, 'open');
  check(socket);
  socket.close();
  check(socket);
  await event(socket, 'close');
  check(socket);
});

test('6.5 close(undefined) is the same as close()', async (t) => {
  const { body, close } = await closing(t, undefined, undefined);
  assert.equal(body.length, 0);
  assert.equal(close.code, 1005);
});

test('6.6 closing twice does nothing', async (t) => {
  let frames = 0;
  const socket = await opened(t, async (peer) => {
    for (let next = await peer.frame(); next !== undefined; next = await peer.frame()) {
      frames += 1;
      peer.close(1000);
      peer.socket.end();
    }
  });
  socket.close(3000);
  socket.close(3001);
  socket.onclose = () => socket.close(3002);
  const { code } = await event(socket, 'close');
  socket.close(3003);
  assert.deepEqual([code, frames], [1000, 1]);
});

test('6.7 close() while CONNECTING changes the state at once and fires events in a task', async (t) => {
  const { url } = await serve(t, () => {}); // never answers
  for (const wait of [() => {}, turn]) {
    const socket = new WebSocket(url);
    const fired = [];
    for (const type of ['open', 'message', 'error', 'close']) socket.addEventListener(type, ({ type }) => fired.push(type));
    await wait();
    socket.close(3000, 'ignored');
    assert.equal(socket.readyState, 2);
    assert.deepEqual(fired, []);
    for (let i = 0; i < 10; i += 1) await null;
    assert.deepEqual(fired, []);
    const { code, reason, wasClean } = await event(socket, 'close');
    assert.deepEqual([fired, code, reason, wasClean], [['error', 'close'], 1006, '', false]);
    assert.equal(socket.readyState, 3);
  }
});

test('6.8 close() while OPEN changes the state at once and sends no body', async (t) => {
  const socket = await opened(t);
  socket.close();
  assert.equal(socket.readyState, 2);
  const { body, close } = await closing(t);
  assert.equal(body.length, 0);
  assert.deepEqual([close.code, close.reason, close.wasClean], [1005, '', true]);
});

test('6.9 code and reason go on the wire and come back', async (t) => {
  for (const [code, reason] of [[1000, 'reason'], [3000, ''], [4999, 'ä\ud83d\ude00'], [1000, '\ufeffBOM'], [1000, 'a\ud800']]) {
    const { body, close } = await closing(t, code, reason);
    const expected = reason.toWellFormed();
    assert.deepEqual(body, closeBody(code, expected));
    assert.deepEqual([close.code, close.reason, close.wasClean], [code, expected, true]);
  }
});

test('6.10 a reason without a code is sent with 1000', async (t) => {
  const { body } = await closing(t, undefined, 'why');
  assert.deepEqual(body, closeBody(1000, 'why'));
  assert.equal((await closing(t, undefined, '')).body.length, 0);
});

test('6.11 close() returns undefined', async (t) => {
  const socket = await opened(t);
  assert.equal(socket.close(), undefined);
  await event(socket, 'close');
});

test('6.12 the close event waits for the server', async (t) => {
  const held = deferred();
  const got = deferred();
  const server = await serve(t, async (peer) => {
    await peer.accept();
    const { payload } = await peer.frame();
    got.resolve();
    await held.promise;
    peer.write(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
    peer.socket.end();
  });
  const socket = new WebSocket(server.url);
  await event(socket, 'open');
  const closed = untilClosed(socket);
  socket.close(1000);
  await got.promise;
  for (let i = 0; i < 20; i += 1) await turn();
  assert.equal(socket.readyState, 2);
  held.resolve();
  const { names, event: close } = await closed;
  assert.deepEqual([names, close.wasClean], [['close'], true]);
});
