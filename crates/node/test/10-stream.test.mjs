import assert from 'node:assert/strict';
import { closeBody, deferred, echoing, frame, fullduplex, settle, serve, test, throwsDom, until } from './support.mjs';

const { WebSocketError, WebSocketStream } = fullduplex;
const NOWHERE = 'ws://127.0.0.1:9/';
const quiet = (stream) => {
  stream.opened.catch(() => {});
  stream.closed.catch(() => {});
  return stream;
};

/** Starts a server that runs `script` with each accepted peer. Returns an open stream to it. */
async function opened(t, script = (peer) => peer.echo()) {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    await script(peer);
  });
  const stream = quiet(new WebSocketStream(server.url));
  const { readable, writable } = await stream.opened;
  return { server, stream, readable, writable, reader: readable.getReader(), writer: writable.getWriter() };
}

const rejection = (promise) => promise.then(() => assert.fail('it did not reject'), (error) => error);

async function isFailure(promise, code = 1006) {
  const error = await rejection(promise);
  assert.ok(error instanceof WebSocketError && error instanceof DOMException, `${error}`);
  assert.deepEqual([error.name, error.closeCode, error.constructor, error.code], ['WebSocketError', code, WebSocketError, 0]);
  return error;
}

test('10.1 the constructor rejects invalid arguments', () => {
  assert.throws(() => new WebSocketStream(), TypeError);
  assert.throws(() => WebSocketStream(NOWHERE), TypeError);
  for (const url of ['invalid', 'ws://a/#', 'ftp://a/']) throwsDom(assert, () => new WebSocketStream(url), 'SyntaxError');
  for (const protocols of [['a', 'a'], ['a b'], ['']]) throwsDom(assert, () => new WebSocketStream(NOWHERE, { protocols }), 'SyntaxError');
  for (const options of [true, 1, 'x']) assert.throws(() => new WebSocketStream(NOWHERE, options), TypeError);
  for (const protocols of ['hi', 1, {}]) assert.throws(() => new WebSocketStream(NOWHERE, { protocols }), TypeError);
  assert.throws(() => new WebSocketStream(NOWHERE, { signal: 1 }), TypeError);
  assert.equal(WebSocketStream.length, 1);
  for (const name of ['url', 'opened', 'closed', 'close']) {
    assert.ok(Object.getOwnPropertyDescriptor(WebSocketStream.prototype, name).enumerable);
  }
  assert.equal(Object.prototype.toString.call(WebSocketStream.prototype), '[object WebSocketStream]');
});

test('10.2 opened resolves with the streams and the negotiated values', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept({ 'Sec-WebSocket-Protocol': 'chat' });
    await peer.finish();
  });
  const stream = new WebSocketStream(server.url, { protocols: ['chat'] });
  assert.equal(stream.url, server.url);
  assert.equal(stream.opened, stream.opened);
  const result = await stream.opened;
  assert.deepEqual(Object.keys(result).sort(), ['extensions', 'protocol', 'readable', 'writable']);
  assert.deepEqual([result.protocol, result.extensions], ['chat', '']);
  assert.ok(result.readable instanceof ReadableStream && result.writable instanceof WritableStream);
  stream.close();
  await stream.closed;
});

test('10.3 a failed handshake rejects opened and closed', async (t) => {
  const refused = quiet(new WebSocketStream(NOWHERE));
  assert.equal(await isFailure(refused.opened), await isFailure(refused.closed));
  const { url } = await echoing(t);
  const closed = quiet(new WebSocketStream(url));
  closed.close({ closeCode: 3000 });
  await isFailure(closed.opened);
  await isFailure(closed.closed);
});

test('10.4 the signal aborts connecting, and nothing later', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.request();
    if (server.answers) await (peer.write(peer.response()), peer.echo());
  });
  const already = quiet(new WebSocketStream(server.url, { signal: AbortSignal.abort('why') }));
  assert.deepEqual([await rejection(already.opened), await rejection(already.closed)], ['why', 'why']);
  assert.equal(server.peers.length, 0);
  const abort = new AbortController();
  const during = quiet(new WebSocketStream(server.url, { signal: abort.signal }));
  await until(() => server.peers.length === 1);
  abort.abort();
  assert.equal((await rejection(during.opened)).name, 'AbortError');
  assert.equal((await rejection(during.closed)).name, 'AbortError');
  server.answers = true;
  const late = new AbortController();
  const open = new WebSocketStream(server.url, { signal: late.signal });
  const { readable, writable } = await open.opened;
  late.abort();
  await writable.getWriter().write('still here');
  assert.equal((await readable.getReader().read()).value, 'still here');
  open.close();
  await open.closed;
});

