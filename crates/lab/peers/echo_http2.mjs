// Echo server on the module `http2` of Node.js, with WebSockets of the npm library `ws` over its streams.
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { parseArgs } from 'node:util';
import { SUBPROTOCOLS, serve } from './echo_handler.mjs';
import { agree, connecting, overStream } from './ws_over_stream.mjs';

const { values: args } = parseArgs({
  options: { cert: { type: 'string' }, key: { type: 'string' } },
});

const options = { settings: { enableConnectProtocol: true } };
const server = args.cert
  ? http2.createSecureServer({ ...options, cert: readFileSync(args.cert), key: readFileSync(args.key) })
  : http2.createServer(options);

server.on('stream', (stream, headers) => {
  if (headers[':protocol'] !== 'websocket') return stream.respond({ ':status': 405 }, { endStream: true });
  if (headers[':path'] === '/nowhere') {
    stream.respond({ ':status': 404 });
    return stream.end('nothing is here');
  }
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
  const protocol = offered.find((name) => SUBPROTOCOLS.includes(name));
  const { deflate, extensions } = agree(headers['sec-websocket-extensions'], true);
  stream.respond({
    ':status': 200,
    ...(protocol && { 'sec-websocket-protocol': protocol }),
    ...(extensions && { 'sec-websocket-extensions': extensions }),
  });
  const ws = connecting();
  overStream(stream, ws, { isServer: true, protocol, deflate });
  serve(ws);
});

const stop = () => process.exit(0);
process.on('SIGTERM', stop);
process.stdin.on('end', stop).resume();

server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
