// The checks that client_ws.mjs and client_undici.mjs run against an echo server.
import { readFileSync } from 'node:fs';
import { inspect, isDeepStrictEqual, parseArgs } from 'node:util';
import { open } from './client_connection.mjs';

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1048576];
let checks = 0;

const show = (value) =>
  `${inspect(value, { maxStringLength: 80, maxArrayLength: 8 })} (length ${value?.length})`;

// A string never equals a Buffer: this compares the kind too.
function check(what, got, expected) {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Error(`${what}: expected ${show(expected)}, got ${show(got)}`);
  }
  checks++;
}

async function checkClose(closed, code, reason) {
  const event = await closed;
  check('close', [event.wasClean, event.code, event.reason], [true, code, reason]);
}

// What each library supplies:
// connect(url, protocols, ca): a WebSocket. pingPong(ws, payload): the payload of the answer.
// toMessage(args): an event's arguments as a string (text) or a Buffer (binary).
async function run(url, ca, { connect, pingPong, toMessage }) {
  const { ws, receive, closed } = await open(connect(url, ['nope', 'echo'], ca), toMessage);
  check('subprotocol', ws.protocol, 'echo');

  const texts = SIZES.map((size) => 'abcdefg'.repeat(size).slice(0, size));
  const binaries = SIZES.map((size) => Buffer.alloc(size).map((_, i) => (i * 31) % 251));
  for (const message of [...texts, ...binaries, 'grüße, 世界, \u{1f980}, nul \0']) {
    ws.send(message);
    check('echo', await receive(), message);
  }

  const numbered = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
  for (const message of numbered) ws.send(message);
  const got = [];
  while (got.length < numbered.length) got.push(await receive());
  check('1000 messages in order', got, numbered);

  const payload = Buffer.from('ping payload');
  check('pong', await pingPong(ws, payload), payload);

  ws.close(4000, 'bye');
  await checkClose(closed, 4000, 'bye');

  const second = await open(connect(url, [], ca), toMessage);
  second.ws.close();
  await checkClose(second.closed, 1005, '');
}

export async function main(library) {
  const fail = (error) => {
    console.log(`failed after ${checks} checks: ${error.message || error.stack}`);
    process.exit(1);
  };
  const options = { ca: { type: 'string' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  setTimeout(() => fail(new Error('no result within 30 s')), 30_000);
  await run(positionals[0], values.ca && readFileSync(values.ca), library).catch(fail);
  console.log(`ok ${checks} checks`);
  process.exit(0);
}
