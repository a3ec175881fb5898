import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket, event, fullduplex, opened, serve, test, turn } from './support.mjs';

const { CloseEvent } = fullduplex;
const NOWHERE = 'ws://127.0.0.1:9/';
const TYPES = ['open', 'message', 'error', 'close'];

test('8.1 handlers are null, functions or objects', () => {
  const socket = new WebSocket(NOWHERE);
  for (const type of TYPES) {
    const name = `on${type}`;
    assert.equal(socket[name], null);
    for (const kept of [() => {}, {}, [], /x/, new Proxy(() => {}, {}), { handleEvent() { throw new Error('called'); } }]) {
      socket[name] = kept;
      assert.equal(socket[name], kept);
      socket.dispatchEvent(new Event(type));
    }
    for (const none of [1, ';', undefined, null, true, Symbol('x'), 5n]) {
      socket[name] = () => {};
      socket[name] = none;
      assert.equal(socket[name], null);
    }
  }
});

test('8.2 a handler keeps its place among the listeners', () => {
  const socket = new WebSocket(NOWHERE);
  let calls = [];
  const listener = (name) => () => calls.push(name);
  const fire = () => {
    calls = [];
    socket.dispatchEvent(new Event('message'));
    return calls.join('');
  };
  socket.addEventListener('message', listener('a'));
  socket.onmessage = listener('1');
  socket.addEventListener('message', listener('b'));
  assert.equal(fire(), 'a1b');
  socket.onmessage = listener('2');
  assert.equal(fire(), 'a2b');
  socket.onmessage = {};
  assert.equal(fire(), 'ab');
  socket.onmessage = listener('3');
  assert.equal(fire(), 'a3b');
  socket.onmessage = null;
  socket.onmessage = listener('4');
  assert.equal(fire(), 'ab4');
});

test('8.2 a handler that replaces itself while it runs', () => {
  const socket = new WebSocket(NOWHERE);
  const calls = [];
  socket.addEventListener('open', () => {
    socket.onopen = () => calls.push('new');
  });
  socket.onopen = () => calls.push('old');
  socket.dispatchEvent(new Event('open'));
  assert.deepEqual(calls, ['new']);
});

test('8.3 this, target, currentTarget and eventPhase, for each listener', async (t) => {
  const socket = await opened(t, (peer) => peer.text('x'));
  const seen = [];
  const look = function (event) {
    seen.push([this === socket, event.target === socket, event.currentTarget === socket, event.srcElement === socket, event.eventPhase, event.composedPath()[0] === socket]);
  };
  socket.onmessage = look;
  socket.addEventListener('message', function (event) {
    look.call(this, event);
  });
  const object = { handleEvent(event) { seen.push([this === object, event.eventPhase]); } };
  socket.addEventListener('message', object);
  const message = await event(socket, 'message');
  await turn(); // until here it runs as a microtask of the last listener
  const all = [true, true, true, true, 2, true];
  assert.deepEqual(seen, [all, all, [true, 2]]);
  assert.deepEqual([message.eventPhase, message.currentTarget, message.target], [0, null, socket]);
  socket.close();
});

