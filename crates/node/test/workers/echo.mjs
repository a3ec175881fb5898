// An echo server in a process of its own, at 127.0.0.1, and as many following addresses as its argument says. Prints its
// port.
import { once } from 'node:events';
import { createRequire } from 'node:module';

const { WebSocketServer } = createRequire(import.meta.url)('ws');
let port = 0;
for (let n = 1; n <= Number(process.argv[2] ?? 1); n += 1) {
  const server = new WebSocketServer({ port, host: `127.0.0.${n}` });
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('error', () => {});
  });
  await once(server, 'listening');
  port = server.address().port;
}
console.log(port);
