// Tries an echo server with the npm library `ws`: node client_ws.mjs URL [--ca FILE] [--no-deflate]
import { once } from 'node:events';
import WebSocket from 'ws';
import { ca, main, nameOf } from './client_node.mjs';

await main({
  name: nameOf('ws'),
  connect: (url, protocols, deflate) => new WebSocket(url, protocols, { ca, perMessageDeflate: deflate }),
  sendFragments(ws, pieces) {
    pieces.forEach((piece, i) => ws.send(piece, { fin: i === pieces.length - 1 }));
  },
  async ping(ws, payload) {
    const pong = once(ws, 'pong');
    ws.ping(payload);
    return (await pong)[0];
  },
  async status(url) {
    const [, response] = await once(new WebSocket(url, { ca }), 'unexpected-response');
    return response.statusCode;
  },
});
