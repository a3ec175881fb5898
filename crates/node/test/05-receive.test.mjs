import assert from 'node:assert/strict';
import { WebSocket, closeBody, event, fails, frame, opened, serve, test, turn } from './support.mjs';

/** Returns the `message` events for what the server writes. */
async function received(t, script, prepare = () => {}) {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    script(peer);
    peer.close(1000);
    await peer.finish();
  });
  const socket = new WebSocket(server.url);
  prepare(socket);
  const events = [];
  socket.addEventListener('message', (event) => events.push(event));
  await event(socket, 'close');
  return events;
}

test('5.1 a message is dropped unless the socket is OPEN when it would fire', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept();
    peer.write(Buffer.concat([frame(1, Buffer.from('1')), frame(1, Buffer.from('2')), frame(1, Buffer.from('3'))]));
    await peer.finish();
  });
  const socket = new WebSocket(server.url);
  const got = [];
  socket.onmessage = ({ data }) => {
    got.push(data);
    if (data === '2') socket.close();
  };
  await event(socket, 'close');
  assert.deepEqual(got, ['1', '2']);
});

test('5.2 text is a string, with its BOM', async (t) => {
  const texts = ['plain', '', '\ufeffwith a BOM', 'ä€\ud83d\ude00', '\0', '\u00ff', 'x'.repeat(70_000)];
  const events = await received(t, (peer) => texts.forEach((text) => peer.text(text)));
  assert.deepEqual(events.map(({ data }) => data), texts);
});

test('5.2 binary is a Blob or an ArrayBuffer, by binaryType when it fires', async (t) => {
  const kinds = ['arraybuffer', 'blob', 'arraybuffer', 'blob'];
  const events = await received(
    t,
    (peer) => kinds.forEach((_, i) => peer.binary([i, i])),
    (socket) => {
      let i = 0;
      socket.binaryType = kinds[0];
      socket.addEventListener('message', () => {
        i += 1;
        if (i < kinds.length) socket.binaryType = kinds[i];
      });
    },
  );
  for (const [i, { data }] of events.entries()) {
    const isBlob = kinds[i] === 'blob';
    assert.ok(data instanceof (isBlob ? Blob : ArrayBuffer));
    if (isBlob) assert.deepEqual([data.type, data.size], ['', 2]);
    assert.deepEqual([...new Uint8Array(isBlob ? await data.arrayBuffer() : data)], [i, i]);
  }
});

test('5.2 each message has its own ArrayBuffer, whatever its size', async (t) => {
  const sizes = [0, 1, 65_535, 65_536, 1 << 20];
  const events = await received(
    t,
    (peer) => sizes.forEach((size) => peer.binary(Buffer.alloc(size, size % 251))),
    (socket) => {
      socket.binaryType = 'arraybuffer';
    },
  );
  assert.deepEqual(events.map(({ data }) => data.byteLength), sizes);
  for (const { data } of events) {
    assert.ok(new Uint8Array(data).every((byte) => byte === data.byteLength % 251));
    const moved = structuredClone(data, { transfer: [data] });
    assert.equal(data.byteLength, 0);
    new Uint8Array(moved).fill(7);
  }
});

test('5.3 binaryType', async (t) => {
  const socket = new WebSocket('ws://127.0.0.1:9/');
  const check = () => {
    assert.equal(socket.binaryType, 'blob');
    for (const wrong of ['', 'Blob', 'notBlobOrArrayBuffer', null, undefined, 0]) {
      socket.binaryType = wrong;
      assert.equal(socket.binaryType, 'blob');
    }
    socket.binaryType = 'arraybuffer';
    assert.equal(socket.binaryType, 'arraybuffer');
    socket.binaryType = { toString: () => 'blob' };
    assert.equal(socket.binaryType, 'blob');
    assert.throws(() => {
      socket.binaryType = Symbol('x');
    }, TypeError);
  };
  check();
  await event(socket, 'close');
  check();
});

test('5.4 members of Object.prototype do not reach the events', async (t) => {
  const polluted = { bubbles: true, cancelable: true, lastEventId: 'x', origin: 'https://polluted.example', source: 'x' };
  const socket = await opened(t, async (peer) => {
    peer.text('x');
    await peer.finish();
  });
  const message = event(socket, 'message').finally(() => {
    for (const name in polluted) delete Object.prototype[name];
  });
  Object.assign(Object.prototype, polluted);
  const { origin, lastEventId, source, bubbles, cancelable } = await message;
  assert.deepEqual([origin, lastEventId, source, bubbles, cancelable], [new URL(socket.url).origin, '', null, false, false]);
  socket.close();
});

