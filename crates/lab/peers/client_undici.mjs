// Tests an echo server with the WebSocket of the npm library `undici`: node client_undici.mjs URL [--ca FILE]
import { subscribe } from 'node:diagnostics_channel';
import { Agent, WebSocket, ping } from 'undici';
import { main } from './client_common.mjs';

await main({
  connect: (url, protocols, ca) =>
    new WebSocket(url, { protocols, dispatcher: new Agent({ connect: { ca } }) }),
  toMessage: ([{ data }]) => (typeof data === 'string' ? data : Buffer.from(data)),
  async pingPong(ws, payload) {
    const pong = new Promise((resolve) => subscribe('undici:websocket:pong', resolve));
    ping(ws, payload);
    return (await pong).payload;
  },
});
