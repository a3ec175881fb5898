// Translates WebSockets over HTTP/2 into upgrades of HTTP/1.1, so that the scripted servers of the tests serve both.
import { randomBytes } from 'node:crypto';
import { constants, createServer } from 'node:http2';
import { connect } from 'node:net';

/**
 * Returns a function that takes a new connection of a server. One of HTTP/2 is translated, and each of its streams comes
 * back as a connection of HTTP/1.1, which is passed to `accept`.
 */
export function bridged(accept) {
  const server = createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream, headers) => forward(stream, headers, stream.session.socket.localPort));
  server.on('session', (session) => session.on('error', () => {})); // a client may reset the connection
  return (socket) => {
    socket.once('data', (chunk) => {
      socket.pause();
      socket.unshift(chunk);
      if (chunk.toString('latin1').startsWith('PRI ')) server.emit('connection', socket);
      else accept(socket);
    });
  };
}

function forward(stream, headers, port) {
  const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
  stream.on('error', () => {});
  stream.on('close', () => upstream.destroy());
  upstream.on('error', cancel);
  upstream.on('close', cancel);
  upstream.write(request(headers));
  stream.pipe(upstream);

  let head = Buffer.alloc(0);
  const read = (chunk) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    upstream.off('data', read);
    upstream.off('end', cancel);
    stream.respond(response(head.toString('latin1', 0, end)));
    stream.write(head.subarray(end + 4));
    upstream.pipe(stream);
  };
  upstream.on('data', read);
  upstream.on('end', cancel);
}

/** The request of HTTP/1.1 for an extended CONNECT. */
function request(headers) {
  const lines = [`GET ${headers[':path']} HTTP/1.1`, `Host: ${headers[':authority']}`, 'Connection: Upgrade'];
  lines.push('Upgrade: websocket', `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`);
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':')) for (const one of [value].flat()) lines.push(`${name}: ${one}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Headers that HTTP/2 does not have. */
const HOP = ['connection', 'upgrade', 'sec-websocket-accept', 'transfer-encoding'];

/** The headers of the response over HTTP/2. */
function response(head) {
  const [line, ...lines] = head.split('\r\n');
  const status = Number(line.split(' ')[1]);
  const headers = { ':status': status === 101 ? 200 : status };
  for (const one of lines) {
    const colon = one.indexOf(':');
    const name = one.slice(0, colon).toLowerCase();
    if (!HOP.includes(name)) headers[name] = [...(headers[name] ?? []), one.slice(colon + 1).trim()];
  }
  return headers;
}