test('8.4 listeners', () => {
  const socket = new WebSocket(NOWHERE);
  let calls = [];
  const fire = (type = 'x') => {
    calls = [];
    socket.dispatchEvent(new Event(type));
    return calls.join('');
  };
  const a = () => calls.push('a');
  socket.addEventListener('x', a);
  socket.addEventListener('x', a);
  assert.equal(fire(), 'a'); // the same listener counts once
  socket.addEventListener('x', a, true);
  assert.equal(fire(), 'aa');
  socket.removeEventListener('x', a, true);
  socket.removeEventListener('x', () => calls.push('a'));
  assert.equal(fire(), 'a');
  socket.addEventListener('x', () => calls.push('c'), { capture: true });
  assert.equal(fire(), 'ca'); // capturing listeners come first
  socket.removeEventListener('x', a, { capture: false, once: true });
  assert.equal(fire(), 'c');
  socket.addEventListener('y', () => calls.push('o'), { once: true });
  assert.equal(fire('y'), 'o');
  assert.equal(fire('y'), '');
  const abort = new AbortController();
  socket.addEventListener('y', () => calls.push('s'), { signal: abort.signal });
  assert.equal(fire('y'), 's');
  abort.abort();
  assert.equal(fire('y'), '');
  socket.addEventListener('y', () => calls.push('s'), { signal: abort.signal });
  assert.equal(fire('y'), '');
  socket.addEventListener('y', null);
  socket.removeEventListener('y', null);
  assert.throws(() => socket.addEventListener('y'), TypeError);
  assert.throws(() => socket.addEventListener('y', 5), TypeError);
  assert.throws(() => socket.addEventListener('y', a, { signal: 5 }), TypeError);
  assert.throws(() => socket.addEventListener('y', a, { signal: null }), TypeError);
  assert.throws(() => WebSocket.prototype.addEventListener.call({}, 'y', a), TypeError);
});

test('8.4 listeners that are added or removed during dispatch', () => {
  const socket = new WebSocket(NOWHERE);
  const calls = [];
  const third = () => calls.push('third');
  socket.addEventListener('x', () => {
    calls.push('first');
    socket.removeEventListener('x', third);
    socket.addEventListener('x', () => calls.push('late'));
  });
  socket.addEventListener('x', () => calls.push('second'));
  socket.addEventListener('x', third);
  socket.dispatchEvent(new Event('x'));
  assert.deepEqual(calls, ['first', 'second']);
});

test('8.4 stopping, cancelling, and a handler that returns false', () => {
  const socket = new WebSocket(NOWHERE);
  const calls = [];
  socket.addEventListener('x', (event) => {
    calls.push('a');
    event.stopPropagation();
  });
  socket.addEventListener('x', (event) => {
    calls.push('b');
    event.stopImmediatePropagation();
  });
  socket.addEventListener('x', () => calls.push('c'));
  assert.equal(socket.dispatchEvent(new Event('x')), true);
  assert.deepEqual(calls, ['a', 'b']);
  socket.addEventListener('y', (event) => event.stopPropagation(), true);
  socket.addEventListener('y', () => calls.push('not reached'));
  socket.dispatchEvent(new Event('y'));
  assert.deepEqual(calls, ['a', 'b']);
  socket.onopen = () => false;
  assert.equal(socket.dispatchEvent(new Event('open', { cancelable: true })), false);
  assert.equal(socket.dispatchEvent(new Event('open')), true);
});

test('8.4 events of scripts reach the handlers', () => {
  const socket = new WebSocket(NOWHERE);
  const seen = [];
  for (const type of TYPES) socket[`on${type}`] = ({ isTrusted, target }) => seen.push([type, isTrusted, target === socket]);
  for (const type of TYPES) socket.dispatchEvent(new Event(type));
  assert.deepEqual(seen, TYPES.map((type) => [type, false, true]));
  const dispatched = new Event('open');
  socket.onopen = () => assert.throws(() => socket.dispatchEvent(dispatched));
  socket.dispatchEvent(dispatched);
});

test('8.4 node:events works with it', async (t) => {
  const server = await serve(t, async (peer) => (await peer.accept()).echo());
  const socket = new WebSocket(server.url);
  await once(socket, 'open');
  socket.send('x');
  const [{ data }] = await once(socket, 'message');
  assert.equal(data, 'x');
  socket.close();
});

test('8.5 no bubbling, no cancelling, trusted', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.text('x');
    peer.socket.end();
  });
  const socket = new WebSocket(server.url);
  const seen = [];
  for (const type of TYPES) {
    socket.addEventListener(type, (event) => {
      event.preventDefault();
      seen.push([event.type, event.bubbles, event.cancelable, event.composed, event.isTrusted, event.defaultPrevented, event instanceof Event]);
    });
  }
  await event(socket, 'close');
  assert.deepEqual(seen, TYPES.map((type) => [type, false, false, false, true, false, true]));
});

