// Tests each library with our class against its own server: connect, exchange, cut, reconnect, close. If npm has no
// server for a protocol, a script sends the few messages that the client needs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as hostTest } from 'node:test';
import { WebSocket } from 'fullduplex';
import 'fullduplex/global'; // socket.io, engine.io and nats.ws take the global class
import { WebSocketServer, createWebSocketStream } from 'ws';
import { listen, relay, until } from './cut.mjs';

const test = (name, ...rest) => hostTest(name, { timeout: 20_000, ...(rest.length > 1 ? rest[0] : {}) }, rest.at(-1));

/** A server of `ws` that calls `connected` for each connection, behind a relay. */
async function serve(t, connected, options = {}) {
  const http = createServer();
  const server = new WebSocketServer({ server: http, ...options });
  server.on('connection', connected);
  const { port, ...rest } = await relay(t, await listen(t, http));
  t.after(() => server.clients.forEach((client) => client.terminate()));
  return { url: `ws://127.0.0.1:${port}/`, port, server, ...rest };
}

const echo = (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
const json = (answer) => (socket) => socket.on('message', (data) => answer(JSON.parse(data), (value) => socket.send(JSON.stringify(value))));

test('graphql-ws', async (t) => {
  const { createClient } = await import('graphql-ws');
  const { useServer } = await import('graphql-ws/use/ws');
  const { buildSchema } = await import('graphql');
  const { url, server } = await serve(t, () => {});
  useServer({ schema: buildSchema('type Query { hello: String }'), roots: { query: { hello: () => 'world' } } }, server);
  let opened = 0;
  const client = createClient({ url, webSocketImpl: WebSocket, lazy: false, retryWait: async () => {}, onNonLazyError: () => {}, on: { connected: () => (opened += 1) } });
  const ask = async () => {
    for await (const { data } of client.iterate({ query: '{ hello }' })) return data.hello;
  };
  assert.equal(await ask(), 'world');
  // After an `error` event the client gives up, as in a browser. So this end causes none.
  server.clients.forEach((client) => client.close(1012));
  await until(() => opened === 2);
  assert.equal(await ask(), 'world');
  await client.dispose();
  await until(() => server.clients.size === 0);
});

for (const [name, load] of Object.entries({
  'reconnecting-websocket': async () => createRequire(import.meta.url)('reconnecting-websocket'),
  partysocket: async () => (await import('partysocket/ws')).default,
})) {
  test(name, async (t) => {
    const Reconnecting = await load();
    const { url, cut, server } = await serve(t, echo);
    const socket = new Reconnecting(url, [], { WebSocket, minReconnectionDelay: 10, maxReconnectionDelay: 20 });
    const got = [];
    let opened = 0;
    socket.addEventListener('open', () => (opened += 1));
    socket.addEventListener('message', ({ data }) => got.push(data));
    socket.send('one');
    await until(() => got.length === 1);
    cut();
    await until(() => opened === 2);
    socket.send('two');
    await until(() => got.length === 2);
    assert.deepEqual(got, ['one', 'two']);
    socket.close();
    await until(() => server.clients.size === 0);
  });
}

test('socket.io-client', async (t) => {
  const { Server } = await import('socket.io');
  const { io } = await import('socket.io-client');
  const { WebSocket: Transport } = await import('engine.io-client');
  const http = createServer();
  const server = new Server(http);
  server.on('connection', (socket) => socket.on('say', (text, answer) => answer(`${text}!`)));
  const { port, cut } = await relay(t, await listen(t, http));
  const socket = io(`http://127.0.0.1:${port}`, { transports: [Transport], reconnectionDelay: 10 });
  let connected = 0;
  socket.on('connect', () => (connected += 1));
  assert.equal(await socket.emitWithAck('say', 'hello'), 'hello!');
  assert.ok(socket.io.engine.transport.ws instanceof WebSocket);
  cut();
  await until(() => connected === 2);
  assert.equal(await socket.emitWithAck('say', 'again'), 'again!');
  socket.close();
  await until(() => server.engine.clientsCount === 0);
  server.close();
});

test('engine.io-client', async (t) => {
  const { Server } = await import('engine.io');
  const { Socket, WebSocket: Transport } = await import('engine.io-client');
  const http = createServer();
  const server = new Server();
  server.attach(http);
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const { port, cut } = await relay(t, await listen(t, http));
  for (const end of [cut, (socket) => socket.close()]) {
    const socket = new Socket(`ws://127.0.0.1:${port}`, { transports: [Transport] });
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const got = new Promise((resolve) => socket.on('message', resolve));
    socket.send('hello');
    assert.equal(await got, 'hello');
    assert.ok(socket.transport.ws instanceof WebSocket);
    end(socket);
    await closed;
  }
  server.close();
});

test('mqtt', async (t) => {
  const { default: mqtt } = await import('mqtt');
  const { Aedes } = await import('aedes');
  const broker = await Aedes.createBroker();
  t.after(() => broker.close());
  const { url, cut } = await serve(t, (socket) => broker.handle(createWebSocketStream(socket)));
  let made = 0;
  const client = mqtt.connect(url, {
    forceNativeWebSocket: true,
    createWebsocket: (address, protocols) => {
      made += 1;
      return new WebSocket(address, protocols);
    },
    reconnectPeriod: 10,
  });
  const got = [];
  client.on('message', (topic, payload) => got.push(`${topic} ${payload}`));
  await client.subscribeAsync('news');
  await client.publishAsync('news', 'one', { qos: 1 });
  await until(() => got.length === 1);
  cut();
  await until(() => made === 2 && client.connected);
  await client.publishAsync('news', 'two', { qos: 1 });
  await until(() => got.length >= 2);
  assert.deepEqual(got, ['news one', 'news two']);
  await client.endAsync();
  await until(() => broker.connectedClients === 0);
});

test('y-websocket', async (t) => {
  const Y = await import('yjs');
  const { WebsocketProvider } = await import('y-websocket');
  const { setupWSConnection } = await import('@y/websocket-server/utils');
  const { url, cut, server } = await serve(t, (socket, request) => setupWSConnection(socket, request));
  const documents = [new Y.Doc(), new Y.Doc()];
  const providers = documents.map((doc) => new WebsocketProvider(url.slice(0, -1), 'room', doc, { WebSocketPolyfill: WebSocket, disableBc: true, maxBackoffTime: 20 }));
  const [first, second] = documents.map((doc) => doc.getText('t'));
  first.insert(0, 'one');
  await until(() => second.toString() === 'one');
  cut();
  second.insert(3, ' two');
  await until(() => first.toString() === 'one two');
  providers.forEach((provider) => provider.destroy());
  await until(() => server.clients.size === 0);
});

test('@hocuspocus/provider', async (t) => {
  const Y = await import('yjs');
  const { Hocuspocus } = await import('@hocuspocus/server');
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import('@hocuspocus/provider');
  const hocuspocus = new Hocuspocus({ quiet: true });
  const { url, cut, server } = await serve(t, (socket, request) => {
    const connection = hocuspocus.handleConnection(socket, new Request(`http://localhost${request.url}`));
    socket.on('message', (data) => connection?.handleMessage?.(new Uint8Array(data)));
    socket.on('close', (code, reason) => connection?.handleClose?.({ code, reason: String(reason) }));
  });
  const documents = [new Y.Doc(), new Y.Doc()];
  const sockets = documents.map(() => new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket, delay: 10, minDelay: 10 }));
  const providers = documents.map((document, i) => new HocuspocusProvider({ websocketProvider: sockets[i], name: 'room', document }));
  providers.forEach((provider) => provider.attach());
  const [first, second] = documents.map((doc) => doc.getText('t'));
  first.insert(0, 'one');
  await until(() => second.toString() === 'one');
  cut();
  second.insert(3, ' two');
  await until(() => first.toString() === 'one two');
  providers.forEach((provider) => provider.destroy());
  sockets.forEach((socket) => socket.destroy());
  await until(() => server.clients.size === 0);
});

