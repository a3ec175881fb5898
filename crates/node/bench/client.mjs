// Runs one scenario with one library, in a process of its own. Prints the message rate and the processor time.
import { createRequire } from 'node:module';

const [library, scenario, server, seconds] = process.argv.slice(2);
const require = createRequire(import.meta.url);

/** Functions that open a connection. `onText` and `onBinary` receive the data of messages. */
const libraries = {
  fullduplex: (url) => standard(require('../lib/index.js').WebSocket, url),
  undici: (url) => standard(require('undici').WebSocket, url),
  node: (url) => standard(globalThis.WebSocket, url),
  /** With the handlers of the standard, for which `ws` creates events. */
  'ws, onmessage': (url) => standard(require('ws').WebSocket, url),
  /** With the listeners of Node.js, as the README of `ws` shows. `ws` creates no events for them. */
  async ws(url) {
    const socket = new (require('ws').WebSocket)(url);
    const connection = {
      send: (data) => socket.send(data),
      close: () => socket.close(),
      onmessage: undefined,
    };
    socket.on('message', (data, isBinary) => connection.onmessage(isBinary ? data : data.toString()));
    await new Promise((resolve) => socket.once('open', resolve));
    return connection;
  },
};

async function standard(WebSocket, url) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const connection = {
    send: (data) => socket.send(data),
    close: () => socket.close(),
    onmessage: undefined,
  };
  socket.onmessage = ({ data }) => connection.onmessage(data);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  return connection;
}

const open = (path) => libraries[library](`${server}${path}`);

/** Echoes on several connections, with `window` messages in flight on each, until `until` returns true. */
async function echo(connections, window, data) {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open('/echo')));
  return async (until) => {
    let count = 0;
    await Promise.all(
      sockets.map(
        (socket) =>
          new Promise((resolve) => {
            let left = window;
            const burst = () => {
              for (let i = 0; i < window; i += 1) socket.send(data);
            };
            socket.onmessage = () => {
              count += 1;
              left -= 1;
              if (left > 0) return;
              if (until()) return resolve();
              left = window;
              burst();
            };
            burst();
          }),
      ),
    );
    return count;
  };
}

/** Receives messages of 64 bytes: requests them from the server in batches, again and again. */
async function flood() {
  const socket = await open('/flood');
  const portion = 100_000;
  return (until) =>
    new Promise((resolve) => {
      let count = 0;
      socket.onmessage = () => {
        count += 1;
        if (count % portion > 0) return;
        if (until()) resolve(count);
        else socket.send(`${portion} 64`);
      };
      socket.send(`${portion} 64`);
    });
}

/** Sends messages in batches, and asks the server after each batch whether all have arrived. */
async function sink() {
  const socket = await open('/sink');
  const portion = 10_000;
  const data = 'x'.repeat(64);
  return (until) =>
    new Promise((resolve) => {
      let count = 0;
      const send = () => {
        for (let i = 0; i < portion; i += 1) socket.send(data);
        socket.send('count');
        count += portion;
      };
      socket.onmessage = () => (until() ? resolve(count) : send());
      send();
    });
}

const scenarios = {
  'ping-pong': () => echo(100, 1, 'x'.repeat(64)),
  bursts: () => echo(1, 64, 'x'.repeat(64)),
  'text 16 KiB': () => echo(1, 8, 'x'.repeat(16 << 10)),
  'binary 1 MiB': () => echo(1, 2, new Uint8Array(1 << 20)),
  receiving: flood,
  sending: sink,
};

const run = await scenarios[scenario]();
const within = (milliseconds) => {
  const end = performance.now() + milliseconds;
  return () => performance.now() >= end;
};
await run(within(300)); // warm up the JIT
const usage = process.cpuUsage();
const start = performance.now();
const messages = await run(within(seconds * 1000));
const elapsed = performance.now() - start;
const { user, system } = process.cpuUsage(usage);
console.log(JSON.stringify({ rate: (messages / elapsed) * 1000, cpu: (user + system) / messages }));
process.exit();
