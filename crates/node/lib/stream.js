'use strict';
// `WebSocketStream`, as whatwg/websockets#48 proposes it.

const {
  bufferSource,
  dictionary,
  enumerable,
  isObject,
  requireArguments,
  sequence,
  toException,
  toStringTag,
  usvString,
} = require('./idl');
const { WebSocketError, closeInfo, connectionError } = require('./error');
const { Connection, ERROR, OPEN } = require('./loop');
const native = require('./native');
const { options: readOptions } = require('./options');

const CONNECTING = 0;

/** `write()` resolves while less than this waits for the network. */
const ROOM = 64 << 10;

class WebSocketStream {
  #connection;
  #number;
  #opened = withResolvers();
  #closed = withResolvers();
  #readable;
  #writable;
  /** A read that waits for a message. */
  #pull;
  /** A write that waits for room. */
  #write;
  /** `writer.close()`, which waits for the end. */
  #ending;

  constructor(url, options = {}) {
    requireArguments(arguments.length, 1, 'WebSocketStream');
    const address = usvString(url);
    const { protocols, signal } = dictionary(options, 'The options');
    const list = protocols === undefined ? [] : listOf(protocols);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError('The signal is not an AbortSignal');
    }
    const read = readOptions(address, list, { ...options, protocols: undefined });
    read.options.abandoned = signal?.aborted === true;
    this.#connection = new Connection(
      read,
      (event) => this.#run(event),
      () => true,
      { wantedMessages: () => (this.#pull !== undefined || this.#connection.readyState !== OPEN ? 1 : 0), afterTasks: () => this.#makeRoom() },
    );
    this.#number = this.#connection.number;
    this.#whenAborted(signal);
  }

  get url() {
    return native.url(this.#number);
  }

  get opened() {
    return this.#opened.promise;
  }

  get closed() {
    return this.#closed.promise;
  }

  close(info = {}) {
    void this.#number;
    const { closeCode, reason } = closeInfo(info);
    try {
      this.#close(closeCode, reason);
    } catch (error) {
      throw toException(error);
    }
  }

  #close(code, reason) {
    this.#connection.close(code, reason);
    // Messages that wait hold nothing up any more: they are dropped.
    this.#connection.later();
  }

  #whenAborted(signal) {
    if (signal === undefined) return;
    if (signal.aborted) {
      this.#settleFailed(signal.reason);
      return;
    }
    const abort = () => {
      if (this.#connection.readyState !== CONNECTING) return;
      this.#close();
      this.#settleFailed(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
  }

  #run(event) {
    if (event === OPEN) {
      this.#open();
    } else if (event === ERROR) {
      // What it means, the close event says.
    } else if (typeof event === 'string' || event instanceof ArrayBuffer) {
      this.#receive(typeof event === 'string' ? event : new Uint8Array(event));
    } else {
      this.#end(event);
      this.#connection.ended();
    }
  }

  #open() {
    const extensions = native.extensions(this.#number);
    const protocol = native.protocol(this.#number);
    const readable = new ReadableStream(
      {
        start: (controller) => {
          this.#readable = controller;
        },
        pull: () => this.#wait(),
        cancel: (reason) => this.#closeFor(reason),
      },
      { highWaterMark: 0 },
    );
    const writable = new WritableStream({
      start: (controller) => {
        this.#writable = controller;
      },
      write: (chunk) => this.#send(chunk),
      close: () => this.#finish(),
      abort: (reason) => this.#closeFor(reason),
    });
    this.#opened.resolve({ readable, writable, extensions, protocol });
  }

  /** The reader wants a message: from now on they are taken. */
  #wait() {
    this.#pull = withResolvers();
    this.#connection.later();
    return this.#pull.promise;
  }

  #receive(chunk) {
    const { resolve } = this.#pull;
    this.#pull = undefined;
    this.#readable?.enqueue(chunk);
    resolve();
  }

  #send(chunk) {
    if (this.#connection.readyState !== OPEN) throw closing();
    const source = bufferSource(chunk);
    if (source === undefined) native.feedText(this.#number, usvString(chunk));
    else native.feedBytes(this.#number, source.buffer, source.offset, source.length);
    this.#connection.fed();
    if (this.#connection.bufferedAmount < ROOM) return undefined;
    this.#write = withResolvers();
    return this.#write.promise;
  }

  #makeRoom() {
    if (this.#write === undefined || this.#connection.bufferedAmount >= ROOM) return;
    this.#write.resolve();
    this.#write = undefined;
  }

  /** `writer.close()`: everything is sent, then the connection closes. */
  #finish() {
    this.#close();
    this.#ending = withResolvers();
    return this.#ending.promise;
  }

  /** The reader or the writer gives up. Only a WebSocketError says something to the server. */
  #closeFor(reason) {
    const { closeCode, reason: text } = reason instanceof WebSocketError ? reason : {};
    try {
      this.#close(closeCode ?? undefined, text);
    } catch {
      this.#close(); // a code that came from elsewhere
    }
  }

  #end({ wasClean, code, reason }) {
    // What was sent and has not left is lost: then the end is not clean, whatever the server said.
    if (wasClean && this.#connection.bufferedAmount === 0) {
      this.#pull?.resolve();
      attempt(() => this.#readable?.close());
      this.#ending?.resolve();
      this.#write?.reject(closing());
      if (this.#ending === undefined) this.#writable?.error(closing());
      this.#closed.resolve({ closeCode: code, reason });
    } else {
      const error = connectionError('The connection was not closed cleanly', code, reason);
      if (code !== 1006) this.#write?.reject(closing());
      this.#settleFailed(error);
    }
  }

  #settleFailed(error) {
    this.#opened.reject(error);
    this.#closed.reject(error);
    this.#readable?.error(error);
    this.#write?.reject(error);
    this.#ending?.reject(error);
    this.#writable?.error(error);
    this.#pull?.resolve();
  }
}

/** `sequence<USVString>`, which a string is not. */
function listOf(value) {
  if (!isObject(value)) throw new TypeError('The protocols are not a sequence');
  return sequence(value, value[Symbol.iterator]);
}

const closing = () => new DOMException('The WebSocket is closing or closed', 'InvalidStateError');

/** A stream that its user has cancelled is closed already. */
function attempt(call) {
  try {
    call();
  } catch {
    // Nothing is left to do.
  }
}

/** A promise of which nobody need hear. */
function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((...both) => {
    [resolve, reject] = both;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

enumerable(WebSocketStream.prototype, 'url', 'opened', 'closed', 'close');
toStringTag(WebSocketStream.prototype, 'WebSocketStream');

module.exports = { WebSocketStream };