test('@trpc/client', async (t) => {
  const { initTRPC } = await import('@trpc/server');
  const { applyWSSHandler } = await import('@trpc/server/adapters/ws');
  const { createTRPCClient, createWSClient, wsLink } = await import('@trpc/client');
  const trpc = initTRPC.create();
  const router = trpc.router({ hello: trpc.procedure.query(() => 'world') });
  const { url, cut, server } = await serve(t, () => {});
  applyWSSHandler({ wss: server, router });
  let opened = 0;
  const socket = createWSClient({ url, WebSocket, retryDelayMs: () => 10, onOpen: () => (opened += 1) });
  const client = createTRPCClient({ links: [wsLink({ client: socket })] });
  assert.equal(await client.hello.query(), 'world');
  cut();
  await until(() => opened === 2);
  assert.equal(await client.hello.query(), 'world');
  await socket.close();
  await until(() => server.clients.size === 0);
});

test('rxjs', async (t) => {
  const { retry } = await import('rxjs');
  const { webSocket } = await import('rxjs/webSocket');
  const { url, cut, server } = await serve(t, echo);
  let opened = 0;
  const subject = webSocket({ url, WebSocketCtor: WebSocket, openObserver: { next: () => (opened += 1) } });
  const got = [];
  const subscription = subject.pipe(retry({ delay: 10 })).subscribe((value) => got.push(value));
  subject.next({ n: 1 });
  await until(() => got.length === 1);
  cut();
  await until(() => opened === 2);
  subject.next({ n: 2 });
  await until(() => got.length === 2);
  assert.deepEqual(got, [{ n: 1 }, { n: 2 }]);
  subscription.unsubscribe();
  await until(() => server.clients.size === 0);
});