test('10.4 the reason of the signal is not read through a replaced getter', async (t) => {
  const abort = new AbortController();
  Object.defineProperty(abort.signal, 'reason', { get: () => assert.fail('the getter was called') });
  const { url } = await serve(t, () => {}); // never answers
  const stream = new WebSocketStream(url, { signal: abort.signal });
  abort.abort('mine');
  for (const promise of [stream.opened, stream.closed]) await assert.rejects(promise, (reason) => reason === 'mine');
});

test('10.5 text is a string, binary a Uint8Array', async (t) => {
  const { stream, reader } = await opened(t, async (peer) => {
    peer.text('\ufefftext');
    peer.binary([1, 2]);
    await peer.finish();
  });
  assert.deepEqual(await reader.read(), { done: false, value: '\ufefftext' });
  const { value } = await reader.read();
  assert.ok(value.constructor === Uint8Array);
  assert.deepEqual([...value], [1, 2]);
  stream.close();
  await stream.closed;
});

test('10.5 a reader that does not read slows down the sender', async (t) => {
  let written = 0;
  const { stream, reader } = await opened(t, async (peer) => {
    const chunk = frame(2, Buffer.alloc(1 << 20));
    for (; written < 64; written += 1) {
      if (!peer.socket.write(chunk)) await new Promise((resolve) => peer.socket.once('drain', resolve));
    }
    await peer.finish();
  });
  let before = -1;
  while (before !== written) {
    before = written;
    await settle(t);
  }
  assert.ok(written < 32, `${written} MiB were taken`);
  for (let i = 0; i < 64; i += 1) await reader.read();
  await until(() => written === 64);
  stream.close();
  await stream.closed;
});

test('10.6 writing', async (t) => {
  const { stream, reader, writer } = await opened(t);
  const bytes = Uint8Array.of(1, 2, 3);
  const values = ['text', '\ud800', '', 5, null, bytes, bytes.buffer, new DataView(bytes.buffer, 1)];
  for (const value of values) {
    await writer.write(value);
    const { value: got } = await reader.read();
    if (typeof got === 'string') assert.equal(got, `${value}`.toWellFormed());
    else assert.deepEqual([...got], value instanceof DataView ? [2, 3] : [1, 2, 3]);
  }
  const copied = writer.write(bytes);
  bytes.fill(9);
  await copied;
  assert.deepEqual([...(await reader.read()).value], [1, 2, 3]);
  stream.close();
  await stream.closed;
});

test('10.6 an invalid chunk rejects the write', async (t) => {
  const bad = [new Uint8Array(new SharedArrayBuffer(1)), new ArrayBuffer(1, { maxByteLength: 2 }), Symbol('x'), { toString() { throw new RangeError('mine'); } }];
  for (const value of bad) {
    const { stream, writer } = await opened(t);
    const error = await rejection(writer.write(value));
    assert.ok(error instanceof TypeError || error instanceof RangeError);
    stream.close();
    await stream.closed.catch(() => {});
  }
});

test('10.6 a write resolves when there is room', async (t) => {
  const held = deferred();
  const { stream, writer } = await opened(t, async (peer) => {
    await held.promise;
    await peer.finish();
  });
  let resolved = false;
  const big = writer.write(new Uint8Array(12 << 20)).then(() => {
    resolved = true;
  });
  await settle(t);
  assert.equal(resolved, false);
  held.resolve();
  await big;
  stream.close();
  await stream.closed;
});