test('5.4 the attributes of a MessageEvent', async (t) => {
  const [message] = await received(t, (peer) => peer.text('x'));
  assert.ok(message instanceof MessageEvent && message instanceof Event);
  const { type, origin, lastEventId, source, ports, bubbles, cancelable, isTrusted, constructor } = message;
  assert.match(origin, /^ws:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual([type, lastEventId, source, ports, bubbles, cancelable, isTrusted, constructor], ['message', '', null, [], false, false, true, MessageEvent]);
  assert.equal(Object.isFrozen(ports), Object.isFrozen(new MessageEvent('x').ports)); // the class is the host's
  assert.equal(Object.prototype.toString.call(message), Object.prototype.toString.call(new MessageEvent('x')));
});

const invalid = {
  'RSV1 without an extension': [frame(1, Buffer.from('x'), { rsv: 4 })],
  RSV2: [frame(1, Buffer.from('x'), { rsv: 2 })],
  RSV3: [frame(1, Buffer.from('x'), { rsv: 1 })],
  'a reserved opcode': [frame(3)],
  'a reserved control opcode': [frame(11)],
  'a masked frame': [frame(1, Buffer.from('x'), { masked: true })],
  'a Ping above 125 bytes': [frame(9, Buffer.alloc(126))],
  'a fragmented Ping': [frame(9, Buffer.alloc(0), { fin: false })],
  'a fragmented Close': [frame(8, Buffer.alloc(0), { fin: false })],
  'a continuation without a first frame': [frame(0, Buffer.from('x'))],
  'a new message inside a fragmented one': [frame(1, Buffer.from('x'), { fin: false }), frame(1, Buffer.from('y'))],
  'invalid UTF-8': [frame(1, Buffer.from([0xff]))],
  'truncated UTF-8': [frame(1, Buffer.from([0xe2, 0x82]))],
  'a surrogate encoded in UTF-8': [frame(1, Buffer.from([0xed, 0xa0, 0x80]))],
  'invalid UTF-8 across fragments': [frame(1, Buffer.from([0xe2]), { fin: false }), frame(0, Buffer.from([0x28]))],
  'a Close body of one byte': [frame(8, Buffer.from([3]))],
  'the close code 999': [frame(8, closeBody(999))],
  'the close code 1005': [frame(8, closeBody(1005))],
  'the close code 1006': [frame(8, closeBody(1006))],
  'the close code 1015': [frame(8, closeBody(1015))],
  'the close code 5000': [frame(8, closeBody(5000))],
  'a Close reason that is not UTF-8': [frame(8, Buffer.concat([closeBody(1000), Buffer.from([0xff])]))],
};
for (const [name, frames] of Object.entries(invalid)) {
  test(`5.5 ${name} fails the connection`, async (t) => {
    const server = await serve(t, async (peer) => {
      await peer.accept();
      for (const bytes of frames) peer.write(bytes);
      await peer.finish();
    });
    const socket = new WebSocket(server.url);
    await event(socket, 'open');
    await fails(assert, socket);
  });
}

test('5.6 payload lengths at the encoding boundaries', async (t) => {
  const sizes = [125, 126, 127, 65_535, 65_536, 65_537];
  const events = await received(t, (peer) => sizes.forEach((size) => peer.text('x'.repeat(size))));
  assert.deepEqual(events.map(({ data }) => data.length), sizes);
});

test('5.7 a Ping is answered and a Pong ignored, without events', async (t) => {
  let pong;
  const socket = await opened(t, async (peer) => {
    peer.write(frame(10, Buffer.from('unasked')));
    peer.write(frame(9, Buffer.from('ping')));
    pong = await peer.frame();
    peer.text('done');
    await peer.finish();
  });
  const { data } = await event(socket, 'message');
  assert.equal(data, 'done');
  assert.deepEqual([pong.opcode, pong.payload.toString()], [10, 'ping']);
  socket.close();
  await event(socket, 'close');
});

test('5 a flood of messages does not starve the event loop', async (t) => {
  const count = 20_000;
  const socket = await opened(t, async (peer) => {
    const one = frame(1, Buffer.from('flood'));
    peer.write(Buffer.concat(Array.from({ length: count }, () => one)));
    await peer.finish();
  });
  let received = 0;
  let turns = 0;
  socket.onmessage = () => {
    received += 1;
  };
  while (received < count) {
    await turn();
    turns += 1;
  }
  assert.ok(turns > 3);
  socket.close();
  await event(socket, 'close');
});
