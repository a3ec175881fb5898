// The host's own classes, listener lists, signals and async contexts, and globals that are replaced after loading.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket, echoing, event, fullduplex, opened, serve, test, turn, until } from './support.mjs';

const { CloseEvent, WebSocketStream } = fullduplex;
const NOWHERE = 'ws://127.0.0.1:9/';
const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));

/** Runs a script with `WebSocket`, `WebSocketStream` and the URL of an echo server. Resolves with its output. */
async function script(t, source, ...flags) {
  const { url } = await echoing(t);
  const prelude = `const url = ${JSON.stringify(url)}; const load = () => require(${JSON.stringify(index)});\n`;
  const child = spawn(process.execPath, [...flags, '-e', `${prelude}(async () => {${source}})();`], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const [code] = await once(child, 'close');
  return { code, output };
}

// FN-03
test('15.1 events are ordinary events of the host', async (t) => {
  const socket = await opened(t, async (peer) => {
    peer.text('x');
    peer.close(3000, 'why');
  });
  const message = await event(socket, 'message');
  assert.equal(Object.getPrototypeOf(message), MessageEvent.prototype);
  const getter = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
  assert.equal(getter(MessageEvent.prototype, 'data').call(message), 'x');
  const close = await event(socket, 'close');
  assert.equal(Object.getPrototypeOf(close), CloseEvent.prototype);
  assert.deepEqual(['code', 'reason', 'wasClean'].map((name) => getter(CloseEvent.prototype, name).call(close)), [3000, 'why', true]);
  for (const one of [message, close]) {
    const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(one, 'isTrusted');
    assert.deepEqual([get.call(one), set, enumerable, configurable], [true, undefined, true, false]);
  }
});

// FN-05
test('15.2 a function that is both handler and listener is called twice', () => {
  const socket = new WebSocket(NOWHERE);
  let calls = 0;
  const both = () => (calls += 1);
  socket.onopen = both;
  socket.addEventListener('open', both);
  socket.dispatchEvent(new Event('open'));
  assert.equal(calls, 2);
  socket.removeEventListener('open', both);
  socket.dispatchEvent(new Event('open'));
  assert.equal(calls, 3);
});

// FN-05
test('15.2 the methods of EventTarget work on a socket', async (t) => {
  const { url } = await echoing(t);
  const socket = new WebSocket(url);
  const heard = new Promise((resolve) => {
    const listener = () => resolve();
    EventTarget.prototype.addEventListener.call(socket, 'open', listener);
    assert.deepEqual(getEventListeners(socket, 'open'), [listener]);
  });
  await heard;
  const never = () => assert.fail('it was removed');
  EventTarget.prototype.addEventListener.call(socket, 'close', never);
  EventTarget.prototype.removeEventListener.call(socket, 'close', never);
  socket.close();
  await event(socket, 'close');
});

// FN-06
test('15.3 a signal aborts even if its listeners stop the event', async (t) => {
  const stopped = () => {
    const abort = new AbortController();
    abort.signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    return abort;
  };
  const server = await serve(t, (peer) => peer.request());
  const abort = stopped();
  const stream = new WebSocketStream(server.url, { signal: abort.signal });
  stream.closed.catch(() => {});
  abort.abort('why');
  await assert.rejects(stream.opened, (reason) => reason === 'why');
  const other = stopped();
  const socket = new WebSocket(NOWHERE);
  socket.addEventListener('x', () => assert.fail('it was removed'), { signal: other.signal });
  other.abort();
  socket.dispatchEvent(new Event('x'));
});

// FN-06
test('15.3 a long-lived signal does not keep sockets alive', async (t) => {
  const { url } = await echoing(t);
  const { signal } = new AbortController();
  const references = [];
  for (let i = 0; i < 300; i += 50) {
    await Promise.all(Array.from({ length: 50 }, async () => {
      const socket = new WebSocket(url);
      references.push(new WeakRef(socket));
      socket.addEventListener('message', () => {}, { signal });
      await event(socket, 'open');
      const closed = event(socket, 'close');
      socket.close();
      await closed;
      const stream = new WebSocketStream(url, { signal });
      references.push(new WeakRef(stream));
      await stream.opened;
      stream.close();
      await stream.closed;
    }));
  }
  await until(() => {
    globalThis.gc();
    return references.every((reference) => reference.deref() === undefined);
  });
});

// FN-07
test('15.4 handlers run in the async context in which the socket was made', async (t) => {
  const { url } = await echoing(t);
  const storage = new AsyncLocalStorage();
  const seen = [];
  await Promise.all(['one', 'two'].map((name) => storage.run(name, async () => {
    const socket = new WebSocket(url);
    await new Promise((resolve) => {
      socket.onopen = () => {
        seen.push([name, storage.getStore()]);
        queueMicrotask(() => seen.push([name, storage.getStore()]));
        socket.send('x');
      };
      socket.onmessage = () => {
        seen.push([name, storage.getStore()]);
        socket.close();
      };
      socket.addEventListener('close', () => seen.push([name, storage.getStore()]));
      socket.addEventListener('close', resolve);
    });
  })));
  assert.equal(seen.length, 8);
  for (const [name, store] of seen) assert.equal(store, name);
});

// FN-08
test('15.5 fake timers and replaced globals change nothing', async (t) => {
  const names = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Event', 'EventTarget', 'MessageEvent', 'CloseEvent', 'Blob', 'URL', 'DOMException', 'AbortSignal', 'WeakRef', 'FinalizationRegistry', 'ReadableStream', 'WritableStream', 'Promise', 'ArrayBuffer', 'Uint8Array', 'Buffer'];
  const { code, output } = await script(t, `
    const { WebSocket, WebSocketStream } = load();
    const log = console.log;
    const names = ${JSON.stringify(names)};
    const broken = () => { throw new Error('a replaced global was used'); };
    for (const name of names) Object.defineProperty(globalThis, name, { value: broken, configurable: true, writable: true });
    const socket = new WebSocket(url);
    socket.onopen = () => { socket.send('text'); socket.send(new Float32Array(1)); };
    const got = [];
    socket.onmessage = ({ data }) => { got.push(typeof data === 'string' ? data : data.size); if (got.length === 2) socket.close(3000); };
    socket.onclose = ({ code }) => log(got.join(), code);
  `);
  assert.deepEqual([code, output], [0, 'text,4 3000\n']);
});

// FN-08
test('15.5 a buffer of another realm is a buffer', async (t) => {
  const { code, output } = await script(t, `
    const vm = require('node:vm');
    const context = vm.createContext({ require, console, url, load, Event, EventTarget, MessageEvent, Blob, URL, DOMException, AbortSignal, ReadableStream, WritableStream, Buffer, queueMicrotask });
    // Loads the module the way a test environment does, with the globals of another realm.
    const path = require('node:path'), fs = require('node:fs');
    const modules = new Map();
    const loadIn = (file) => {
      if (!modules.has(file)) {
        const module = { exports: {} };
        modules.set(file, module);
        const source = fs.readFileSync(file, 'utf8');
        const local = (name) => name.startsWith('./') ? loadIn(path.join(path.dirname(file), name + '.js')) : require(name.startsWith('.') ? path.join(path.dirname(file), name) : name);
        vm.runInContext('(function (require, module, exports, __dirname) {' + source + '\\n})', context)(local, module, module.exports, path.dirname(file));
      }
      return modules.get(file).exports;
    };
    const { WebSocket } = loadIn(${JSON.stringify(index)});
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => { socket.send(new Uint8Array(3)); socket.send(vm.runInContext('new Uint8Array(4)', context)); };
    const got = [];
    socket.onmessage = ({ type, data }) => { got.push(type + data.byteLength); if (got.length === 2) socket.close(); };
    socket.onclose = () => console.log(got.join());
  `);
  assert.deepEqual([code, output], [0, 'message3,message4\n']);
});

// FN-16
test('15.6 a passive listener cannot prevent the default', () => {
  const socket = new WebSocket(NOWHERE);
  const event = new Event('x', { cancelable: true });
  socket.addEventListener('x', (event) => event.preventDefault(), { passive: true });
  assert.equal(socket.dispatchEvent(event), true);
  socket.addEventListener('x', (event) => event.preventDefault());
  assert.equal(socket.dispatchEvent(event), false);
});

// FN-16
test('15.6 an event that a script dispatches again is no longer trusted', async (t) => {
  const socket = await opened(t, (peer) => peer.text('x'));
  const message = await event(socket, 'message');
  assert.equal(message.isTrusted, true);
  await turn();
  socket.dispatchEvent(message);
  assert.equal(message.isTrusted, false);
  socket.close();
});

// FN-16
test('15.6 --throw-deprecation throws nothing', async (t) => {
  const { code, output } = await script(t, `
    const socket = new (load().WebSocket)(url);
    socket.onopen = () => socket.close();
    socket.onclose = () => console.log('closed');
  `, '--throw-deprecation', '--pending-deprecation');
  assert.deepEqual([code, output], [0, 'closed\n']);
});

// FN-21
test('15.7 throwing methods on shared prototypes change nothing', async (t) => {
  const { code, output } = await script(t, `
    const { WebSocket } = load();
    const { log } = console;
    const broken = () => { throw new Error('a replaced method was used'); };
    const patched = [];
    const patch = (object, ...names) => { for (const name of names) { patched.push([object, name, Object.getOwnPropertyDescriptor(object, name)]); Object.defineProperty(object, name, { value: broken, configurable: true, writable: true }); } };
    const blob = new Blob(['blob']);
    let closed = '';
    const socket = (() => {
      patch(Array.prototype, 'map', 'filter', 'find', 'some', 'flatMap', 'shift', 'splice', 'concat');
      patch(Map.prototype, 'get', 'set', 'has', 'delete');
      patch(WeakRef.prototype, 'deref');
      patch(EventTarget.prototype, 'addEventListener', 'removeEventListener', 'dispatchEvent');
      patch(Blob.prototype, 'arrayBuffer');
      patch(String.prototype, 'toWellFormed');
      patch(Array.prototype, Symbol.iterator);
      const made = new WebSocket(url, { headers: { 'X-A': 'b' } });
      // Restores the last two, because the host's own MessageEvent uses them.
      patched.slice(-2).forEach((one) => Object.defineProperty(one[0], one[1], one[2]));
      return made;
    })();
    const got = [];
    socket.onopen = () => { socket.send('text'); socket.send(blob); };
    socket.onmessage = ({ data }) => { got[got.length] = typeof data; if (got.length === 2) socket.close(3000); };
    socket.onclose = ({ code }) => { closed = code; };
    while (closed === '') await new Promise((resolve) => setImmediate(resolve));
    for (let i = patched.length - 1; i >= 0; i -= 1) Object.defineProperty(patched[i][0], patched[i][1], patched[i][2]);
    log(got.join(), closed);
  `);
  assert.deepEqual([code, output], [0, 'string,object 3000\n']);
});

// FN-21
test('15.7 accessors on Object.prototype change nothing', async (t) => {
  const { code, output } = await script(t, `
    const { WebSocket } = load();
    const { log } = console;
    const broken = () => { throw new Error('an accessor of Object.prototype was used'); };
    const names = ['configurable', 'set', 'value', 'writable'];
    // A host's own CloseEvent calls these setters itself.
    if (globalThis.CloseEvent === undefined) names.push('code', 'reason', 'wasClean');
    const { defineProperty, getOwnPropertyDescriptor } = Object;
    const got = [];
    const socket = new WebSocket(url);
    socket.onopen = () => {
      for (const name of names) defineProperty(Object.prototype, name, { __proto__: null, get: () => undefined, set: broken, configurable: true });
      socket.send('text');
    };
    socket.onmessage = (event) => {
      got.push(event.data, getOwnPropertyDescriptor(event, 'isTrusted')?.configurable);
      socket.close(3000, 'done');
    };
    const { code, reason, wasClean } = await new Promise((resolve) => (socket.onclose = resolve));
    for (const name of names) delete Object.prototype[name];
    log(got.join(), code, reason, wasClean);
  `);
  assert.deepEqual([code, output], [0, 'text,false 3000 done true\n']);
});

// FN-16
test('15.8 loading the package again starts no second thread', { skip: process.platform !== 'linux' }, async (t) => {
  const { code, output } = await script(t, `
    const { readdirSync, readFileSync } = require('node:fs');
    // Counts by name, because the host starts threads of its own.
    const isOurs = (task) => { try { return readFileSync(\`/proc/self/task/\${task}/comm\`, 'utf8') === 'fullduplex\\n'; } catch { return false; } };
    const threads = () => readdirSync('/proc/self/task').filter(isOurs).length;
    const counts = [];
    for (let i = 0; i < 12; i += 1) {
      for (const file in require.cache) if (file.endsWith('.js')) delete require.cache[file];
      const { WebSocket } = load();
      await new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onopen = () => { counts.push(threads()); socket.close(); };
        socket.onclose = resolve;
      });
    }
    console.log(counts[0] === 1 && counts[11] === 1 ? 'one' : counts.join());
  `);
  assert.deepEqual([code, output], [0, 'one\n']);
});
