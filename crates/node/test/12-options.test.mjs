// Features beyond the standard: options and ping().
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Peer, WebSocket, event, fails, frame, fullduplex, needs, opened, serve, test, untilClosed } from './support.mjs';

const { WebSocketStream } = fullduplex;
const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));

/** Returns the request of a socket with these options. */
async function requestWith(t, options) {
  let request;
  const server = await serve(t, async (peer) => {
    request = await peer.request();
    peer.socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  });
  await event(new WebSocket(server.url, [], options), 'close');
  return request;
}

test('options as the third argument, and in place of the protocols', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.request();
    peer.write(peer.response({ 'Sec-WebSocket-Protocol': peer.header('sec-websocket-protocol') }));
    await peer.finish();
  });
  const socket = new WebSocket(server.url, { protocols: 'chat', headers: { 'X-One': '1' } });
  await event(socket, 'open');
  assert.equal(socket.protocol, 'chat');
  assert.equal(server.peers[0].header('x-one'), '1');
  socket.close();
});

test('headers', async (t) => {
  for (const headers of [{ Authorization: 'me', 'X-Two': ['a', 'b'] }, [['Authorization', 'me'], ['X-Two', 'a'], ['X-Two', 'b']], new Headers({ Authorization: 'me', 'X-Two': 'a, b' })]) {
    const request = await requestWith(t, { headers });
    assert.deepEqual([request.header('authorization'), request.header('x-two')], ['me', 'a, b']);
  }
  for (const headers of [{ 'bad name': 'x' }, { ok: 'a\r\nb: c' }, { 'Sec-WebSocket-Key': 'x' }, 'text']) {
    assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { headers }), TypeError);
  }
  // FC-14: a program may set Host on purpose.
  assert.equal((await requestWith(t, { headers: { Host: 'x.example' } })).header('host'), 'x.example');
});

test('origin', async (t) => {
  assert.equal((await requestWith(t, { origin: 'https://example.com' })).header('origin'), 'https://example.com');
  assert.equal((await requestWith(t, {})).header('origin'), undefined);
  assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { origin: 'no origin' }), TypeError);
});

test('perMessageDeflate', async (t) => {
  const offer = async (perMessageDeflate) => (await requestWith(t, { perMessageDeflate })).header('sec-websocket-extensions');
  assert.equal(await offer(false), undefined);
  assert.match(await offer(true), /^permessage-deflate/);
  assert.match(await offer({ clientNoContextTakeover: true, serverMaxWindowBits: 10 }), /client_no_context_takeover.*server_max_window_bits=10|server_max_window_bits=10.*client_no_context_takeover/);
  assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { perMessageDeflate: { serverMaxWindowBits: 16 } }), TypeError);
});

test('maxPayload', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.text('x'.repeat(100));
    peer.text('x'.repeat(101));
    assert.equal((await peer.frame()).payload.readUInt16BE(), 1009);
    peer.socket.end();
  });
  const socket = new WebSocket(server.url, [], { maxPayload: 100 });
  const { names } = await untilClosed(socket);
  assert.deepEqual(names, ['open', 'message', 'error', 'close']);
});

// FS-09
test('maxHeaderSize and maxHeadersCount', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.request();
    peer.write(peer.response({ 'Content-Security-Policy': 'x'.repeat(20_000) }));
    await peer.finish();
  });
  await fails(assert, new WebSocket(server.url));
  await fails(assert, new WebSocket(server.url, [], { maxHeaderSize: 32_768, maxHeadersCount: 3 }));
  const socket = new WebSocket(server.url, [], { maxHeaderSize: 32_768 });
  await event(socket, 'open');
  socket.close();
});

test('handshakeTimeout', async (t) => {
  const server = await serve(t, (peer) => peer.request());
  const start = performance.now();
  await fails(assert, new WebSocket(server.url, [], { handshakeTimeout: 50 }));
  assert.ok(performance.now() - start < 5000);
});

test('keepalive: a Ping that is not answered ends the connection', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    assert.equal((await peer.frame()).opcode, 9);
  });
  const socket = new WebSocket(server.url, [], { pingInterval: 20, pingTimeout: 50 });
  const { names, event: close } = await untilClosed(socket);
  assert.deepEqual([names, close.code], [['open', 'error', 'close'], 1006]);
});

test('anyPort and deliverAfterClose', async (t) => {
  await fails(assert, new WebSocket('ws://127.0.0.1:1/', [], { anyPort: true })); // refused, not blocked
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.write(Buffer.concat([frame(1, Buffer.from('1')), frame(1, Buffer.from('2'))]));
    await peer.finish();
  });
  const socket = new WebSocket(server.url, [], { deliverAfterClose: true });
  const got = [];
  socket.onmessage = ({ data }) => {
    got.push(data);
    socket.close();
  };
  await event(socket, 'close');
  assert.deepEqual(got, ['1', '2']);
});

