'use strict';

const { CloseEvent } = require('./events');
const { WebSocketError } = require('./error');
const { WebSocketStream } = require('./stream');
const { WebSocket } = require('./websocket');

module.exports = {
  default: WebSocket,
  CloseEvent, Event, EventTarget, MessageEvent, WebSocket, WebSocketError, WebSocketStream,
};
