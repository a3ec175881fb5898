'use strict';

const all = require('./index');

for (const name of ['CloseEvent', 'WebSocket', 'WebSocketError', 'WebSocketStream']) {
  Object.defineProperty(globalThis, name, {
    value: all[name],
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