test('10.7 close()', async (t) => {
  const body = async (...args) => {
    const got = deferred();
    const { stream } = await opened(t, async (peer) => {
      const { payload } = await peer.frame();
      got.resolve(payload);
      peer.write(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
      peer.socket.end();
    });
    assert.equal(stream.close(...args), undefined);
    return [await got.promise, await stream.closed];
  };
  assert.deepEqual(await body(), [Buffer.alloc(0), { closeCode: 1005, reason: '' }]);
  assert.deepEqual(await body({ closeCode: 3456, reason: 'pizza' }), [closeBody(3456, 'pizza'), { closeCode: 3456, reason: 'pizza' }]);
  assert.deepEqual((await body({ reason: 'why' }))[0], closeBody(1000, 'why'));
  const { stream } = await opened(t);
  for (const info of [true, 1, 'x']) assert.throws(() => stream.close(info), TypeError);
  for (const closeCode of [-1, 65_536, NaN]) assert.throws(() => stream.close({ closeCode }), TypeError);
  for (const closeCode of [0, 999, 1001, 2999, 5000, null]) throwsDom(assert, () => stream.close({ closeCode }), 'InvalidAccessError');
  throwsDom(assert, () => stream.close({ reason: 'x'.repeat(124) }), 'SyntaxError');
  stream.close();
  await stream.closed;
});

test('10.8 cancelling and aborting close the connection; a WebSocketError gives code and reason', async (t) => {
  const cases = [
    [({ reader }) => reader.cancel(), closeBody()],
    [({ reader }) => reader.cancel(new Error('mine')), closeBody()],
    [({ reader }) => reader.cancel(new WebSocketError('', { closeCode: 3001, reason: 'r' })), closeBody(3001, 'r')],
    [({ writer }) => writer.abort(), closeBody()],
    [({ writer }) => writer.abort(new WebSocketError('', { reason: 'only' })), closeBody(1000, 'only')],
    [({ writer }) => writer.abort({ closeCode: 3000 }), closeBody()],
    [({ writer }) => writer.close(), closeBody()],
  ];
  for (const [act, expected] of cases) {
    const got = deferred();
    const streams = await opened(t, async (peer) => {
      const { payload } = await peer.frame();
      got.resolve(payload);
      peer.write(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
      peer.socket.end();
    });
    await act(streams);
    assert.deepEqual(await got.promise, expected);
    await streams.stream.closed;
  }
});

test('10.8 the getters of a reason are not called', async (t) => {
  class Mine extends WebSocketError {
    get closeCode() {
      throw new Error('closeCode was read');
    }
  }
  for (const [reason, expected] of [
    [new Mine('', { closeCode: 3001 }), closeBody(3001)],
    [Object.create(WebSocketError.prototype), closeBody()],
  ]) {
    const got = deferred();
    const { reader, stream } = await opened(t, async (peer) => {
      const { payload } = await peer.frame();
      got.resolve(payload);
      peer.write(frame(8, payload));
      peer.socket.end();
    });
    await reader.cancel(reason);
    assert.deepEqual(await got.promise, expected);
    await stream.closed;
  }
});

test('10.8 the code of an error received from the server is not sent back', async (t) => {
  const { stream, writer, reader } = await opened(t, async (peer) => {
    peer.close(1001);
    peer.socket.end(); // and does not wait for the answer
  });
  await stream.closed.catch(() => {});
  await Promise.allSettled([writer.closed, reader.closed]);
});

test('10.9 writer.close() resolves when the closing handshake has finished', async (t) => {
  const held = deferred();
  const got = deferred();
  const { stream, writer } = await opened(t, async (peer) => {
    for (let next = await peer.frame(); next.opcode !== 8; next = await peer.frame());
    got.resolve();
    await held.promise;
    peer.close(1000);
    peer.socket.end();
  });
  writer.write('first');
  let resolved = false;
  const closed = writer.close().then(() => {
    resolved = true;
  });
  await got.promise;
  await settle(t);
  assert.equal(resolved, false);
  held.resolve();
  await closed;
  assert.equal((await stream.closed).closeCode, 1000);
});

test('10.10 a clean close of the server', async (t) => {
  for (const [code, reason, expected] of [[undefined, '', 1005], [4321, 'remote', 4321]]) {
    const { stream, reader, writer } = await opened(t, async (peer) => {
      peer.text('last');
      peer.close(code, reason);
      await peer.frame();
      peer.socket.end();
    });
    assert.equal((await reader.read()).value, 'last');
    assert.deepEqual(await reader.read(), { done: true, value: undefined });
    assert.deepEqual(await stream.closed, { closeCode: expected, reason });
    const error = await rejection(writer.write('late'));
    assert.equal(error.name, 'InvalidStateError');
  }
});

test('10.10 a clean close without a reader', async (t) => {
  const { stream } = await opened(t, async (peer) => {
    peer.close(1000);
    await peer.frame();
    peer.socket.end();
  });
  assert.equal((await stream.closed).closeCode, 1000);
});

test('10.11 an unclean end rejects all promises with the same error', async (t) => {
  const { stream, reader, writer } = await opened(t, (peer) => peer.socket.destroy());
  const error = await isFailure(stream.closed);
  assert.equal(await rejection(reader.read()), error);
  assert.equal(await rejection(writer.closed), error);
});

test('10.12 a Close during an unfinished large write is not clean', async (t) => {
  const { stream, writer } = await opened(t, async (peer) => {
    await settle(t);
    peer.close(1000);
    peer.socket.end();
    peer.socket.pause();
    await settle(t);
    peer.socket.destroy();
  });
  const write = writer.write(new Uint8Array(64 << 20));
  const error = await rejection(write);
  assert.equal(error.name, 'InvalidStateError');
  assert.ok((await rejection(stream.closed)) instanceof WebSocketError);
});

// FN-04
test('10.12 a write that was unfinished at the end and later writes reject with the same error', async (t) => {
  const { stream, writer } = await opened(t, async (peer) => {
    await settle(t);
    peer.close(1000);
    peer.socket.end();
    peer.socket.pause();
    await settle(t);
    peer.socket.destroy();
  });
  const error = await rejection(writer.write(new Uint8Array(64 << 20)));
  assert.equal(error.name, 'InvalidStateError');
  await stream.closed.catch(() => {});
  const { stream: clean, writer: other } = await opened(t, async (peer) => {
    await peer.frame();
    peer.close(1000);
    await peer.frame();
    peer.socket.end();
  });
  await other.write('x');
  await clean.closed;
  const later = await rejection(other.write('late'));
  assert.equal(later.name, 'InvalidStateError');
  assert.equal(await rejection(other.closed), later);
});

// FN-04
test('10.14 data written when `opened` resolves is sent before answering a Close that came with the response', async (t) => {
  for (let i = 0; i < 20; i += 1) {
    const server = await serve(t, async (peer) => {
      await peer.request();
      peer.write(Buffer.concat([Buffer.from(peer.response()), frame(8, closeBody(1000))]));
      await peer.finish();
    });
    const stream = quiet(new WebSocketStream(server.url));
    const order = [];
    const writes = stream.opened.then(async ({ writable }) => {
      order.push('opened');
      await writable.getWriter().write('first');
      order.push('written');
    });
    stream.closed.then(() => order.push('closed'), () => order.push('closed'));
    await writes;
    await stream.closed.catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, ['opened', 'written', 'closed']);
  }
});

test('10.13 garbage collection during unfinished writes', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
  });
  await (async () => {
    const stream = quiet(new WebSocketStream(server.url));
    const { writable } = await stream.opened;
    writable.getWriter().write(new Uint8Array(32 << 20)).catch(() => {});
  })();
  for (let i = 0; i < 20; i += 1) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('10 WebSocketError', () => {
  const plain = new WebSocketError();
  assert.deepEqual([plain.name, plain.message, plain.code, plain.closeCode, plain.reason], ['WebSocketError', '', 0, null, '']);
  assert.ok(plain instanceof DOMException);
  assert.equal(WebSocketError.length, 0);
  assert.deepEqual([new WebSocketError('m', { reason: 'r' }).closeCode, new WebSocketError('', { closeCode: 3000 }).closeCode], [1000, 3000]);
  assert.equal(new WebSocketError('', { reason: '\ud800' }).reason, '\ufffd');
  for (const closeCode of [0, 999, 1001, 2999, 5000]) throwsDom(assert, () => new WebSocketError('', { closeCode }), 'InvalidAccessError');
  for (const closeCode of [-1, 65_536]) assert.throws(() => new WebSocketError('', { closeCode }), TypeError);
  throwsDom(assert, () => new WebSocketError('', { reason: 'x'.repeat(124) }), 'SyntaxError');
  assert.throws(() => new WebSocketError('', 1), TypeError);
});
