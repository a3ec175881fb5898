// Run by `cargo xtask dist --try` in a project that has installed the package: talks to the echo server whose URL it is
// given, and prints `ok`.
import { createRequire } from 'node:module';
import { WebSocket } from 'fullduplex';

if (createRequire(import.meta.url)('fullduplex').WebSocket !== WebSocket) throw new Error('import and require differ');

const url = process.argv[2];
const socket = new WebSocket(url);
socket.binaryType = 'arraybuffer';
const next = (type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
await next('open');
for (const sent of ['text', 'x'.repeat(100_000)]) {
  socket.send(sent);
  if ((await next('message')).data !== sent) throw new Error('the text came back changed');
}
socket.send(new Uint8Array([1, 2, 255]));
if (new Uint8Array((await next('message')).data).join() !== '1,2,255') throw new Error('the bytes came back changed');
socket.close(3000, 'done');
const { code, wasClean } = await next('close');
if (code !== 3000 || !wasClean) throw new Error(`closed with ${code}`);
console.log(`ok ${process.platform}-${process.arch}`);
