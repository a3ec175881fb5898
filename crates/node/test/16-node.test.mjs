// Features beyond the standard that server programs need.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import workers from 'node:worker_threads';
import { WebSocket, echoing, event, fullduplex, opened, serve, test } from './support.mjs';

const { WebSocketStream } = fullduplex;
const NOWHERE = 'ws://127.0.0.1:9/';
const lib = fileURLToPath(new URL('../lib', import.meta.url));

async function output(t, source, env = {}) {
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  t.after(() => child.kill());
  let text = '';
  child.stdout.on('data', (data) => (text += data));
  child.stderr.on('data', (data) => (text += data));
  await once(child, 'close');
  return text;
}

/** Closes from the server's side. */
async function closeFirst(peer, code, reason) {
  peer.close(code, reason);
  await peer.frame();
  peer.socket.end();
}

// FN-17
test('16.1 unref() lets the process end, ref() does not', async (t) => {
  const { url } = await echoing(t);
  const source = (last) => `const { WebSocket } = require(${JSON.stringify(lib)}); const s = new WebSocket('${url}');
    s.onmessage = () => {}; s.onopen = () => { console.log('open'); ${last} };`;
  assert.equal(await output(t, source('s.unref();')), 'open\n');
  assert.equal(await output(t, source(`s[Symbol.for('nodejs.unref')]();`)), 'open\n');
  assert.equal(await output(t, source(`s.unref().ref(); setTimeout(() => { console.log('alive'); s.close(); }, 20).unref();`)), 'open\nalive\n');
});

// FN-17
test('16.2 disposing a socket closes it', async (t) => {
  const socket = await opened(t);
  socket[Symbol.dispose]();
  assert.equal(socket.readyState, WebSocket.CLOSING);
  const other = await opened(t);
  await other[Symbol.asyncDispose]();
  assert.equal(other.readyState, WebSocket.CLOSED);
  await other[Symbol.asyncDispose]();
});

// FN-17
test('16.3 diagnostics channels', async (t) => {
  const seen = [];
  for (const name of ['open', 'close', 'socket_error']) {
    const subscriber = (message) => seen.push([name, message]);
    channel(`undici:websocket:${name}`).subscribe(subscriber);
    t.after(() => channel(`undici:websocket:${name}`).unsubscribe(subscriber));
  }
  const socket = await opened(t, (peer) => closeFirst(peer, 3000, 'why'));
  await event(socket, 'close');
  assert.deepEqual(seen, [['open', { websocket: socket, protocol: '', extensions: '' }], ['close', { websocket: socket, code: 3000, reason: 'why' }]]);
  seen.length = 0;
  await event(new WebSocket(NOWHERE), 'close');
  assert.deepEqual(seen.map(([name]) => name), ['socket_error', 'close']);
  assert.match(seen[0][1].message, /port 9/);
});

// FN-17
test('16.4 inspect() shows the state', async (t) => {
  const socket = await opened(t);
  const text = inspect(socket);
  for (const part of ['WebSocket {', socket.url, `readyState: 'OPEN'`, 'bufferedAmount: 0']) assert.ok(text.includes(part), text);
  assert.equal(inspect({ a: { b: { c: socket } } }).includes('[WebSocket]'), true);
  inspect(WebSocket.prototype);
  socket.close();
});

// FN-17
test('16.5 the default export is WebSocket', async () => {
  assert.equal(fullduplex.default, WebSocket);
  assert.equal((await import('../index.mjs')).default, WebSocket);
});