test('cookies', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.request();
    peer.write(peer.response({ 'Set-Cookie': 'b=2; Path=/' }));
    await peer.finish();
  });
  const calls = [];
  const cookies = {
    getCookies(url) {
      calls.push(['get', url]);
      return 'a=1';
    },
    setCookies(url, values) {
      calls.push(['set', url, values]);
    },
  };
  const socket = new WebSocket(server.url, [], { cookies });
  socket.onopen = () => calls.push('open');
  await event(socket, 'open');
  assert.deepEqual(calls, [['get', server.url], ['set', server.url, ['b=2; Path=/']], 'open']);
  assert.equal(server.peers[0].header('cookie'), 'a=1');
  socket.close();
});

test('proxy: HTTP CONNECT', async (t) => {
  const target = await serve(t, async (peer) => (await peer.accept()).echo());
  const lines = [];
  const proxy = createTcpServer((client) => {
    client.once('data', (head) => {
      const [line] = head.toString().split('\r\n');
      lines.push(line);
      const [host, port] = line.split(' ')[1].split(':');
      const upstream = connect(port, host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      for (const socket of [client, upstream]) socket.on('error', () => {});
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  const socket = new WebSocket(target.url, [], { proxy: `http://127.0.0.1:${proxy.address().port}` });
  await event(socket, 'open');
  socket.send('through');
  assert.equal((await event(socket, 'message')).data, 'through');
  assert.deepEqual(lines, [`CONNECT 127.0.0.1:${target.port} HTTP/1.1`]);
  const closed = event(socket, 'close');
  socket.close();
  await closed;
  assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { proxy: 'ftp://x' }), TypeError);
});

test('tls', needs('openssl'), async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE', '-days', '2'], { stdio: 'ignore' });
  const ca = readFileSync(cert);
  const server = createTlsServer({ key: readFileSync(key), cert: ca }, async (socket) => {
    const peer = new Peer(socket);
    await peer.accept();
    await peer.echo();
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `wss://127.0.0.1:${server.address().port}/`;
  const opens = async (tls) => {
    const socket = new WebSocket(url, [], { tls });
    await event(socket, 'open');
    const closed = event(socket, 'close');
    socket.close();
    await closed;
  };
  await opens({ ca, servername: 'localhost' });
  await opens({ ca: [ca.toString()], servername: 'localhost' });
  await opens({ rejectUnauthorized: false });
  // FN-11
  const source = `const { WebSocket } = require(${JSON.stringify(index)});
    const tls = { servername: 'localhost' };
    const socket = new WebSocket(${JSON.stringify(url)}, [], process.argv[1] === 'plain' ? {} : { tls });
    socket.onopen = () => { console.log('open'); socket.close(); };
    socket.onerror = () => console.log('failed');`;
  const outcome = (env, ...args) => promisify(execFile)(process.execPath, ['--no-warnings', '-e', source, ...args], { env: { ...process.env, ...env } });
  assert.equal((await outcome({})).stdout, 'failed\n');
  assert.equal((await outcome({ NODE_EXTRA_CA_CERTS: cert })).stdout, 'open\n');
  assert.equal((await outcome({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'plain')).stdout, 'open\n');
  assert.equal((await outcome({ NODE_EXTRA_CA_CERTS: join(folder, 'none') })).stdout, 'failed\n');
  await fails(assert, new WebSocket(url));
  await fails(assert, new WebSocket(url, [], { tls: { ca } })); // the certificate has another name
  for (const tls of [{ ca: 'no PEM' }, { cert: ca }, { servername: 'not a name' }]) {
    assert.throws(() => new WebSocket(url, [], { tls }), TypeError);
  }
});

test('options that cannot be used are TypeErrors', () => {
  for (const options of [{ maxPayload: -1 }, { maxPayload: 'x' }, { pingInterval: NaN }, 5, 'text']) {
    assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], options), TypeError);
  }
});

test('ping() resolves with the Pong', async (t) => {
  const socket = await opened(t);
  await Promise.all([socket.ping(), socket.ping()]);
  await socket.ping();
  socket.close();
  await assert.rejects(socket.ping(), { name: 'InvalidStateError' });
});

test('ping() rejects if the connection ends first', async (t) => {
  const connecting = new WebSocket('ws://127.0.0.1:9/');
  await assert.rejects(connecting.ping(), { name: 'InvalidStateError' });
  const socket = await opened(t, async (peer) => {
    await peer.frame();
    peer.socket.destroy();
  });
  await assert.rejects(socket.ping(), { name: 'InvalidStateError' });
});

// FN-09
test('a Blob that cannot be read fails only its connection', async (t) => {
  const socket = await opened(t);
  const uncaught = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  const folder = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'blob');
  writeFileSync(path, 'before');
  const blob = await openAsBlob(path);
  writeFileSync(path, 'it has changed since'); // a Blob whose file has changed cannot be read
  socket.send(blob);
  await fails(assert, socket);
  assert.deepEqual(uncaught, []);
});

// FN-09
test('a cookie jar is checked by the constructor', () => {
  const jar = (cookies) => () => new WebSocket('ws://127.0.0.1:9/', [], { cookies });
  const setCookies = () => {};
  assert.throws(jar({ getCookies: async () => 'a=1', setCookies }), /cannot be asynchronous/);
  assert.throws(jar({ getCookies: () => '' }), /no function setCookies/);
  assert.throws(jar({ setCookies }), /no function getCookies/);
  assert.throws(jar(5), TypeError);
  assert.throws(jar({ getCookies: () => { throw new RangeError('mine'); }, setCookies }), RangeError);
  jar({ getCookies: () => null, setCookies })();
});

// FN-15
test('options on a polluted Object.prototype are ignored', async (t) => {
  const polluted = { tls: { rejectUnauthorized: false }, proxy: 'ftp://no', headers: { 'X-Polluted': '1' }, origin: 'https://polluted.example', cookies: 5 };
  for (const name in polluted) Object.defineProperty(Object.prototype, name, { value: polluted[name], configurable: true, writable: true });
  const clean = () => {
    for (const name in polluted) delete Object.prototype[name];
  };
  t.after(clean);
  for (const options of [undefined, {}, { anyPort: false }]) {
    const request = await requestWith(t, options);
    assert.deepEqual([request.header('x-polluted'), request.header('origin')], [undefined, undefined]);
  }
  const server = await serve(t, async (peer) => (await peer.accept()).finish());
  const stream = new WebSocketStream(server.url, {});
  await stream.opened;
  assert.equal(server.peers[0].header('x-polluted'), undefined);
  stream.close();
  await stream.closed;
});

// FN-15
test('each option is read once, in alphabetical order, inherited ones too', () => {
  const makers = [(options) => new WebSocket('ws://127.0.0.1:9/', [], options), (options) => new WebSocketStream('ws://127.0.0.1:9/', options)];
  for (const make of makers) {
    const read = [];
    const options = new Proxy({ origin: 'https://example.com', anyPort: false, maxPayload: 5, unknown: 1 }, {
      get(target, name) {
        read.push(name);
        return target[name];
      },
    });
    const made = make(options);
    made.opened?.catch(() => {});
    made.closed?.catch(() => {});
    assert.deepEqual(read, ['anyPort', 'maxPayload', 'origin']);
  }
  class Options {
    get origin() {
      return 'no origin';
    }
  }
  assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], new Options()), TypeError);
});