test('@stomp/stompjs', async (t) => {
  const { Client } = await import('@stomp/stompjs');
  const { url, cut, server } = await serve(t, (socket) => {
    let subscription;
    socket.on('message', (data) => {
      const text = String(data);
      const command = text.slice(0, text.indexOf('\n'));
      const header = (name) => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1];
      if (command === 'CONNECT') socket.send('CONNECTED\nversion:1.2\n\n\0');
      if (command === 'SUBSCRIBE') subscription = header('id');
      if (command === 'SEND') socket.send(`MESSAGE\nsubscription:${subscription}\nmessage-id:1\ndestination:/t\n\n${text.slice(text.indexOf('\n\n') + 2)}`);
      if (command === 'DISCONNECT') socket.send(`RECEIPT\nreceipt-id:${header('receipt')}\n\n\0`);
    });
  }, { handleProtocols: () => 'v12.stomp' });
  const got = [];
  let connected = 0;
  const client = new Client({ webSocketFactory: () => new WebSocket(url, ['v12.stomp']), reconnectDelay: 10 });
  client.onConnect = () => {
    connected += 1;
    client.subscribe('/t', (message) => got.push(message.body));
    client.publish({ destination: '/t', body: `number ${connected}` });
  };
  client.activate();
  await until(() => got.length === 1);
  cut();
  await until(() => got.length === 2);
  assert.deepEqual(got, ['number 1', 'number 2']);
  await client.deactivate();
  await until(() => server.clients.size === 0);
});

test('phoenix', async (t) => {
  const { Socket } = await import('phoenix');
  const { url, cut, server } = await serve(t, json(([join, reference, topic], answer) => {
    answer([join, reference, topic, 'phx_reply', { status: 'ok', response: { topic } }]);
  }));
  let opened = 0;
  const socket = new Socket(url.slice(0, -1), { transport: WebSocket, reconnectAfterMs: () => 10, rejoinAfterMs: () => 10 });
  socket.onOpen(() => (opened += 1));
  socket.connect();
  const channel = socket.channel('room');
  const ask = (push) => new Promise((resolve, reject) => push.receive('ok', resolve).receive('error', reject));
  assert.deepEqual(await ask(channel.join()), { topic: 'room' });
  cut();
  await until(() => opened === 2 && channel.state === 'joined');
  assert.deepEqual(await ask(channel.push('say', {})), { topic: 'room' });
  await new Promise((resolve) => socket.disconnect(resolve));
  await until(() => server.clients.size === 0);
});

test('centrifuge', async (t) => {
  const { Centrifuge } = await import('centrifuge');
  const { url, cut, server } = await serve(t, json(({ id, connect, rpc }, answer) => {
    if (connect) answer({ id, connect: { client: 'c', version: '1' } });
    if (rpc) answer({ id, rpc: { data: rpc.data } });
  }));
  const client = new Centrifuge(url, { websocket: WebSocket, minReconnectDelay: 10, maxReconnectDelay: 20 });
  let connected = 0;
  client.on('connected', () => (connected += 1));
  client.connect();
  await client.ready();
  assert.deepEqual((await client.rpc('m', { n: 1 })).data, { n: 1 });
  cut();
  await until(() => connected === 2);
  assert.deepEqual((await client.rpc('m', { n: 2 })).data, { n: 2 });
  client.disconnect();
  await until(() => server.clients.size === 0);
});

test('ethers', async (t) => {
  const { WebSocketProvider } = await import('ethers');
  const answers = { eth_chainId: '0x1', eth_blockNumber: '0x2a' };
  const { url, cut, server } = await serve(t, json((calls, answer) => {
    const reply = ({ id, method }) => ({ jsonrpc: '2.0', id, result: answers[method] });
    answer(Array.isArray(calls) ? calls.map(reply) : reply(calls));
  }));
  // The provider does not reconnect by itself. A program creates another one.
  for (let i = 0; i < 2; i += 1) {
    const socket = new WebSocket(url);
    const provider = new WebSocketProvider(socket);
    assert.equal(await provider.getBlockNumber(), 42);
    const closed = once(socket, 'close');
    if (i === 0) cut();
    else await provider.destroy();
    await closed;
  }
  await until(() => server.clients.size === 0);
});

const nats = spawnSync('nats-server', ['--version'], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
test('nats.ws', { skip: nats.error ? 'needs nats-server' : false }, async (t) => {
  const { connect, StringCodec } = await import('nats.ws');
  const folder = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'nats.conf'), 'listen: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:-1", no_tls: true }\n');
  const server = spawn('nats-server', ['--config', join(folder, 'nats.conf'), '--ports_file_dir', folder], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => server.kill());
  let log = '';
  server.stderr.on('data', (data) => (log += data));
  await until(() => /websocket clients on ws:\/\/127\.0\.0\.1:\d+/.test(log));
  const { port, cut } = await relay(t, Number(/websocket clients on ws:\/\/127\.0\.0\.1:(\d+)/.exec(log)[1]));
  const connection = await connect({ servers: `ws://127.0.0.1:${port}`, reconnectTimeWait: 10 });
  const codec = StringCodec();
  connection.subscribe('echo', { callback: (_, message) => message.respond(message.data) });
  const ask = async (text) => codec.decode((await connection.request('echo', codec.encode(text))).data);
  assert.equal(await ask('one'), 'one');
  let reconnected = false;
  (async () => {
    for await (const { type } of connection.status()) if (type === 'reconnect') reconnected = true;
  })();
  cut();
  await until(() => reconnected);
  assert.equal(await ask('two'), 'two');
  await connection.close();
});
