// Echo server on the npm library `ws`, a peer for testing WebSocket clients.
import { on } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const SUBPROTOCOLS = ['echo', 'chat', 'superchat'];
const CLOSE = /^close(?: ([0-9]{4})(?: (.*))?)?$/s;
const BURST = /^burst ([0-9]+)$/;

const { values: args } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    cert: { type: 'string' },
    key: { type: 'string' },
  },
});

const server = args.cert
  ? https.createServer({ cert: readFileSync(args.cert), key: readFileSync(args.key) })
  : http.createServer();
const wss = new WebSocketServer({
  server,
  maxPayload: 64 * 1024 * 1024,
  verifyClient: ({ req }, done) => done(req.url !== '/nowhere', 404, 'nothing is here'),
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => [...offered].find((name) => SUBPROTOCOLS.includes(name)) ?? false,
});

async function handle(ws) {
  // Resolves when the message was written, so that a slow reader slows the server down.
  const send = (data, binary) =>
    new Promise((resolve, reject) =>
      ws.send(data, { binary }, (error) => (error ? reject(error) : resolve())));
  // `on` pauses the socket while more than highWaterMark messages are queued.
  const messages = on(ws, 'message', { close: ['close'], highWaterMark: 16, lowWaterMark: 4 });
  for await (const [data, isBinary] of messages) {
    const text = isBinary ? '' : data.toString();
    const close = CLOSE.exec(text);
    const burst = BURST.exec(text);
    if (close?.[1]) ws.close(Number(close[1]), close[2]);
    else if (close) ws.close(); // a Close frame without a code
    else if (burst) for (let i = 0; i < Number(burst[1]); i++) await send(String(i), false);
    else await send(data, isBinary);
  }
}

wss.on('connection', (ws) => {
  ws.on('error', () => {}); // ws itself closes the connection after an error
  handle(ws).catch(() => ws.close(1011));
});

function stop() {
  for (const ws of wss.clients) ws.close(1001);
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 2000);
}
process.on('SIGTERM', stop);
process.stdin.on('end', stop).resume();

server.listen(Number(args.port), args.host, () => console.log(`listening ${server.address().port}`));
