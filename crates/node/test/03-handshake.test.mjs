import assert from 'node:assert/strict';
import { WebSocket, event, fails, frame, settle, serve, test, until, untilClosed } from './support.mjs';

/** Returns the request of a socket, and its events when the request is refused. */
async function requestOf(t, path, ...rest) {
  let request;
  const server = await serve(t, async (peer) => {
    request = await peer.request();
    peer.socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  });
  await fails(assert, new WebSocket(`${server.url}${path}`, ...rest));
  return request;
}

/** Returns a socket whose server answers with these bytes, or with the result of `answer(peer)`. */
async function answered(t, answer, ...rest) {
  const server = await serve(t, async (peer) => {
    await peer.request();
    peer.write(typeof answer === 'string' ? answer : answer(peer));
    peer.socket.end();
  });
  return new WebSocket(server.url, ...rest);
}

test('3.1 GET, no cache, no referrer; a redirect is a failure', async (t) => {
  const request = await requestOf(t, 'path?query');
  assert.equal(request.line, 'GET /path?query HTTP/1.1');
  assert.equal(request.header('pragma'), 'no-cache');
  assert.equal(request.header('cache-control'), 'no-cache');
  assert.equal(request.header('referer'), undefined);
  await fails(assert, await answered(t, 'HTTP/1.1 301 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n'));
});

test('3.2 the headers of the handshake', async (t) => {
  const keys = new Set();
  for (let i = 0; i < 3; i += 1) {
    const request = await requestOf(t, '');
    assert.equal(request.header('upgrade').toLowerCase(), 'websocket');
    assert.equal(request.header('connection').toLowerCase(), 'upgrade');
    assert.equal(request.header('sec-websocket-version'), '13');
    assert.equal(Buffer.from(request.header('sec-websocket-key'), 'base64').length, 16);
    keys.add(request.header('sec-websocket-key'));
  }
  assert.equal(keys.size, 3);
});

test('3.3 Sec-WebSocket-Protocol', async (t) => {
  assert.equal((await requestOf(t, '', ['b', 'a', 'c'])).header('sec-websocket-protocol'), 'b, a, c');
  assert.equal((await requestOf(t, '')).header('sec-websocket-protocol'), undefined);
});

test('3.4 permessage-deflate is offered', async (t) => {
  assert.match((await requestOf(t, '')).header('sec-websocket-extensions'), /^permessage-deflate/);
});

test('3.8 blocked ports', async () => {
  const ports = [0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080];
  assert.equal(ports.length, 83);
  await Promise.all(ports.map((port) => fails(assert, new WebSocket(`ws://127.0.0.1:${port}/`))));
});

test('3.10 one handshake at a time for each address', async (t) => {
  let under = 0;
  let most = 0;
  const server = await serve(t, async (peer) => {
    under += 1;
    most = Math.max(most, under);
    await peer.request();
    await settle(t);
    under -= 1;
    peer.write(peer.response());
    await peer.echo();
  });
  const sockets = Array.from({ length: 4 }, () => new WebSocket(server.url));
  await Promise.all(sockets.map((socket) => event(socket, 'open')));
  assert.equal(most, 1);
  for (const socket of sockets) socket.close();
});

test('3.11 only a valid response opens the socket', async (t) => {
  const bad = [
    () => 'garbage\r\n\r\n',
    (peer) => peer.response().replace('101', '200'),
    (peer) => peer.response({ Upgrade: undefined }),
    (peer) => peer.response({ Upgrade: 'h2c' }),
    (peer) => peer.response({ Connection: undefined }),
    (peer) => peer.response({ Connection: 'close' }),
    (peer) => peer.response({ 'Sec-WebSocket-Accept': undefined }),
    (peer) => peer.response({ 'Sec-WebSocket-Accept': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }),
    () => '',
  ];
  for (const answer of bad) await fails(assert, await answered(t, answer));
  const good = await answered(t, (peer) => peer.response({ Upgrade: 'WebSocket', Connection: 'keep-alive, UPGRADE' }));
  await event(good, 'open');
});

test('3.12 the subprotocol must be one that was offered', async (t) => {
  const respond = (name) => (peer) => peer.response({ 'Sec-WebSocket-Protocol': name });
  await fails(assert, await answered(t, respond('chat')));
  await fails(assert, await answered(t, respond('CHAT'), 'chat'));
  await fails(assert, await answered(t, respond('other'), ['chat', 'more']));
  await fails(assert, await answered(t, respond(undefined), 'chat'));
  const good = await answered(t, respond('more'), ['chat', 'more']);
  await event(good, 'open');
  assert.equal(good.protocol, 'more');
});

test('3.13 an extension that was not offered fails the connection', async (t) => {
  const respond = (value) => (peer) => peer.response({ 'Sec-WebSocket-Extensions': value });
  for (const value of ['x-other', 'permessage-deflate; unknown', 'permessage-deflate; server_max_window_bits=7', 'permessage-deflate, permessage-deflate']) {
    await fails(assert, await answered(t, respond(value)));
  }
});

test('3.14 the response and frames in one segment', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.request();
    peer.write(
      Buffer.concat([Buffer.from(peer.response()), frame(1, Buffer.from('first')), frame(8, Buffer.from([0x03, 0xe9]))]),
    );
    await peer.finish();
  });
  const socket = new WebSocket(server.url);
  const states = [];
  socket.onopen = () => states.push(socket.readyState);
  socket.onmessage = ({ data }) => states.push(data);
  const { names, event } = await untilClosed(socket);
  assert.deepEqual(names, ['open', 'message', 'close']);
  assert.deepEqual(states, [1, 'first']);
  assert.deepEqual([event.code, event.wasClean], [1001, true]);
});

test('3.15 open is a task that sets readyState, extensions and protocol', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept({ 'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    await peer.finish();
  });
  const socket = new WebSocket(server.url, 'chat');
  const open = event(socket, 'open');
  await until(() => server.peers.length === 1);
  const { type, constructor } = await open;
  assert.deepEqual([type, constructor], ['open', Event]);
  assert.deepEqual([socket.readyState, socket.protocol, socket.extensions], [1, 'chat', 'permessage-deflate']);
  socket.close();
});

test('3.15 a running script sees no change', async (t) => {
  const server = await serve(t, async (peer) => (await peer.accept()).echo());
  const socket = new WebSocket(server.url);
  for (let i = 0; i < 1000; i += 1) {
    await null;
    assert.equal(socket.readyState, 0);
  }
  await event(socket, 'open');
  socket.close();
});

test('3.16 many sockets at once', async (t) => {
  const server = await serve(t, async (peer) => (await peer.accept()).echo());
  const sockets = Array.from({ length: 100 }, () => new WebSocket(server.url));
  await Promise.all(sockets.map((socket) => event(socket, 'open')));
  for (const socket of sockets) socket.close();
  await Promise.all(sockets.map((socket) => event(socket, 'close')));
});
