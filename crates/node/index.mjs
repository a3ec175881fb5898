export { CloseEvent, Event, EventTarget, MessageEvent, WebSocket } from './lib/index.js';
