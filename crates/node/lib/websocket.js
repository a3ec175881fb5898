'use strict';

const {
  Blob,
  EventTarget,
  URL,
  blobArrayBuffer,
  defineProperty,
  markAsUncloneable,
  promiseThen,
  types,
  urlOrigin,
} = require('./primordials');
const {
  bufferSource,
  clampedUnsignedShort,
  enumerable,
  protocols,
  requireArguments,
  sizeOfBlob,
  toException,
  toStringTag,
  usvString,
} = require('./idl');
const { closeEvent, errorEvent, messageEvent, openEvent } = require('./events');
const { Listeners, countListeners } = require('./listeners');
const { Connection, ERROR, OPEN } = require('./loop');
const { report } = require('./microtasks');
const native = require('./native');
const { isOptions, options: readOptions } = require('./options');

const CONNECTING = 0;
const CLOSING = 2;

class WebSocket extends EventTarget {
  #listeners;
  #connection;
  #number;
  #origin;
  #jar;
  #binaryType = 'blob';

  constructor(url, protocolsOrOptions = undefined, options = undefined) {
    requireArguments(arguments.length, 1, 'WebSocket');
    super();
    markAsUncloneable(this);
    const address = usvString(url);
    const instead = isOptions(protocolsOrOptions);
    const list = instead || protocolsOrOptions === undefined ? [] : protocols(protocolsOrOptions);
    const read = readOptions(address, list, instead ? protocolsOrOptions : options);
    this.#jar = read.jar;
    this.#listeners = new Listeners(this, () => this.#connection?.update());
    this.#connection = new Connection(
      read,
      (event) => this.#fire(event),
      (state) => this.#isHeard(state),
    );
    this.#number = this.#connection.number;
  }

  get url() {
    return native.url(this.#number);
  }

  get readyState() {
    return native.readyState(this.#number);
  }

  get bufferedAmount() {
    return native.bufferedAmount(this.#number);
  }

  get extensions() {
    return native.extensions(this.#number);
  }

  get protocol() {
    return native.protocol(this.#number);
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(value) {
    const type = `${value}`;
    // An enumeration: another value is ignored.
    if (type === 'blob' || type === 'arraybuffer') this.#binaryType = type;
    else void this.#number;
  }

  send(data) {
    const number = this.#number;
    requireArguments(arguments.length, 1, 'send');
    try {
      if (typeof data === 'string') {
        native.feedText(number, data);
      } else {
        const source = bufferSource(data);
        const size = source === undefined ? sizeOfBlob(data) : undefined;
        if (source !== undefined) {
          native.feedBytes(number, source.buffer, source.offset, source.length);
        } else if (size !== undefined) {
          fill(this.#connection, native.reserve(number, size), data);
        } else {
          native.feedText(number, `${data}`);
        }
      }
    } catch (error) {
      throw toException(error);
    }
    this.#connection.fed();
  }

  close(code = undefined, reason = undefined) {
    const connection = this.#connection; // a TypeError for what is no WebSocket
    const closeCode = code === undefined ? undefined : clampedUnsignedShort(code);
    const closeReason = reason === undefined ? undefined : usvString(reason);
    try {
      connection.close(closeCode, closeReason);
    } catch (error) {
      throw toException(error);
    }
  }

  /**
   * Asks the server for a Pong. Not part of the standard.
   * @returns {Promise<void>} that resolves when the server has answered.
   */
  ping() {
    return this.#connection.ping();
  }

  get onopen() {
    return this.#listeners.handler('open');
  }

  set onopen(value) {
    this.#listeners.setHandler('open', value);
  }

  get onmessage() {
    return this.#listeners.handler('message');
  }

  set onmessage(value) {
    this.#listeners.setHandler('message', value);
  }

  get onerror() {
    return this.#listeners.handler('error');
  }

  set onerror(value) {
    this.#listeners.setHandler('error', value);
  }

  get onclose() {
    return this.#listeners.handler('close');
  }

  set onclose(value) {
    this.#listeners.setHandler('close', value);
  }

  /** Whether an event could reach somebody in this state: then the socket is not collected. */
  #isHeard(state) {
    const listeners = this.#listeners;
    return (
      listeners.hears('error') ||
      listeners.hears('close') ||
      (state < CLOSING && listeners.hears('message')) ||
      (state === CONNECTING && listeners.hears('open'))
    );
  }

  #fire(event) {
    if (typeof event === 'string') {
      this.#fireMessage(event);
    } else if (event === OPEN) {
      this.#keepCookies();
      if (this.#listeners.hears('open')) this.#listeners.fire(openEvent(), 'open');
    } else if (event === ERROR) {
      if (this.#listeners.hears('error')) this.#listeners.fire(errorEvent(), 'error');
    } else if (types.isArrayBuffer(event)) {
      this.#fireMessage(event);
    } else {
      this.#fireClose(event);
    }
  }

  #fireMessage(data) {
    if (!this.#listeners.hears('message')) return;
    this.#origin ??= urlOrigin(new URL(native.url(this.#number)));
    const isBlob = this.#binaryType === 'blob' && typeof data !== 'string';
    this.#listeners.fire(messageEvent(isBlob ? new Blob([data]) : data, this.#origin), 'message');
  }

  #fireClose({ wasClean, code, reason }) {
    try {
      this.#keepCookies();
      if (this.#listeners.hears('close')) this.#listeners.fire(closeEvent(wasClean, code, reason), 'close');
    } finally {
      this.#connection.ended();
    }
  }

  /** Gives the jar the cookies of the response. */
  #keepCookies() {
    const setCookies = this.#jar;
    if (setCookies === undefined) return;
    const cookies = native.takeCookies(this.#number);
    try {
      if (cookies.length > 0) setCookies(native.url(this.#number), cookies);
    } catch (error) {
      report(error);
    }
  }

  static {
    countListeners(WebSocket.prototype, (socket) => (#listeners in socket ? socket.#listeners : undefined));
  }
}

/** Sends a Blob once it was read. Its place among the messages is taken already. One that cannot be read fails it. */
function fill(connection, place, blob) {
  promiseThen(
    blobArrayBuffer(blob),
    (bytes) => native.fill(connection.number, place, bytes),
    () => native.fill(connection.number, place, undefined),
  );
}

const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
for (const name in constants) {
  const descriptor = { __proto__: null, value: constants[name], enumerable: true };
  defineProperty(WebSocket, name, descriptor);
  defineProperty(WebSocket.prototype, name, descriptor);
}
enumerable(
  WebSocket.prototype,
  ...['url', 'readyState', 'bufferedAmount', 'onopen', 'onerror', 'onclose', 'extensions', 'protocol'],
  ...['close', 'onmessage', 'binaryType', 'send'],
);
toStringTag(WebSocket.prototype, 'WebSocket');

module.exports = { WebSocket };
