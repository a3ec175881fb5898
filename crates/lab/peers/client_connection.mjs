// Turns a WebSocket's events into things to await, for client_common.mjs.
import { on } from 'node:events';

export async function open(ws, toMessage) {
  ws.binaryType = 'arraybuffer';
  const events = on(ws, 'message', { close: ['close'] });
  const closed = new Promise((resolve) => ws.addEventListener('close', resolve));
  await new Promise((resolve, reject) => {
    ws.addEventListener('open', resolve);
    ws.addEventListener('error', (event) => reject(event.error ?? new Error(event.message)));
  });
  const receive = async () => {
    const { value, done } = await events.next();
    if (done) throw new Error('the connection closed while a message was awaited');
    return toMessage(value);
  };
  return { ws, receive, closed };
}
