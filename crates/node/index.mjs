import all from './lib/index.js';

export const { CloseEvent, Event, EventTarget, MessageEvent } = all;
export const { WebSocket, WebSocketError, WebSocketStream } = all;
export default all.WebSocket;
