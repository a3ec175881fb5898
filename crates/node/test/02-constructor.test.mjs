import assert from 'node:assert/strict';
import { WebSocket, echoing, event, fails, fullduplex, serve, test, throwsDom } from './support.mjs';

const url = (input, ...rest) => new WebSocket(input, ...rest).url;
const refused = (...args) => throwsDom(assert, () => new WebSocket(...args), 'SyntaxError');
const PORT9 = 'ws://127.0.0.1:9/';

test('2.1 the URL is a USVString', () => {
  assert.equal(url(new URL(PORT9)), PORT9);
  assert.equal(url({ toString: () => PORT9 }), PORT9);
  assert.equal(url(`${PORT9}?\ud800`), `${PORT9}?%EF%BF%BD`);
  assert.throws(() => new WebSocket(Symbol('x')), TypeError);
  assert.throws(() => new WebSocket({ toString() { throw new RangeError('mine'); } }), RangeError);
});

test('2.2 a relative URL needs the option baseUrl', () => {
  for (const relative of ['test', '?', null, 123, '', '/path', '//host']) refused(relative);
  const base = { baseUrl: 'https://127.0.0.1:9/app/' };
  assert.equal(url('test', base), 'wss://127.0.0.1:9/app/test');
  assert.equal(url('?ä', [], base), 'wss://127.0.0.1:9/app/?%C3%A4');
  assert.equal(url(null, base), 'wss://127.0.0.1:9/app/null');
  assert.equal(url('ws://127.0.0.1:9', base), PORT9);
});

test('2.3 an invalid URL is a SyntaxError', () => {
  const bad = ['ws://foo bar.com/', 'ws://a b/', 'ws://a:65536/', 'ws://a:x/', 'ws://[::1', 'ws:', 'ws://', 'ws://a<b/', 'ws://a^b/', 'ws://%00/'];
  for (const input of bad) refused(input);
  assert.throws(() => new WebSocket('ws://a b/'), (error) => !(error instanceof SyntaxError) && error.code === 12);
});

test('2.4 http becomes ws, https becomes wss', () => {
  assert.equal(url('http://127.0.0.1:9/a'), 'ws://127.0.0.1:9/a');
  assert.equal(url('https://127.0.0.1:9/a'), 'wss://127.0.0.1:9/a');
});

test('2.5 other schemes are SyntaxErrors', () => {
  for (const input of ['ftp://a/', 'mailto:a@b', 'about:blank', 'data:,x', 'file:///a', 'javascript:1', 'wsx://a/']) refused(input);
});

test('2.6 a fragment is a SyntaxError, even an empty one', () => {
  for (const input of ['ws://a/#', 'ws://a/#frag', 'http://a#']) refused(input);
});

test('2.7 the URL is normalized', () => {
  assert.equal(url('ws:127.0.0.1:9'), PORT9);
  assert.equal(url('ws:/127.0.0.1:9'), PORT9);
  assert.equal(url('WS://127.0.0.1:9'), PORT9);
  assert.equal(url('ws://LOCALHOST:9/'), 'ws://localhost:9/');
  assert.equal(url(`${PORT9}?a\0b`), `${PORT9}?a%00b`);
  assert.equal(url(`${PORT9}?ö`), `${PORT9}?%C3%B6`);
  assert.equal(url(`${PORT9}a/../b`), `${PORT9}b`);
  assert.equal(url('ws://0x7f.1:9/'), PORT9);
  assert.equal(url('ws://user:secret@127.0.0.1:9/'), 'ws://user:secret@127.0.0.1:9/');
  assert.equal(url('ws://b\u00fccher.invalid/'), 'ws://xn--bcher-kva.invalid/');
  assert.equal(url('ws://127.0.0.1:80/'), 'ws://127.0.0.1/');
  assert.equal(url('wss://127.0.0.1:443/'), 'wss://127.0.0.1/');
  assert.equal(url(`  ${PORT9}\n`), PORT9);
});

test('2.8 protocols: a string, any iterable, undefined, null', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.request();
    const offered = peer.header('sec-websocket-protocol');
    const chosen = offered?.split(', ').at(-1);
    peer.write(peer.response({ 'Sec-WebSocket-Protocol': chosen }));
    await peer.finish();
  });
  const chosen = async (...args) => {
    const socket = new WebSocket(server.url, ...args);
    await event(socket, 'open');
    socket.close();
    return socket.protocol;
  };
  assert.equal(await chosen('one'), 'one');
  assert.equal(await chosen(['one', 'two']), 'two');
  assert.equal(await chosen(new Set(['a', 'b'])), 'b');
  assert.equal(await chosen((function* () { yield 'x'; yield { toString: () => 'y' }; })()), 'y');
  assert.equal(await chosen(undefined), '');
  assert.equal(await chosen([]), '');
  assert.equal(await chosen(null), 'null');
  assert.equal(await chosen({ toString: () => 'object' }), 'object');
  assert.throws(() => new WebSocket(server.url, { [Symbol.iterator]: 5 }), TypeError);
  assert.throws(() => new WebSocket(server.url, [Symbol('x')]), TypeError);
});

test('2.9 a protocol is a token', () => {
  for (const separator of '()<>@,;:\\"/[]?={} \t') refused(PORT9, `a${separator}b`);
  for (const bad of ['', '\u007f', '\u0000', 'ä', 'a\nb', '\ud800']) {
    refused(PORT9, bad);
    refused(PORT9, ['ok', bad]);
  }
  for (let code = 0x21; code < 0x7f; code += 1) {
    const name = String.fromCharCode(code);
    if (!'()<>@,;:\\"/[]?={}'.includes(name)) new WebSocket(PORT9, name);
  }
});

test('2.10 duplicate protocols are a SyntaxError; case matters', () => {
  refused(PORT9, ['a', 'b', 'a']);
  // Neither standard makes subprotocols case-insensitive (whatwg/websockets#47).
  new WebSocket(PORT9, ['echo', 'eCho']);
});

test('2.11 the URL is checked first, and nothing is sent if the constructor throws', async (t) => {
  assert.throws(() => new WebSocket('ws://a/#', ['b', 'b']), /fragment/i);
  const server = await echoing(t);
  refused(server.url, 'a b');
  refused(`${server.url}#`);
  const good = new WebSocket(server.url);
  await event(good, 'open');
  assert.equal(server.peers.length, 1);
  good.close();
});

test('2.12 later failures are events, not exceptions', async () => {
  await fails(assert, new WebSocket(PORT9));
  await fails(assert, new WebSocket('ws://host.invalid/'));
  await fails(assert, new WebSocket('ws://127.0.0.1:1025/'));
});

test('2.13 attributes of a new socket', () => {
  const socket = new WebSocket(PORT9);
  const { readyState, protocol, extensions, bufferedAmount, binaryType } = socket;
  assert.deepEqual([readyState, protocol, extensions, bufferedAmount, binaryType], [0, '', '', 0, 'blob']);
  for (const name of ['onopen', 'onmessage', 'onerror', 'onclose']) assert.equal(socket[name], null);
});

test('the host\u2019s own event classes are exported where they exist', () => {
  assert.equal(fullduplex.Event, Event);
  assert.equal(fullduplex.EventTarget, EventTarget);
  assert.equal(fullduplex.MessageEvent, MessageEvent);
  if (globalThis.CloseEvent) assert.equal(fullduplex.CloseEvent, CloseEvent);
});
