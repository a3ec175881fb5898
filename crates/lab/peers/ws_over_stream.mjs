// WebSockets of the npm library `ws` over streams of HTTP/2. The library itself opens them over HTTP/1.1 only.
import WebSocket, { PerMessageDeflate, extension } from 'ws';

const NAME = PerMessageDeflate.extensionName;
const MAX_MESSAGE = 64 * 1024 * 1024;
const OPTIONS = { autoPong: true, closeTimeout: 5000, maxPendingAutoPongs: 100 };

// Returns the agreed compression for the header of a request or a response, and the header of the response.
export function agree(header, isServer) {
  const offers = header && extension.parse(header)[NAME];
  if (!offers) return {};
  const deflate = new PerMessageDeflate({ isServer, threshold: 0, maxPayload: MAX_MESSAGE });
  const params = deflate.accept(offers);
  return { deflate, extensions: extension.format({ [NAME]: [params] }) };
}

// Makes the WebSocket of a stream whose handshake is complete.
export function overStream(stream, ws, { isServer, protocol, deflate }) {
  ws._isServer = isServer;
  ws._protocol = protocol ?? '';
  if (deflate) ws._extensions = { [NAME]: deflate };
  ws.setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true, maxPayload: MAX_MESSAGE, skipUTF8Validation: false,
  });
}

// Returns a WebSocket that is connecting.
export const connecting = () => new WebSocket(null, undefined, OPTIONS);
