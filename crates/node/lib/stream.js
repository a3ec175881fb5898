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

class WebSocketStream {
  #connection;
  #number;
  #opened = withResolvers();
  #closed = withResolvers();
  #readable;
  #writable;
  /** The latest read, write and `writer.close()`; the machine knows which of them wait. */
  #pull;
  #write;
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
      {
        wantedMessages: () => (native.streamWantsMessage(this.#number) ? 1 : 0),
        afterTasks: () => this.#carryOut(native.streamRoom(this.#number)),
      },
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

  #close(code, reason, how) {
    this.#connection.close(code, reason, how);
    // Messages that wait hold nothing up any more: they are dropped.
    this.#connection.later();
  }

  #whenAborted(signal) {
    if (signal === undefined) return;
    if (signal.aborted) {
      this.#abort(signal.reason);
      return;
    }
    const abort = () => {
      if (this.#connection.readyState !== CONNECTING) return;
      this.#close();
      this.#abort(signal.reason);
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
    native.streamPull(this.#number);
    this.#connection.later();
    return this.#pull.promise;
  }

  #receive(chunk) {
    this.#readable?.enqueue(chunk);
    this.#carryOut(native.streamMessage(this.#number));
  }

  #send(chunk) {
    if (!native.streamMayWrite(this.#number)) throw closing();
    const source = bufferSource(chunk);
    if (source === undefined) native.feedText(this.#number, usvString(chunk));
    else native.feedBytes(this.#number, source.buffer, source.offset, source.length);
    this.#connection.fed();
    if (!native.streamWrite(this.#number)) return undefined;
    this.#write = withResolvers();
    return this.#write.promise;
  }

  /** `writer.close()`: everything is sent, then the connection closes. */
  #finish() {
    this.#close();
    native.streamFinish(this.#number);
    this.#ending = withResolvers();
    return this.#ending.promise;
  }

  /** The reader or the writer gives up. Only a WebSocketError says something to the server. */
  #closeFor(reason) {
    const { closeCode, reason: text } = reason instanceof WebSocketError ? reason : {};
    this.#close(closeCode ?? undefined, text, native.streamGiveUp);
  }

  #end({ wasClean, code, reason }) {
    const error = () => connectionError('The connection was not closed cleanly', code, reason);
    this.#carryOut(native.streamEnd(this.#number, wasClean, code), { closeCode: code, reason }, error);
  }

  #abort(reason) {
    this.#carryOut(native.streamAbort(this.#number), undefined, () => reason);
  }

  /** Does what the machine says: the numbers are those of its effects. */
  #carryOut(effects, info, makeError) {
    if (effects.length === 0) return;
    const error = makeError?.();
    for (const effect of effects) {
      switch (effect) {
        case 1: this.#opened.reject(error); break;
        case 2: this.#closed.resolve(info); break;
        case 3: this.#closed.reject(error); break;
        case 4: attempt(() => this.#readable?.close()); break;
        case 5: this.#readable?.error(error); break;
        case 6: this.#pull.resolve(); break;
        case 7: this.#write.resolve(); break;
        case 8: this.#write.reject(error); break;
        case 9: this.#write.reject(closing()); break;
        case 10: this.#ending.resolve(); break;
        case 11: this.#ending.reject(error); break;
        case 12: this.#writable?.error(error); break;
        case 13: this.#writable?.error(closing()); break;
        default: throw new Error(`there is no effect ${effect}`);
      }
    }
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
