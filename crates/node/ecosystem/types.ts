// Checks that the class is assignable to the types of each library. Compiled, not run.
import type { HocuspocusProviderWebsocketConfiguration } from '@hocuspocus/provider';
import { Client } from '@stomp/stompjs';
import { createWSClient } from '@trpc/client';
import { Centrifuge } from 'centrifuge';
import { WebSocketProvider as EthersProvider } from 'ethers';
import { WebSocket, type WebSocketEventMap } from 'fullduplex';
import { createClient } from 'graphql-ws';
import mqtt from 'mqtt';
import PartySocket from 'partysocket/ws';
import { Socket as PhoenixSocket } from 'phoenix';
import Reconnecting from 'reconnecting-websocket';
import { webSocket } from 'rxjs/webSocket';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const url = 'ws://127.0.0.1/';
const socket = new WebSocket(url);
export const host: globalThis.WebSocket = socket;
export const constructor: typeof globalThis.WebSocket = WebSocket;
socket.addEventListener('message', (event: globalThis.MessageEvent) => event.data);
export type Close = WebSocketEventMap['close'] extends globalThis.CloseEvent ? true : never;
export const close: Close = true;

createClient({ url, webSocketImpl: WebSocket });
createWSClient({ url, WebSocket });
webSocket({ url, WebSocketCtor: WebSocket });
new Client({ webSocketFactory: () => new WebSocket(url) });
new WebsocketProvider(url, 'room', new Y.Doc(), { WebSocketPolyfill: WebSocket });
export const hocuspocus: Partial<HocuspocusProviderWebsocketConfiguration> = { url, WebSocketPolyfill: WebSocket };
mqtt.connect(url, { createWebsocket: (address, protocols) => new WebSocket(address, protocols) });
new Reconnecting(url, [], { WebSocket });
new PartySocket(url, [], { WebSocket });
new PhoenixSocket(url, { transport: WebSocket });
new Centrifuge(url, { websocket: WebSocket });
new EthersProvider(() => new WebSocket(url));
