// A scripted server on a real socket, and helpers that the tests share.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { test as hostTest } from 'node:test';
import { bridged } from './bridge.mjs';
import { limits } from './limits.mjs';

export const fullduplex = createRequire(import.meta.url)('../lib/index.js');
/** Whether the tests run over HTTP/2. A bridge translates for the scripted servers. */
export const isHttp2 = process.env.FULLDUPLEX_HTTP === '2';
export const WebSocket = isHttp2 ? fullduplex.WebSocket.withDefaults({ http: 2 }) : fullduplex.WebSocket;

// Bun has no flag for it.
if (process.versions.bun !== undefined) globalThis.gc = () => globalThis.Bun.gc(true);

/** Declares a test. One that this host cannot pass is skipped, with the reason. */
export function test(name, ...rest) {
  const reason = limits[name];
  return reason === undefined ? hostTest(name, ...rest) : hostTest(name, { skip: reason }, rest.at(-1));
}

/** Returns test options that skip the test if `program` is not installed. */
export function needs(program) {
  return spawnSync(program, ['--version']).error ? { skip: `needs ${program}` } : {};
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The server's end of one connection. */
export class Peer {
  #chunks;
  #buffer = Buffer.alloc(0);

  constructor(socket) {
    this.socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]();
    socket.on('error', () => {}); // a client may reset the connection
  }

  /** Reads until `length` bytes are buffered. Returns `false` at the end of the stream. */
  async #fill(length) {
    while (this.#buffer.length < length) {
      const { value, done } = await this.#chunks.next().catch(() => ({ done: true }));
      if (done) return false;
      this.#buffer = Buffer.concat([this.#buffer, value]);
    }
    return true;
  }

  #take(length) {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  /** Reads the opening request. */
  async request() {
    for (let length = 1; ; length = this.#buffer.length + 1) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end >= 0) {
        this.head = this.#take(end + 4).toString('latin1');
        break;
      }
      if (!(await this.#fill(length))) throw new Error('no request');
    }
    const [line, ...lines] = this.head.trimEnd().split('\r\n');
    this.line = line;
    this.headers = lines.map((header) => {
      const colon = header.indexOf(':');
      return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
    });
    return this;
  }

  header(name) {
    const values = this.headers.filter(([other]) => other === name).map(([, value]) => value);
    return values.length > 0 ? values.join(', ') : undefined;
  }

  get acceptKey() {
    return createHash('sha1').update(this.header('sec-websocket-key') + GUID).digest('base64');
  }

  /** Returns the accepting response. `headers` changes headers, adds them or (`undefined`) omits them. */
  response(headers = {}) {
    const all = {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Accept': this.acceptKey,
      ...headers,
    };
    const lines = Object.entries(all).filter(([, value]) => value !== undefined);
    return `HTTP/1.1 101 Switching Protocols\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  async accept(headers) {
    await this.request();
    this.write(this.response(headers));
    return this;
  }

  text(text) {
    this.write(frame(1, Buffer.from(text)));
  }

  binary(bytes) {
    this.write(frame(2, Buffer.from(bytes)));
  }

  close(code, reason = '') {
    this.write(frame(8, closeBody(code, reason)));
  }

  /** Returns the next frame, or `undefined` at the end of the stream. */
  async frame() {
    if (!(await this.#fill(2))) return undefined;
    const [first, second] = this.#take(2);
    let length = second & 0x7f;
    if (length === 126) {
      await this.#fill(2);
      length = this.#take(2).readUInt16BE();
    } else if (length === 127) {
      await this.#fill(8);
      length = Number(this.#take(8).readBigUInt64BE());
    }
    await this.#fill(4);
    const mask = this.#take(4);
    if (!(await this.#fill(length))) return undefined;
    const payload = Buffer.from(this.#take(length));
    for (let i = 0; i < length; i += 1) payload[i] ^= mask[i % 4];
    return { fin: first >> 7 === 1, opcode: first & 15, rsv: (first >> 4) & 7, payload };
  }

  /** Returns the next unfragmented message, as a string or as bytes. */
  async message() {
    const { opcode, payload } = await this.frame();
    return opcode === 1 ? payload.toString() : payload;
  }

  /** Answers the closing handshake, and ends the connection. */
  async finish() {
    for (let next = await this.frame(); next !== undefined; next = await this.frame()) {
      if (next.opcode === 8) {
        this.write(frame(8, next.payload));
        break;
      }
    }
    this.socket.end();
  }

  /** Echoes every message until the end. */
  async echo() {
    for (let next = await this.frame(); next !== undefined; next = await this.frame()) {
      this.write(frame(next.opcode === 9 ? 10 : next.opcode, next.payload));
      if (next.opcode === 8) break;
    }
    this.socket.end();
  }
}

export function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, masked = false } = {}) {
  const { length } = payload;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const bit = masked ? 0x80 : 0;
  if (length < 126) head.push(bit | length);
  else if (length < 1 << 16) head.push(bit | 126, length >> 8, length & 255);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(length));
    head.push(bit | 127, ...long);
  }
  return Buffer.concat([Buffer.from(head), masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

export function closeBody(code, reason = '') {
  if (code === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

/** Starts a server that runs `script` with each peer. It ends with the test `t`. */
export async function serve(t, script) {
  const sockets = new Set();
  const peers = [];
  const accept = (socket) => {
    const peer = new Peer(socket);
    peers.push(peer);
    peer.done = Promise.resolve(script(peer)).catch((error) => {
      failure ??= error;
    });
  };
  const take = isHttp2 ? bridged(accept) : accept;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    take(socket);
  });
  let failure;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    if (failure) throw failure;
  });
  const { port } = server.address();
  return { port, url: `ws://127.0.0.1:${port}/`, peers, sockets };
}

export const echoing = (t) => serve(t, async (peer) => (await peer.accept()).echo());

/** Returns an open socket whose server runs `script` after accepting it. */
export async function opened(t, script = (peer) => peer.echo(), ...protocols) {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    await script(peer);
  });
  const socket = new WebSocket(server.url, ...protocols);
  await event(socket, 'open');
  return socket;
}

/** Waits for the next event of a type. */
export const event = (target, type) =>
  new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

/** Waits for `close`; returns it and the names of all events. */
export function untilClosed(socket) {
  return new Promise((resolve) => {
    const names = [];
    for (const type of ['open', 'message', 'error', 'close']) {
      socket.addEventListener(type, (event) => {
        names.push(event.type);
        if (type === 'close') resolve({ names, event });
      });
    }
  });
}

/** Asserts that the connection fails the way all failures do. */
export async function fails(assert, socket) {
  const { names, event } = await untilClosed(socket);
  assert.deepEqual(names.filter((name) => name !== 'message'), ['error', 'close']);
  assert.deepEqual([event.code, event.reason, event.wasClean], [1006, '', false]);
}

export const throwsDom = (assert, call, name) =>
  assert.throws(call, (error) => {
    assert.ok(error instanceof DOMException, `${error}`);
    assert.equal(error.name, name);
    return true;
  });

/** Returns a promise and its `resolve`. */
export function deferred() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Waits for the next turn of the event loop. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Waits until `condition` holds. The test's own timeout is the limit. */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/**
 * Waits until pending work has had time to finish: echoes a hundred messages on another connection of the same
 * environment, which the same I/O thread serves.
 */
export async function settle(t) {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    await peer.echo();
  });
  const socket = new WebSocket(server.url);
  await once(socket, 'open');
  for (let i = 0; i < 100; i += 1) {
    socket.send('there');
    await once(socket, 'message');
  }
  socket.close();
  await once(socket, 'close');
}
