import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { WebSocket, fullduplex, opened, test } from './support.mjs';

const NOWHERE = 'ws://127.0.0.1:9/'; // a blocked port: nothing is sent
const descriptor = (name) => Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
const attributes = ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol'];

test('1.1 the class', () => {
  assert.equal(Object.getPrototypeOf(WebSocket), EventTarget);
  assert.throws(() => WebSocket(NOWHERE), TypeError);
  assert.equal(WebSocket.length, 1);
  assert.equal(WebSocket.name, 'WebSocket');
});

test('1.1 fullduplex/global installs it', async () => {
  const host = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  await import('../lib/global.js');
  const installed = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  if (host) Object.defineProperty(globalThis, 'WebSocket', host);
  assert.deepEqual(installed, { value: WebSocket, enumerable: false, writable: true, configurable: true });
});

test('1.2 constants', () => {
  const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
  for (const [name, value] of Object.entries(constants)) {
    for (const holder of [WebSocket, WebSocket.prototype]) {
      assert.deepEqual(Object.getOwnPropertyDescriptor(holder, name), {
        value,
        enumerable: true,
        writable: false,
        configurable: false,
      });
      assert.throws(() => delete holder[name], TypeError);
      assert.throws(() => Object.defineProperty(holder, name, { value: 7 }), TypeError);
    }
  }
});

test('1.3 attributes are accessors of the prototype', () => {
  const socket = new WebSocket(NOWHERE);
  assert.deepEqual(Object.getOwnPropertyNames(socket), []);
  for (const name of attributes) {
    const { get, set, enumerable, configurable } = descriptor(name);
    assert.equal(typeof get, 'function');
    assert.deepEqual([set, enumerable, configurable], [undefined, true, true]);
    assert.throws(() => get.call({}), TypeError);
    assert.throws(() => get.call(Object.create(WebSocket.prototype)), TypeError);
    assert.throws(() => WebSocket.prototype[name], TypeError);
    const before = socket[name];
    // An assignment throws in modules, which are strict, and is ignored in sloppy code.
    new Function('socket', 'name', 'socket[name] = "other"')(socket, name);
    assert.equal(socket[name], before);
    assert.ok(delete socket[name]);
    assert.equal(socket[name], before);
  }
  for (const name of ['binaryType', 'onopen', 'onmessage', 'onerror', 'onclose']) {
    const { get, set, enumerable } = descriptor(name);
    assert.ok(enumerable);
    assert.throws(() => get.call({}), TypeError);
    assert.throws(() => set.call({}, 'blob'), TypeError);
    assert.throws(() => set.call({}, 'other'), TypeError);
  }
});

test('1.3 an attribute can be redefined on the prototype', () => {
  const original = descriptor('readyState');
  Object.defineProperty(WebSocket.prototype, 'readyState', { get: () => 'mine', configurable: true });
  assert.equal(new WebSocket(NOWHERE).readyState, 'mine');
  Object.defineProperty(WebSocket.prototype, 'readyState', original);
});

test('1.4 methods', () => {
  for (const [name, length] of [['close', 0], ['send', 1]]) {
    const { value, writable, enumerable, configurable } = descriptor(name);
    assert.deepEqual([value.length, value.name, writable, enumerable, configurable], [length, name, true, true, true]);
    assert.throws(() => value.call({}, 'x'), TypeError);
  }
  const socket = new WebSocket(NOWHERE);
  socket.close = 5;
  assert.equal(socket.close, 5);
});

test('1.5 toString', () => {
  const socket = new WebSocket(NOWHERE);
  assert.equal(Object.prototype.toString.call(socket), '[object WebSocket]');
  assert.deepEqual(descriptor(Symbol.toStringTag), {
    value: 'WebSocket',
    enumerable: false,
    writable: false,
    configurable: true,
  });
});

test('1.6 no legacy members', () => {
  assert.ok(!('URL' in WebSocket.prototype));
  assert.ok(!('initCloseEvent' in fullduplex.CloseEvent.prototype));
});

test('1.7 too few arguments throw, too many are ignored', async (t) => {
  assert.throws(() => new WebSocket(), TypeError);
  const socket = await opened(t);
  assert.throws(() => socket.send(), TypeError);
  assert.equal(socket.send('a', 'b'), undefined);
  assert.equal(socket.close(1000, 'reason', 'more'), undefined);
});

test('1.8 it can be subclassed', () => {
  class Mine extends WebSocket {
    get answer() {
      return 42;
    }
  }
  const mine = new Mine(NOWHERE);
  assert.ok(mine instanceof WebSocket && mine instanceof EventTarget);
  assert.equal(mine.answer, 42);
  const other = Reflect.construct(WebSocket, [NOWHERE], Mine);
  assert.equal(Object.getPrototypeOf(other), Mine.prototype);
});

test('1.9 it works in a worker', async () => {
  const worker = new Worker(new URL('./workers/blocked.mjs', import.meta.url));
  const events = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  assert.deepEqual(events, ['error', 'close']);
  await worker.terminate();
});