// FN-15
test('null counts as unset, and numbers of bits must be integers', async (t) => {
  const request = await requestWith(t, { headers: { Authorization: undefined, 'X-Null': null, 'X-One': '1' }, tls: null, proxy: null, origin: null, perMessageDeflate: null, maxPayload: null, cookies: null });
  assert.deepEqual([request.header('authorization'), request.header('x-null'), request.header('x-one')], [undefined, undefined, '1']);
  assert.match(request.header('sec-websocket-extensions'), /^permessage-deflate/);
  for (const options of [{ perMessageDeflate: { clientMaxWindowBits: 8.5 } }, { perMessageDeflate: { threshold: 0.5 } }, { maxPayload: 1.5 }]) {
    assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], options), TypeError);
  }
});

// FN-22
test('header values are Latin-1', async (t) => {
  const cookies = { getCookies: () => 'c=\u00fc', setCookies() {} };
  const request = await requestWith(t, { headers: { 'X-Name': 'J\u00fcrgen' }, cookies });
  assert.deepEqual([request.header('x-name'), request.header('cookie')], ['J\u00fcrgen', 'c=\u00fc']); // the head is read as Latin-1
  for (const value of ['\u{1f525}', '\u0100']) {
    assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { headers: { 'X-Name': value } }), TypeError);
    assert.throws(() => new WebSocket('ws://127.0.0.1:9/', [], { cookies: { getCookies: () => value, setCookies() {} } }), TypeError);
  }
});
