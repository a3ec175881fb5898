// Checked by `tsc` and not run: what users write must have types, and what is wrong must not.
import { CloseEvent, WebSocket, WebSocketError, WebSocketStream } from 'fullduplex';

const socket = new WebSocket('wss://example.com/', ['chat'], {
  headers: { Authorization: 'secret' },
  tls: { ca: new Uint8Array(1), rejectUnauthorized: true },
  http: 'auto',
  proxy: 'socks5://127.0.0.1:1080',
  perMessageDeflate: { threshold: 100 },
  pingInterval: 1000,
});
new WebSocket(new URL('ws://a/'), { protocols: 'chat' });
socket.onmessage = ({ data, origin }) => console.log(data, origin.length);
socket.onclose = (event: CloseEvent) => console.log(event.code + 1, event.wasClean);
socket.addEventListener('close', ({ reason }) => reason.toUpperCase(), { once: true });
socket.addEventListener('message', { handleEvent: ({ data }) => console.log(data) });
socket.binaryType = 'arraybuffer';
socket.send(new Float64Array(4));
socket.send(new Blob([]));
const state: 0 | 1 | 2 | 3 = socket.readyState;
const answered: Promise<void> = socket.ping();
const open: 1 = WebSocket.OPEN;

// @ts-expect-error a number is no message
socket.send(5);
// @ts-expect-error it can only be read
socket.readyState = 1;
// @ts-expect-error
socket.binaryType = 'buffer';

async function streams(): Promise<number> {
  const stream = new WebSocketStream('wss://example.com/', { protocols: ['a'], signal: AbortSignal.timeout(5) });
  const { readable, writable } = await stream.opened;
  await writable.getWriter().write('text');
  for await (const chunk of readable) console.log(typeof chunk === 'string' ? chunk : chunk.byteLength);
  const { closeCode } = await stream.closed;
  stream.close({ closeCode: 1000, reason: new WebSocketError('m', { reason: 'r' }).reason });
  return closeCode;
}
void [state, answered, open, streams];

// FN-19
const host: globalThis.WebSocket = socket;
const constructor: { new (url: string, protocols?: string | string[]): globalThis.WebSocket } = WebSocket;
const wider: typeof globalThis.WebSocket = WebSocket;
socket.onmessage = (event: globalThis.MessageEvent) => console.log(event.data);
socket.addEventListener('message', (event: globalThis.MessageEvent) => console.log(event.data));
const Mine: typeof WebSocket = WebSocket.withDefaults({ origin: 'https://example.com' });
socket.unref().ref();
const phase: string | undefined = socket.failure?.phase;
const status: number | undefined = socket.failure?.status;
void [host, constructor, wider, Mine, phase, status];
