// Makes each step of a socket's life throw, and prints as JSON whether another socket kept working and what was
// reported. Its argument is the URL of an echo server.
import { createRequire } from 'node:module';

const [url] = process.argv.slice(2);
let failing;
class Injected extends Error {}
const fail = (name) => {
  if (failing === name) throw new Injected(name);
};

// Host constructors that can be made to fail, replaced before the package is loaded.
const constructors = ['Event', 'MessageEvent', 'CloseEvent', 'Blob', 'URL', 'ReadableStream', 'WritableStream', 'DOMException', 'WeakRef', 'AbortSignal'];
for (const name of constructors) {
  const Host = globalThis[name];
  if (Host === undefined || name === 'AbortSignal') continue;
  globalThis[name] = new Proxy(Host, {
    construct(target, args, newTarget) {
      if (failing === `new ${name}`) {
        failing = undefined; // once: the other socket needs the host too
        throw new Injected(name);
      }
      return Reflect.construct(target, args, newTarget);
    },
  });
}
const { WebSocket, WebSocketStream } = createRequire(import.meta.url)('../../lib/index.js');

let uncaught = [];
process.on('uncaughtException', (error) => uncaught.push(error));
process.on('unhandledRejection', (error) => uncaught.push(error));
process.exitCode = 1; // until the end is reached

const next = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
const turn = () => new Promise((resolve) => setImmediate(resolve));

const other = new WebSocket(url);
await next(other, 'open');
/** Checks that the other socket still sends and receives. Uses two messages, because one turn may carry events of both. */
async function otherWorks() {
  for (const text of ['a', 'b']) {
    const answer = next(other, 'message');
    other.send(text);
    if ((await answer).data !== text) return false;
  }
  return true;
}

class Overriding extends WebSocket {}
const members = new Set([...Object.getOwnPropertyNames(WebSocket.prototype), 'addEventListener', 'removeEventListener', 'dispatchEvent']);
members.delete('constructor');
for (const name of members) {
  if (/^[A-Z]/.test(name)) continue;
  Object.defineProperty(Overriding.prototype, name, {
    get() {
      fail(`overridden ${name}`);
      return Reflect.get(WebSocket.prototype, name, this);
    },
    set(value) {
      fail(`overridden ${name}`);
      Reflect.set(WebSocket.prototype, name, value, this);
    },
  });
}

/** Lets a socket open, receive text and binary, and close, while something of its own throws. */
async function live(name, { socket, listener }) {
  let hasOpened = false;
  let hasClosed = false;
  let isLooking = false;
  const made = socket?.() ?? new Overriding(url, [], { deliverAfterClose: true });
  WebSocket.prototype.addEventListener.call(made, 'open', () => {
    failing = name;
    hasOpened = true;
    const { send } = WebSocket.prototype;
    send.call(made, 'text');
    send.call(made, new Uint8Array(3));
  });
  for (const type of ['open', 'message', 'close']) listener?.(made, type);
  let messages = 0;
  await new Promise((resolve) => {
    const { addEventListener, close } = WebSocket.prototype;
    addEventListener.call(made, 'message', () => {
      messages += 1;
      if (messages === 2) close.call(made);
    });
    addEventListener.call(made, 'close', () => {
      hasClosed = true;
      if (!isLooking) resolve();
    });
    // If an event could not be created, no listener is called. The other socket must go on, and this one is closed.
    const look = () => {
      if (hasClosed) return;
      if (!hasOpened || failing !== undefined) return void setTimeout(look, 1);
      isLooking = true;
      otherWorks().then(() => close.call(made)).then(otherWorks).then(resolve);
    };
    setTimeout(look, 1);
  });
}

const throws = (name) => () => fail(name);
const cases = { __proto__: null };
for (const name of constructors) cases[`new ${name}`] = {};
for (const name of members) cases[`overridden ${name}`] = {};
cases['a listener'] = { listener: (socket, type) => socket.addEventListener(type, throws('a listener')) };
cases['a handler'] = { listener: (socket, type) => (socket[`on${type}`] = throws('a handler')) };
cases['the getter handleEvent'] = {
  listener: (socket, type) => socket.addEventListener(type, { get handleEvent() { fail('the getter handleEvent'); return () => {}; } }),
};
cases['a thenable result'] = {
  listener: (socket, type) => socket.addEventListener(type, () => ({ get then() { fail('a thenable result'); return undefined; } })),
};
cases['a microtask'] = { listener: (socket, type) => socket.addEventListener(type, () => queueMicrotask(throws('a microtask'))) };
cases['a tick'] = { listener: (socket, type) => socket.addEventListener(type, () => process.nextTick(throws('a tick'))) };
cases['the jar'] = {
  socket: () => {
    failing = 'the jar';
    return new WebSocket(url, [], { cookies: { getCookies: () => '', setCookies: throws('the jar') } });
  },
};

const results = [];
for (const name in cases) {
  failing = undefined;
  uncaught = [];
  await live(name, cases[name]);
  const works = await otherWorks();
  failing = undefined;
  await turn();
  results.push({ name, works, strangers: uncaught.filter((error) => !(error instanceof Injected)).map(String), reported: uncaught.length });
}

// A stream that is cancelled while messages arrive.
uncaught = [];
const stream = new WebSocketStream(url, { deliverAfterClose: true });
const { readable, writable } = await stream.opened;
const writer = writable.getWriter();
for (let i = 0; i < 50; i += 1) writer.write('x').catch(() => {});
const reader = readable.getReader();
await reader.read();
reader.read().catch(() => {});
reader.cancel();
const works = await otherWorks();
await stream.closed.catch(() => {});
results.push({ name: 'a cancelled stream', works, strangers: uncaught.map(String), reported: uncaught.length });

other.close();
process.exitCode = 0;
console.log(JSON.stringify(results));