// FN-18
test('16.6 failure has the message, phase and status', async (t) => {
  const failed = async (url, options) => {
    const socket = new WebSocket(url, [], options);
    assert.equal(socket.failure, null);
    await event(socket, 'close');
    assert.ok(socket.failure instanceof Error);
    assert.equal(socket.failure, socket.failure);
    return socket.failure;
  };
  const blocked = await failed(NOWHERE);
  assert.equal(blocked.phase, 'check');
  assert.match(blocked.message, /`anyPort` allows it/);
  const refused = await failed('ws://127.0.0.1:1/', { anyPort: true });
  assert.equal(refused.phase, 'connect');
  assert.match(refused.message, /127\.0\.0\.1:1/);
  const server = await serve(t, async (peer) => {
    await peer.request();
    peer.socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  });
  const forbidden = await failed(server.url);
  assert.deepEqual([forbidden.phase, forbidden.status], ['handshake', 403]);
  const noTls = await serve(t, (peer) => peer.socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const plain = await failed(noTls.url.replace('ws:', 'wss:'));
  assert.deepEqual([plain.phase, plain.tlsAlert], ['tls', undefined]);
  const alert = Buffer.from([21, 3, 3, 0, 2, 2, 40]); // fatal, handshake_failure
  const alerts = await serve(t, (peer) => peer.socket.end(alert));
  const refuses = await failed(alerts.url.replace('ws:', 'wss:'));
  assert.deepEqual([refuses.phase, refuses.tlsAlert], ['tls', 40]);
  const cut = await opened(t, (peer) => peer.socket.destroy());
  await event(cut, 'close');
  assert.equal(cut.failure.phase, 'open');
  const clean = await opened(t, (peer) => closeFirst(peer, 1000));
  await event(clean, 'close');
  assert.equal(clean.failure, null);
  const stream = new fullduplex.WebSocketStream(NOWHERE);
  stream.opened.catch(() => {});
  await stream.closed.catch(() => {});
  assert.equal(stream.failure.phase, 'check');
});

test('16.7 withDefaults() returns a class that looks the same', async (t) => {
  const Mine = WebSocket.withDefaults({ headers: { 'X-Default': '1' }, origin: 'https://default.example' });
  assert.deepEqual([Mine.name, Mine.length, Mine.OPEN, Object.getPrototypeOf(Mine)], ['WebSocket', 1, 1, EventTarget]);
  assert.deepEqual(Reflect.ownKeys(Mine.prototype), Reflect.ownKeys(WebSocket.prototype).toSorted((a, b) => Reflect.ownKeys(Mine.prototype).indexOf(a) - Reflect.ownKeys(Mine.prototype).indexOf(b)));
  assert.equal(Mine.prototype.constructor, Mine);
  assert.throws(() => Mine(NOWHERE), TypeError);
  assert.throws(() => new Mine(), TypeError);
  assert.throws(() => WebSocket.withDefaults({ maxPayload: -1 }), TypeError);
  const server = await serve(t, async (peer) => (await peer.accept()).finish());
  const request = async (Class, ...args) => {
    const socket = new Class(server.url, ...args);
    assert.ok(socket instanceof Class && socket.constructor === Class);
    await event(socket, 'open');
    const closed = event(socket, 'close');
    socket.close();
    await closed;
    const peer = server.peers.at(-1);
    return [peer.header('x-default'), peer.header('origin')];
  };
  assert.deepEqual(await request(Mine), ['1', 'https://default.example']);
  assert.deepEqual(await request(Mine, [], { origin: 'https://other.example' }), ['1', 'https://other.example']);
  assert.deepEqual(await request(Mine.withDefaults({ headers: {} })), [undefined, 'https://default.example']);
  assert.deepEqual(await request(class extends Mine {}), ['1', 'https://default.example']);
  assert.deepEqual(await request(WebSocket), [undefined, undefined]);
});

test('16.7 fullduplex/global takes defaults from the environment', async (t) => {
  const based = `require(${JSON.stringify(`${lib}/global.js`)}); console.log(new WebSocket('path').url);`;
  const text = await output(t, based, { FULLDUPLEX_OPTIONS: '{"baseUrl":"ws://127.0.0.1:9/base/"}' });
  assert.equal(text, 'ws://127.0.0.1:9/base/path\n');
  assert.match(await output(t, based, { FULLDUPLEX_OPTIONS: '{' }), /could not read FULLDUPLEX_OPTIONS/);
});

// FN-16. Node.js 20 cannot mark an object as uncloneable.
test('16.8 a socket cannot be cloned', { skip: workers.markAsUncloneable === undefined && 'needs markAsUncloneable()' }, () => {
  assert.throws(() => structuredClone(new WebSocket(NOWHERE)), { name: 'DataCloneError' });
  const stream = new fullduplex.WebSocketStream(NOWHERE);
  for (const promise of [stream.opened, stream.closed]) promise.catch(() => {});
  assert.throws(() => structuredClone(stream), { name: 'DataCloneError' });
});
