import assert from 'node:assert/strict';
import { WebSocket, closeBody, event, fails, frame, opened, serve, test, until, untilClosed } from './support.mjs';

/** Returns the events of a socket whose server runs `script`. */
async function ended(t, script) {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    await script(peer);
  });
  const socket = new WebSocket(server.url);
  const states = [];
  for (const type of ['error', 'close']) socket.addEventListener(type, () => states.push(socket.readyState));
  const { names, event: close } = await untilClosed(socket);
  return { names: names.slice(1), states, code: close.code, reason: close.reason, wasClean: close.wasClean, socket };
}

const closeWith = (body) => async (peer) => {
  peer.write(frame(8, body));
  await peer.frame();
  peer.socket.end();
};

test('7.1 when the server closes, the state is CLOSING in a task, then CLOSED', async (t) => {
  let reply;
  const states = [];
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.close(1000, 'bye');
    reply = await peer.frame();
    while (!states.includes(2)) await new Promise((resolve) => setTimeout(resolve, 2));
    peer.socket.end();
  });
  const socket = new WebSocket(server.url);
  await event(socket, 'open');
  const watch = setInterval(() => states.push(socket.readyState), 1);
  const { code, reason, wasClean } = await event(socket, 'close');
  clearInterval(watch);
  assert.deepEqual([code, reason, wasClean, socket.readyState], [1000, 'bye', true, 3]);
  assert.equal(reply.opcode, 8);
  assert.ok(states.includes(2));
});

test('7.2 error and close fire in one task, in state CLOSED; error is a plain Event', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.socket.destroy();
  });
  const socket = new WebSocket(server.url);
  const seen = [];
  socket.onerror = (error) => {
    seen.push('error', socket.readyState, error.constructor.name, Object.prototype.toString.call(error));
    setImmediate(() => seen.push('another task'));
    setTimeout(() => seen.push('another task'), 0);
    queueMicrotask(() => seen.push('a microtask'));
  };
  socket.onclose = () => seen.push('close', socket.readyState);
  await event(socket, 'close');
  assert.deepEqual(seen, ['error', 3, 'Event', '[object Event]', 'a microtask', 'close', 3]);
});

test('7.3 error fires for failures only', async (t) => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 3000, 4999]) {
    const { names, ...close } = await ended(t, closeWith(closeBody(code)));
    assert.deepEqual(names, ['close']);
    assert.deepEqual([close.code, close.wasClean, close.states], [code, true, [3]]);
  }
});

test('7.4 wasClean', async (t) => {
  assert.equal((await ended(t, closeWith(closeBody(1000)))).wasClean, true);
  assert.equal((await ended(t, (peer) => peer.socket.end())).wasClean, false);
});

test('7.5 the code is 1005 for a Close without code, and 1006 without a Close', async (t) => {
  assert.equal((await ended(t, closeWith(Buffer.alloc(0)))).code, 1005);
  assert.equal((await ended(t, (peer) => peer.socket.end())).code, 1006);
});

test('7.6 the reason keeps its BOM', async (t) => {
  assert.equal((await ended(t, closeWith(closeBody(1000, '\ufeffreason')))).reason, '\ufeffreason');
});

test('7.7 all failures fire the same events, without the cause', async (t) => {
  await fails(assert, new WebSocket('ws://127.0.0.1:9/'));
  await fails(assert, new WebSocket('wss://127.0.0.1:1025/'));
  const { names, code, reason, wasClean } = await ended(t, (peer) => peer.write(frame(3)));
  assert.deepEqual([names, code, reason, wasClean], [['error', 'close'], 1006, '', false]);
});

test('7.8 TCP ends without a Close', async (t) => {
  for (const end of ['end', 'destroy', 'resetAndDestroy']) {
    const { names, code, wasClean } = await ended(t, (peer) => peer.socket[end]());
    assert.deepEqual([names, code, wasClean], [['error', 'close'], 1006, false]);
  }
});

test('7.9 the peer receives the cause of a failure, the application does not', async (t) => {
  let told;
  const { code } = await ended(t, async (peer) => {
    peer.write(frame(1, Buffer.from([0xff])));
    told = await peer.frame();
    peer.socket.end();
  });
  await until(() => told !== undefined); // either side may notice first
  assert.deepEqual([told.payload.readUInt16BE(), code], [1007, 1006]);
});

test('7.10 data after a Close is ignored', async (t) => {
  const socket = await opened(t, async (peer) => {
    peer.write(Buffer.concat([frame(8, closeBody(1000)), frame(1, Buffer.from('late')), frame(9)]));
    const reply = await peer.frame();
    assert.equal(reply.opcode, 8);
    peer.socket.end();
  });
  const { names, event: close } = await untilClosed(socket);
  assert.deepEqual([names, close.code, close.wasClean], [['close'], 1000, true]);
});
