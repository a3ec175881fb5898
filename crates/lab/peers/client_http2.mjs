// Tries an echo server with the module `http2` of Node.js, and WebSockets of the npm library `ws` over its streams:
// node client_http2.mjs URL [--ca FILE] [--no-deflate]. All WebSockets are streams of one connection. A URL with ws is
// used with prior knowledge.
import { once } from 'node:events';
import http2 from 'node:http2';
import { ca, main } from './client_node.mjs';
import { agree, connecting, overStream } from './ws_over_stream.mjs';

let opening; // the only connection

async function connection(origin) {
  const session = http2.connect(origin, { ca });
  const [settings] = await once(session, 'remoteSettings');
  if (!settings.enableConnectProtocol) throw new Error('the server does not support extended CONNECT');
  return session;
}

// Resolves with a stream and the headers of its response.
async function request(url, protocols, deflate) {
  const { protocol, host, pathname } = new URL(url);
  opening ??= connection(`${protocol.replace('ws', 'http')}//${host}`);
  const stream = (await opening).request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': pathname,
    ':authority': host,
    'sec-websocket-version': '13',
    ...(protocols.length > 0 && { 'sec-websocket-protocol': protocols.join(', ') }),
    ...(deflate && { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' }),
  });
  const [headers] = await once(stream, 'response');
  return { stream, headers };
}

async function open(ws, ...wanted) {
  const { stream, headers } = await request(...wanted);
  if (headers[':status'] !== 200) throw new Error(`status ${headers[':status']}`);
  const { deflate } = agree(headers['sec-websocket-extensions'], false);
  overStream(stream, ws, { isServer: false, protocol: headers['sec-websocket-protocol'], deflate });
}

await main({
  name: `Node.js http2 ${process.versions.node}`,
  connect(url, protocols, deflate) {
    const ws = connecting();
    open(ws, url, protocols, deflate).catch((error) => ws.emit('error', error));
    return ws;
  },
  sendFragments(ws, pieces) {
    pieces.forEach((piece, i) => ws.send(piece, { fin: i === pieces.length - 1 }));
  },
  async ping(ws, payload) {
    const pong = once(ws, 'pong');
    ws.ping(payload);
    return (await pong)[0];
  },
  async status(url) {
    const { stream, headers } = await request(url, [], false);
    stream.resume();
    return headers[':status'];
  },
  end: (ws) => ws._socket.end(),
  reset: (ws) => ws._socket.close(http2.constants.NGHTTP2_CANCEL),
});
