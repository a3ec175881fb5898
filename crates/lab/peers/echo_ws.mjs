// Echo server on the npm library `ws`, a peer for testing WebSocket clients.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { SUBPROTOCOLS, serve } from './echo_handler.mjs';

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

wss.on('connection', serve);

function stop() {
  for (const ws of wss.clients) ws.close(1001);
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 2000);
}
process.on('SIGTERM', stop);
process.stdin.on('end', stop).resume();

server.listen(Number(args.port), args.host, () => console.log(`listening ${server.address().port}`));