test('8.6 microtasks run after each listener', async (t) => {
  const socket = await opened(t, (peer) => peer.text('x'));
  const order = [];
  for (const name of ['a', 'b', 'c']) {
    socket.addEventListener('message', () => {
      order.push(name);
      queueMicrotask(() => order.push(`${name}, microtask`));
      process.nextTick(() => order.push(`${name}, tick`));
    });
  }
  await event(socket, 'message');
  await turn();
  socket.close();
  assert.deepEqual(order.map((name) => name[0]), [...'aaabbbccc']);
});

test('8.6 microtasks do not run between listeners when a script dispatches', () => {
  const socket = new WebSocket(NOWHERE);
  const order = [];
  for (const name of ['a', 'b']) {
    socket.addEventListener('x', () => {
      order.push(name);
      queueMicrotask(() => order.push('microtask'));
    });
  }
  socket.dispatchEvent(new Event('x'));
  assert.deepEqual(order, ['a', 'b']);
});

test('8.7 a listener that throws is reported, and the others run', async (t) => {
  const socket = await opened(t, async (peer) => {
    peer.text('x');
    await peer.finish();
  });
  const order = [];
  const reported = (error) => order.push(error.message);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', reported);
  t.after(() => {
    process.removeListener('uncaughtException', reported);
    for (const other of others) process.on('uncaughtException', other);
  });
  socket.onmessage = () => {
    order.push('first');
    process.nextTick(() => {
      throw new Error('thrown in a tick');
    });
    throw new Error('thrown');
  };
  socket.addEventListener('message', { handleEvent: 5 });
  socket.addEventListener('message', () => {
    order.push('last');
    socket.close();
  });
  await event(socket, 'close');
  assert.deepEqual([order[0], order.at(-1)], ['first', 'last']);
  assert.deepEqual(order.slice(1, 3).sort(), ['thrown', 'thrown in a tick']);
  assert.match(order[3], /handleEvent/);
});

test('8.8 CloseEvent', () => {
  const plain = new CloseEvent('close');
  assert.deepEqual([plain.type, plain.wasClean, plain.code, plain.reason], ['close', false, 0, '']);
  assert.ok(plain instanceof Event && !plain.isTrusted);
  const full = new CloseEvent('x', { wasClean: 1, code: 65_536 + 5, reason: 'a\ud800', cancelable: true });
  assert.deepEqual([full.wasClean, full.code, full.reason, full.cancelable], [true, 5, 'a\ufffd', true]);
  // Node.js's own class, where it exists, takes -1 as it is.
  if (!globalThis.CloseEvent) assert.equal(new CloseEvent('x', { code: -1 }).code, 65_535);
  assert.equal(new CloseEvent('x', undefined).code, 0);
  assert.throws(() => new CloseEvent(), TypeError);
  assert.throws(() => CloseEvent('x'), TypeError);
  assert.equal(CloseEvent.length, 1);
  assert.equal(Object.prototype.toString.call(plain), '[object CloseEvent]');
  for (const name of ['wasClean', 'code', 'reason']) {
    const { get, set, enumerable } = Object.getOwnPropertyDescriptor(CloseEvent.prototype, name);
    assert.deepEqual([set, enumerable], [undefined, true]);
    assert.throws(() => get.call({}), TypeError);
  }
});

test('8.8 the close event of a socket is a CloseEvent', async () => {
  const close = await event(new WebSocket(NOWHERE), 'close');
  assert.ok(close instanceof CloseEvent);
  assert.equal(close.constructor, CloseEvent);
  assert.equal(Object.prototype.toString.call(close), '[object CloseEvent]');
});

test('8.9 MessageEvent is the host\u2019s', async (t) => {
  const socket = await opened(t, (peer) => peer.text('x'));
  assert.ok((await event(socket, 'message')) instanceof MessageEvent);
  socket.close();
});
