'use strict';
// Installs the classes as globals. `FULLDUPLEX_OPTIONS` may hold default options, as JSON.

const all = require('./index');
const { process } = require('./primordials');

function defaults() {
  const text = process.env.FULLDUPLEX_OPTIONS;
  try {
    return text ? JSON.parse(text) : undefined;
  } catch (error) {
    throw new TypeError(`could not read FULLDUPLEX_OPTIONS: ${error.message}`);
  }
}

const options = defaults();
const classes = { ...all, WebSocket: options === undefined ? all.WebSocket : all.WebSocket.withDefaults(options) };

for (const name of ['CloseEvent', 'WebSocket', 'WebSocketError', 'WebSocketStream']) {
  Object.defineProperty(globalThis, name, {
    value: classes[name],
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
