'use strict';

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
const { TrustedCloseEvent, TrustedEvent, TrustedMessageEvent } = require('./events');
const { Listeners, report } = require('./listeners');
const { Connection, ERROR, OPEN } = require('./loop');
const native = require('./native');
const { isOptions, options: readOptions } = require('./options');

const blobBytes = Blob.prototype.arrayBuffer;

/** Whom an event could reach in each state: then the socket is not collected. */
const HEARD = [
  ['open', 'message', 'error', 'close'],
  ['message', 'error', 'close'],
  ['error', 'close'],
  [],
];

class WebSocket extends EventTarget {
  #listeners;
  #connection;
  #number;
  #origin;
  #jar;
  #binaryType = 'blob';

  constructor(url, protocolsOrOptions = [], options = undefined) {
    requireArguments(arguments.length, 1, 'WebSocket');
    super();
    const address = usvString(url);
    const instead = isOptions(protocolsOrOptions);
    const list = instead ? [] : protocols(protocolsOrOptions);
    const read = readOptions(address, list, instead ? protocolsOrOptions : options);
    this.#jar = read.jar;
    this.#listeners = new Listeners(this, () => this.#connection?.update());
    this.#connection = new Connection(
      read,
      (event) => this.#fire(event),
      (state) => this.#listeners.hears(HEARD[state]),
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
   * Not the standard's: asks the server for a sign of life.
   * @returns {Promise<void>} that resolves when it has answered.
   */
  ping() {
    return this.#connection.ping();
  }

  addEventListener(type, callback, options = undefined) {
    this.#listeners.add(arguments.length, type, callback, options);
  }

  removeEventListener(type, callback, options = undefined) {
    this.#listeners.remove(arguments.length, type, callback, options);
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

  #fire(event) {
    if (typeof event === 'string') {
      this.#fireMessage(event);
    } else if (event === OPEN) {
      this.#keepCookies();
      this.#listeners.fire(new TrustedEvent('open'));
    } else if (event === ERROR) {
      this.#listeners.fire(new TrustedEvent('error'));
    } else if (event instanceof ArrayBuffer) {
      this.#fireMessage(this.#binaryType === 'blob' ? new Blob([event]) : event);
    } else {
      this.#keepCookies();
      this.#listeners.fire(new TrustedCloseEvent(event));
      this.#connection.ended();
    }
  }

  /** Tells the jar of the cookies that have come with a response. */
  #keepCookies() {
    if (this.#jar === undefined) return;
    const cookies = native.takeCookies(this.#number);
    try {
      if (cookies.length > 0) this.#jar.setCookies(this.url, cookies);
    } catch (error) {
      report(error);
    }
  }

  #fireMessage(data) {
    this.#origin ??= new URL(this.url).origin;
    this.#listeners.fire(new TrustedMessageEvent(data, this.#origin));
  }
}

/** Sends a Blob once it was read. Its place among the messages is taken already. */
async function fill(connection, place, blob) {
  let bytes;
  try {
    bytes = await blobBytes.call(blob);
  } catch (error) {
    report(error);
  }
  native.fill(connection.number, place, bytes);
}

const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
for (const [name, value] of Object.entries(constants)) {
  Object.defineProperty(WebSocket, name, { value, enumerable: true });
  Object.defineProperty(WebSocket.prototype, name, { value, enumerable: true });
}
enumerable(
  WebSocket.prototype,
  ...['url', 'readyState', 'bufferedAmount', 'onopen', 'onerror', 'onclose', 'extensions', 'protocol'],
  ...['close', 'onmessage', 'binaryType', 'send'],
);
toStringTag(WebSocket.prototype, 'WebSocket');

module.exports = { WebSocket };
