// Tests an echo server with the npm library `ws`: node client_ws.mjs URL [--ca FILE]
import { once } from 'node:events';
import WebSocket from 'ws';
import { main } from './client_common.mjs';

await main({
  connect: (url, protocols, ca) => new WebSocket(url, protocols, { ca }),
  toMessage: ([data, isBinary]) => (isBinary ? Buffer.from(data) : data.toString()),
  async pingPong(ws, payload) {
    const pong = once(ws, 'pong');
    ws.ping(payload);
    return (await pong)[0];
  },
});
