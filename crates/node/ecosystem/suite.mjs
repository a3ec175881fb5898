// Uses the package like the tests of a program, on any test framework.
import { WebSocketServer } from 'ws';

/** Talks to an echo server; returns what came back. */
export async function talk(WebSocket) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await new Promise((resolve) => server.once('listening', resolve));
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}/`);
  socket.binaryType = 'arraybuffer';
  const next = (type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
  await next('open');
  socket.send('text');
  const text = (await next('message')).data;
  socket.send(new Uint8Array([1, 2, 3]));
  const bytes = (await next('message')).data;
  socket.close(3000, 'done');
  const { code, reason, wasClean } = await next('close');
  server.close();
  return { text, bytes: [...new Uint8Array(bytes)], code, reason, wasClean };
}

export const EXPECTED = { text: 'text', bytes: [1, 2, 3], code: 3000, reason: 'done', wasClean: true };
