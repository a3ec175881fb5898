'use strict';

const {
  Blob,
  EventTarget,
  URL,
  blobArrayBuffer,
  channel,
  construct,
  defineProperty,
  getOwnPropertyDescriptor,
  inspect,
  markAsUncloneable,
  ownKeys,
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
const { INDICES, Listeners, countListeners } = require('./listeners');
const { Connection, ERROR, OPEN } = require('./loop');
const { report } = require('./microtasks');
const native = require('./native');
const { isOptions, options: readOptions, readDefaults } = require('./options');

/** The names of undici's channels, so that its tools work with this package too. */
const channels = {
  open: channel('undici:websocket:open'),
  close: channel('undici:websocket:close'),
  error: channel('undici:websocket:socket_error'),
};

const { open: ON_OPEN, message: ON_MESSAGE, error: ON_ERROR, close: ON_CLOSE } = INDICES;
const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
/** The types of events that can still fire, for each state. */
const FIRING = native.firingEvents();

/** The default options of the socket that is constructed next. */
let nextDefaults;

class WebSocket extends EventTarget {
  #listeners;
  #connection;
  #number;
  #origin;
  #jar;
  #binaryType = 'blob';

  constructor(url, protocolsOrOptions = undefined, options = undefined) {
    const defaults = nextDefaults;
    nextDefaults = undefined;
    requireArguments(arguments.length, 1, 'WebSocket');
    super();
    markAsUncloneable(this);
    const address = usvString(url);
    const instead = isOptions(protocolsOrOptions);
    const list = instead || protocolsOrOptions === undefined ? [] : protocols(protocolsOrOptions);
    const read = readOptions(address, list, instead ? protocolsOrOptions : options, defaults);
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
    // `binaryType` is an enumeration, so another value is ignored.
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
    const connection = this.#connection; // throws a TypeError if `this` is not a WebSocket
    const closeCode = code === undefined ? undefined : clampedUnsignedShort(code);
    const closeReason = reason === undefined ? undefined : usvString(reason);
    try {
      connection.close(closeCode, closeReason);
    } catch (error) {
      throw toException(error);
    }
  }

  /**
   * Sends a Ping. Not part of the standard.
   * @returns {Promise<void>} that resolves when the server has answered.
   */
  ping() {
    return this.#connection.ping();
  }

  /** Why the connection failed, for logs; `null` if it did not fail. Events must not contain it. Not in the standard. */
  get failure() {
    return this.#connection.failure;
  }

  /** Keeps the process alive while the socket has work to do; this is the default. Not part of the standard. */
  ref() {
    this.#connection.setRef(true);
    return this;
  }

  /** Lets the process end even if the socket has listeners. Not part of the standard. */
  unref() {
    this.#connection.setRef(false);
    return this;
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

  /** Returns whether an event could still reach a listener in this state. Then the socket is not collected. */
  #isHeard(state) {
    const types = FIRING[state];
    for (let i = 0; i < types.length; i += 1) {
      if (this.#listeners.hears(types[i])) return true;
    }
    return false;
  }

  #fire(event) {
    if (typeof event === 'string') {
      this.#fireMessage(event);
    } else if (event === OPEN) {
      this.#keepCookies();
      this.#publish(channels.open, () => ({ websocket: this, protocol: this.#text('protocol'), extensions: this.#text('extensions') }));
      if (this.#listeners.needs(ON_OPEN)) this.#listeners.fire(openEvent(), ON_OPEN);
    } else if (event === ERROR) {
      this.#publish(channels.error, () => this.#connection.failure);
      if (this.#listeners.needs(ON_ERROR)) this.#listeners.fire(errorEvent(), ON_ERROR);
    } else if (types.isArrayBuffer(event)) {
      this.#fireMessage(event);
    } else {
      this.#fireClose(event);
    }
  }

  #fireMessage(data) {
    if (!this.#listeners.needs(ON_MESSAGE)) return;
    this.#origin ??= urlOrigin(new URL(native.url(this.#number)));
    const isBlob = this.#binaryType === 'blob' && typeof data !== 'string';
    this.#listeners.fire(messageEvent(isBlob ? new Blob([data]) : data, this.#origin), ON_MESSAGE);
  }

  #fireClose({ wasClean, code, reason }) {
    try {
      this.#keepCookies();
      this.#publish(channels.close, () => ({ websocket: this, code, reason }));
      if (this.#listeners.needs(ON_CLOSE)) this.#listeners.fire(closeEvent(wasClean, code, reason), ON_CLOSE);
    } finally {
      this.#connection.ended();
    }
  }

  #text(name) {
    return native[name](this.#number);
  }

  /** Publishes to a diagnostics channel, if it has subscribers. */
  #publish(channel, message) {
    if (channel.hasSubscribers) channel.publish(message());
  }

  /** Passes the cookies of the response to the jar. */
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

  #inspect(depth, options, format) {
    if (depth < 0) return '[WebSocket]';
    const { url, readyState, protocol, extensions, bufferedAmount } = native;
    const number = this.#number;
    const members = {
      url: url(number),
      readyState: STATES[readyState(number)] ?? 'CLOSED',
      protocol: protocol(number),
      extensions: extensions(number),
      bufferedAmount: bufferedAmount(number),
      binaryType: this.#binaryType,
    };
    return `WebSocket ${format(members, options)}`;
  }

  static {
    const define = (name, value) =>
      name !== undefined && defineProperty(WebSocket.prototype, name, { __proto__: null, value, writable: true, configurable: true });
    define(inspect, function (depth, options, format) {
      return #number in this ? this.#inspect(depth, options, format) : format({}, options);
    });
    define(Symbol.for('nodejs.ref'), function () { this.#connection.setRef(true); });
    define(Symbol.for('nodejs.unref'), function () { this.#connection.setRef(false); });
    define(Symbol.dispose, function () { this.#connection.close(); });
    define(Symbol.asyncDispose, function () {
      this.#connection.close();
      return this.#connection.whenEnded();
    });
    countListeners(WebSocket.prototype, (socket) => (#listeners in socket ? socket.#listeners : undefined));
  }
}

/** Fills the reserved place of a Blob with its bytes. A Blob that cannot be read fails the connection. */
function fill(connection, place, blob) {
  promiseThen(
    blobArrayBuffer(blob),
    (bytes) => native.fill(connection.number, place, bytes),
    () => native.fill(connection.number, place, undefined),
  );
}

/**
 * Returns a class whose sockets have default options. It has its own copies of the members, and its constructor makes
 * objects with the private members of `WebSocket`, so that it behaves like `WebSocket` in every respect.
 */
function withDefaults(defaults) {
  const Base = WebSocket;
  const made = {
    WebSocket: class extends EventTarget {
      constructor(url, protocolsOrOptions = undefined, options = undefined) {
        nextDefaults = defaults;
        return construct(Base, arguments, new.target);
      }
    },
  }.WebSocket;
  copyMembers(WebSocket, made, ['prototype']); // among them `name` and `length`
  copyMembers(WebSocket.prototype, made.prototype, ['constructor']);
  return addWithDefaults(made, defaults);
}

function copyMembers(from, to, except) {
  for (const name of ownKeys(from)) {
    if (!except.includes(name)) defineProperty(to, name, getOwnPropertyDescriptor(from, name));
  }
}

function addWithDefaults(Class, defaults) {
  return defineProperty(Class, 'withDefaults', {
    __proto__: null,
    value: (options) => withDefaults({ __proto__: null, ...defaults, ...readDefaults(options) }),
    writable: true,
    configurable: true,
  });
}
addWithDefaults(WebSocket, undefined);

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
