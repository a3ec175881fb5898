// What the echo servers of Node.js do with a WebSocket of the npm library `ws`.
import { on } from 'node:events';

const CLOSE = /^close(?: ([0-9]{4})(?: (.*))?)?$/s;
const BURST = /^burst ([0-9]+)$/;

export const SUBPROTOCOLS = ['echo', 'chat', 'superchat'];

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
    else if (text === 'end') ws._socket.end(); // without a Close
    else if (text === 'reset') ws._socket.destroy();
    else if (burst) for (let i = 0; i < Number(burst[1]); i++) await send(String(i), false);
    else await send(data, isBinary);
  }
}

export function serve(ws) {
  ws.on('error', () => {}); // ws itself closes the connection after an error
  handle(ws).catch(() => ws.close(1011));
}
