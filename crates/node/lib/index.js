'use strict';

const { CloseEvent } = require('./events');
const { WebSocket } = require('./websocket');

module.exports = { CloseEvent, Event, EventTarget, MessageEvent, WebSocket };
