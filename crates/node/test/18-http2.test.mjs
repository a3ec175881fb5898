// The option `http`: WebSockets over HTTP/2 (RFC 8441), with the server of Node.js.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer, createServer } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Peer, WebSocket, event, fails, fullduplex, needs, test } from './support.mjs';

const SETTINGS = { settings: { enableConnectProtocol: true } };

/** Starts a server of HTTP/2 that echoes messages. */
async function http2Server(t, server = createServer(SETTINGS)) {
  const seen = { sessions: 0, requests: [] };
  const sessions = new Set();
  server.on('session', (session) => {
    seen.sessions += 1;
    sessions.add(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    seen.requests.push(headers);
    if (headers[':path'] === '/missing') return stream.respond({ ':status': 404 }, { endStream: true });
    const protocol = headers['sec-websocket-protocol'];
    stream.respond({ ':status': 200, ...(protocol && { 'sec-websocket-protocol': protocol }) });
    new Peer(stream).echo();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { ...server.address(), seen };
}

async function echo(socket) {
  await event(socket, 'open');
  socket.binaryType = 'arraybuffer';
  for (const sent of ['text', 'x'.repeat(200_000)]) {
    socket.send(sent);
    assert.equal((await event(socket, 'message')).data, sent);
  }
  socket.send(new Uint8Array([1, 2, 255]));
  assert.deepEqual([...new Uint8Array((await event(socket, 'message')).data)], [1, 2, 255]);
  socket.close(3000, 'done');
  const { code, reason, wasClean } = await event(socket, 'close');
  assert.deepEqual([code, reason, wasClean], [3000, 'done', true]);
}

test('http: 2 opens a stream of HTTP/2', async (t) => {
  const { port, seen } = await http2Server(t);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ['a'], { http: 2, headers: { 'X-One': '1' } });
  const opened = event(socket, 'open').then(() => socket.protocol);
  await echo(socket);
  assert.equal(await opened, 'a');
  const [{ ':method': method, ':protocol': protocol, ':path': path, 'x-one': one }] = seen.requests;
  assert.deepEqual([method, protocol, path, one], ['CONNECT', 'websocket', '/chat', '1']);
});

test('http: 2 as a default, and for a WebSocketStream', async (t) => {
  const { port, seen } = await http2Server(t);
  const url = `ws://127.0.0.1:${port}/`;
  await echo(new (WebSocket.withDefaults({ http: 2 }))(url));
  const stream = new fullduplex.WebSocketStream(url, { http: 2 });
  const { readable, writable } = await stream.opened;
  await writable.getWriter().write('text');
  assert.deepEqual(await readable.getReader().read(), { done: false, value: 'text' });
  stream.close();
  await stream.closed;
  assert.equal(seen.requests.length, 2);
});

test('sockets to one server share a connection of HTTP/2', async (t) => {
  const { port, seen } = await http2Server(t);
  const first = new WebSocket(`ws://127.0.0.1:${port}/1`, [], { http: 2 });
  await event(first, 'open');
  await echo(new WebSocket(`ws://127.0.0.1:${port}/2`, [], { http: 2 }));
  first.close();
  await event(first, 'close');
  assert.deepEqual([seen.sessions, seen.requests.length], [1, 2]);
});

test('http: 2 fails with a server of HTTP/1.1, and reports a refusal', async (t) => {
  const server = createTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}/`, [], { http: 2 });
  await fails(assert, socket);
  assert.match(socket.failure.message, /HTTP\/2/);
  const { port } = await http2Server(t);
  const refused = new WebSocket(`ws://127.0.0.1:${port}/missing`, [], { http: 2 });
  await fails(assert, refused);
  assert.equal(refused.failure.status, 404);
});

test('http: auto uses what the server speaks', needs('openssl'), async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  const tls = { key: readFileSync(key), cert: readFileSync(cert) };
  const options = { http: 'auto', tls: { ca: tls.cert } };

  const { port, seen } = await http2Server(t, createSecureServer({ ...tls, ...SETTINGS }));
  await echo(new WebSocket(`wss://localhost:${port}/`, [], options));
  assert.equal(seen.requests[0][':protocol'], 'websocket');

  const old = createTlsServer({ ...tls, ALPNProtocols: ['http/1.1'] }, async (socket) => (await new Peer(socket).accept()).echo());
  old.listen(0, '127.0.0.1');
  await once(old, 'listening');
  t.after(() => old.close());
  await echo(new WebSocket(`wss://localhost:${old.address().port}/`, [], options));
});

test('http takes 1, 2 and auto', () => {
  for (const http of [0, 3, 'two', '1.1', true, {}]) {
    assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { http }), TypeError);
  }
  for (const http of [1, '2', 'auto', null, undefined]) new WebSocket('ws://127.0.0.1:9/', [], { http }).close();
});
