// Makes each step of a socket's life throw, and prints as JSON whether another socket kept working and what was
// reported. Its argument is the URL of an echo server.
import { subscribe } from 'node:diagnostics_channel';
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
const { WebSocket, WebSocketError, WebSocketStream } = createRequire(import.meta.url)('../../lib/index.js');

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

// A promise that a listener returns, and the subscribers of the diagnostics channels.
cases['an async listener'] = { listener: (socket, type) => socket.addEventListener(type, async () => fail('an async listener')) };
for (const name of ['open', 'close', 'socket_error']) {
  subscribe(`undici:websocket:${name}`, () => fail('a subscriber'));
}
cases['a subscriber'] = {};

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

// Calls that convert their arguments. They throw what a conversion throws.
const thrower = (name) => () => {
  throw new Injected(name);
};
const getter = (name) => Object.defineProperty({}, name, { get: thrower(name), enumerable: true });
const convert = { toString: thrower('toString') };
const OPTIONS = [
  'anyPort', 'baseUrl', 'closeTimeout', 'connectTimeout', 'cookies', 'deliverAfterClose', 'handshakeTimeout', 'headers', 'idleTimeout',
  'maxBufferedAmount', 'maxHeaderSize', 'maxHeadersCount', 'maxPayload', 'origin', 'perMessageDeflate', 'pingInterval', 'pingTimeout',
  'protocols', 'proxy', 'tls',
];
const DEFLATE = ['clientMaxWindowBits', 'clientNoContextTakeover', 'serverMaxWindowBits', 'serverNoContextTakeover', 'threshold'];
const TLS = ['ca', 'cert', 'key', 'rejectUnauthorized', 'servername'];
const options = {
  ...Object.fromEntries(OPTIONS.map((name) => [`the getter ${name}`, getter(name)])),
  ...Object.fromEntries(DEFLATE.map((name) => [`the getter perMessageDeflate.${name}`, { perMessageDeflate: getter(name) }])),
  ...Object.fromEntries(TLS.map((name) => [`the getter tls.${name}`, { tls: getter(name) }])),
  'the iterator of protocols': { protocols: { [Symbol.iterator]: thrower('iterator') } },
  'a protocol': { protocols: [convert] },
  'the iterator of headers': { headers: { [Symbol.iterator]: thrower('iterator') } },
  'the keys of headers': { headers: new Proxy({}, { ownKeys: thrower('ownKeys'), get: () => undefined }) },
  'a header': { headers: { 'X-A': convert } },
  'a timeout': { closeTimeout: { valueOf: thrower('valueOf') } },
  'the getter getCookies': { cookies: getter('getCookies') },
  'getCookies()': { cookies: { getCookies: thrower('getCookies'), setCookies: () => {} } },
};
class Bad extends WebSocket {
  constructor() {
    super(url);
    throw new Injected('constructor');
  }
}
const noPrototype = new Proxy(class {}, { get: thrower('prototype') });
const calls = {
  'the URL': () => new WebSocket(convert),
  'the iterator of the protocols': () => new WebSocket(url, { [Symbol.iterator]: thrower('iterator') }),
  'a constructor of a subclass': () => new Bad(),
  'the prototype of a new target': () => Reflect.construct(WebSocket.withDefaults({ baseUrl: url }), [url], noPrototype),
  'withDefaults()': () => WebSocket.withDefaults(getter('headers')),
  'the data of send()': () => WebSocket.prototype.send.call(other, convert),
  'the code of close()': () => other.close({ valueOf: thrower('valueOf') }),
  'the reason of close()': () => other.close(3000, convert),
  'the value of binaryType': () => (other.binaryType = convert),
  'the type of a listener': () => other.addEventListener(convert, () => {}),
  'the URL of a stream': () => new WebSocketStream(convert),
  'the signal of a stream': () => new WebSocketStream(url, getter('signal')),
  'the close code of a WebSocketError': () => new WebSocketError('', getter('closeCode')),
  'the reason of a WebSocketError': () => new WebSocketError('', { reason: convert }),
};
for (const [name, value] of Object.entries(options)) {
  calls[`${name}, in a socket`] = () => new WebSocket(url, [], value);
  calls[`${name}, in a stream`] = () => new WebSocketStream(url, value);
  calls[`${name}, in the defaults`] = () => new (WebSocket.withDefaults(value))(url);
}
for (const [name, call] of Object.entries(calls)) {
  uncaught = [];
  let thrown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  const works = (await otherWorks()) && thrown instanceof Injected;
  results.push({ name, works, strangers: uncaught.map(String), reported: uncaught.length });
}

// The hooks of a stream: its chunks, and the reasons of its end.
const hooks = {
  'a chunk': ({ writable }) => writable.getWriter().write(convert),
  'the close code of a stream': ({ stream }) => stream.close(getter('closeCode')),
  'the reason of a stream': ({ stream }) => stream.close({ reason: convert }),
  'a reason with getters': ({ readable }) => readable.cancel(getter('closeCode')),
  'an overridden closeCode': ({ writable }) =>
    writable.abort(Object.defineProperty(new WebSocketError('', { closeCode: 3000 }), 'closeCode', { get: thrower('closeCode') })),
  'the then of a message': ({ readable }) => {
    Object.defineProperty(String.prototype, 'then', { get: thrower('then'), configurable: true });
    return readable.getReader().read().finally(() => delete String.prototype.then);
  },
};
for (const [name, act] of Object.entries(hooks)) {
  uncaught = [];
  const stream = new WebSocketStream(url);
  stream.closed.catch(() => {});
  const streams = await stream.opened;
  const first = streams.writable.getWriter();
  await first.write('text');
  first.releaseLock();
  try {
    await act({ stream, ...streams });
  } catch (error) {
    if (!(error instanceof Injected)) throw error;
  }
  const works = await otherWorks();
  stream.close();
  await stream.closed.catch(() => {});
  results.push({ name, works, strangers: uncaught.map(String), reported: uncaught.length });
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
