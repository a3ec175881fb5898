// Tries an echo server with the WebSocket of the npm library `undici`: node client_undici.mjs URL [--ca FILE]
// It always offers permessage-deflate, and sends uncompressed. With --http2, it uses HTTP/2 where ALPN chooses it.
import { subscribe } from 'node:diagnostics_channel';
import { Agent, WebSocket, ping } from 'undici';
import { ca, http2, main, nameOf } from './client_node.mjs';

const dispatcher = new Agent({ connect: { ca }, allowH2: http2 });
const next = (channel) => new Promise((resolve) => subscribe(channel, resolve));

await main({
  name: nameOf('undici'),
  connect: (url, protocols) => new WebSocket(url, { protocols, dispatcher }),
  async ping(ws, payload) {
    const pong = next('undici:websocket:pong');
    ping(ws, Buffer.from(payload));
    return (await pong).payload;
  },
  async status(url) {
    const headers = next('undici:request:headers');
    new WebSocket(url, { dispatcher });
    return (await headers).response.statusCode;
  },
});
