'use strict';
// `WebSocketStream`, as whatwg/websockets#48 proposes it.

const {
  DOMException,
  Error,
  EventTarget,
  Promise,
  ReadableStream,
  Symbol,
  Uint8Array,
  WritableStream,
  abortReason,
  events,
  ignoreRejection,
  isAborted,
  markAsUncloneable,
  types,
  uncurryThis,
} = require('./primordials');
const { bufferSource, enumerable, requireArguments, toException, toStringTag, usvString } = require('./idl');
const { closeInfo, connectionError, infoOf } = require('./error');
const { Connection, ERROR, OPEN, flush } = require('./loop');
const { checkpoint } = require('./microtasks');
const native = require('./native');
const { streamOptions } = require('./options');

const CONNECTING = 0;
const { addAbortListener } = events;
const addEventListener = uncurryThis(EventTarget.prototype.addEventListener);
const removeEventListener = uncurryThis(EventTarget.prototype.removeEventListener);

class WebSocketStream {
  #connection;
  #number;
  #opened = withResolvers();
  #closed = withResolvers();
  #readable;
  #writable;
  /**
   * The promises of the latest read, write and `writer.close()`. The state machine records which of them are pending.
   */
  #pull;
  #write;
  #ending;

  /** Removes the abort listener from the signal. */
  #unfollow;
  /** The error of all writes after the close: one object for all of them. */
  #closingError;

  constructor(url, options = {}) {
    requireArguments(arguments.length, 1, 'WebSocketStream');
    const address = usvString(url);
    const read = streamOptions(address, options);
    markAsUncloneable(this);
    this.#connection = new Connection(
      read,
      (event) => this.#run(event),
      () => true,
      () => (native.streamWantsMessage(this.#number) ? 1 : 0),
      () => this.#carryOut(native.streamRoom(this.#number)),
    );
    this.#number = this.#connection.number;
    this.#whenAborted(read.signal);
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

  /** Why the connection failed, for logs. Not part of the proposal. */
  get failure() {
    return this.#connection.failure;
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
    // Drops waiting messages, so that they no longer delay the tasks behind them.
    this.#connection.later();
  }

  #whenAborted(signal) {
    if (signal === undefined) return;
    if (isAborted(signal)) {
      this.#abort(abortReason(signal));
      return;
    }
    this.#unfollow = follow(signal, () => {
      if (this.#connection.readyState !== CONNECTING) return;
      this.#close();
      this.#abort(abortReason(signal));
    });
  }

  /**
   * Runs a task and then a microtask checkpoint. Flushes afterwards, so that data written during the task is sent
   * separately.
   */
  #run(event) {
    try {
      this.#runTask(event);
    } finally {
      checkpoint();
      flush();
    }
  }

  #runTask(event) {
    if (event === OPEN) {
      this.#unfollow?.();
      this.#open();
    } else if (event === ERROR) {
      // The close event that follows has the details.
    } else if (typeof event === 'string') {
      this.#receive(event);
    } else if (types.isArrayBuffer(event)) {
      this.#receive(new Uint8Array(event));
    } else {
      this.#unfollow?.();
      try {
        this.#end(event);
      } finally {
        this.#connection.ended();
      }
    }
  }

  #open() {
    const extensions = native.extensions(this.#number);
    const protocol = native.protocol(this.#number);
    const readable = new ReadableStream(
      {
        __proto__: null,
        start: (controller) => {
          this.#readable = controller;
        },
        pull: () => this.#wait(),
        cancel: (reason) => this.#closeFor(reason),
      },
      { __proto__: null, highWaterMark: 0 },
    );
    const writable = new WritableStream({
      __proto__: null,
      start: (controller) => {
        this.#writable = controller;
      },
      write: (chunk) => this.#send(chunk),
      close: () => this.#finish(),
      abort: (reason) => this.#closeFor(reason),
    });
    this.#opened.resolve({ readable, writable, extensions, protocol });
  }

  /** Requests a message for the reader. The native half delivers messages from now on. */
  #wait() {
    this.#pull = withResolvers();
    native.streamPull(this.#number);
    this.#connection.later();
    return this.#pull.promise;
  }

  #receive(chunk) {
    attempt(() => this.#readable?.enqueue(chunk));
    this.#carryOut(native.streamMessage(this.#number));
  }

  #send(chunk) {
    if (!native.streamMayWrite(this.#number)) throw this.#closing();
    const source = bufferSource(chunk);
    if (source === undefined) native.feedText(this.#number, usvString(chunk));
    else native.feedBytes(this.#number, source.buffer, source.offset, source.length);
    this.#connection.fed();
    if (!native.streamWrite(this.#number)) return undefined;
    this.#write = withResolvers();
    return this.#write.promise;
  }

  /** Implements `writer.close()`: sends everything, then closes the connection. */
  #finish() {
    this.#close();
    native.streamFinish(this.#number);
    this.#ending = withResolvers();
    return this.#ending.promise;
  }

  /**
   * Closes the connection because the reader was cancelled or the writer aborted. Only a WebSocketError has a code and
   * a reason for the server.
   */
  #closeFor(reason) {
    const info = infoOf(reason);
    this.#close(info?.closeCode ?? undefined, info?.reason, native.streamGiveUp);
  }

  #end({ wasClean, code, reason }) {
    const error = () => connectionError('The connection was not closed cleanly', code, reason);
    this.#carryOut(native.streamEnd(this.#number, wasClean, code), { closeCode: code, reason }, error);
  }

  #abort(reason) {
    this.#carryOut(native.streamAbort(this.#number), undefined, () => reason);
  }

  #closing() {
    this.#closingError ??= new DOMException('The WebSocket is closing or closed', 'InvalidStateError');
    return this.#closingError;
  }

  /** Carries out the effects that the native half returned, given by number. */
  #carryOut(effects, info, makeError) {
    if (effects.length === 0) return;
    const error = makeError?.();
    for (let i = 0; i < effects.length; i += 1) this.#effect(EFFECTS[effects[i]], info, error);
  }

  #effect(name, info, error) {
    switch (name) {
      case 'RejectOpened': this.#opened.reject(error); break;
      case 'ResolveClosed': this.#closed.resolve(info); break;
      case 'RejectClosed': this.#closed.reject(error); break;
      case 'CloseReadable': attempt(() => this.#readable?.close()); break;
      case 'ErrorReadable': this.#readable?.error(error); break;
      case 'ResolvePull': this.#pull.resolve(); break;
      case 'ResolveWrite': this.#write.resolve(); break;
      case 'RejectWrite': this.#write.reject(error); break;
      case 'RejectWriteAsClosing': this.#write.reject(this.#closing()); break;
      case 'ResolveFinish': this.#ending.resolve(); break;
      case 'RejectFinish': this.#ending.reject(error); break;
      case 'ErrorWritable': this.#writable?.error(error); break;
      case 'ErrorWritableAsClosing': this.#writable?.error(this.#closing()); break;
      default: throw new Error(`unknown effect: ${name}`);
    }
  }
}

/** The names of the effects, by number. */
const EFFECTS = native.streamEffects();

/** Calls `abort` when the signal aborts, even if a listener stops the event. Returns a function that removes it again. */
function follow(signal, abort) {
  if (events.addAbortListener !== undefined) {
    const { [Symbol.dispose]: dispose } = addAbortListener(signal, abort);
    return dispose;
  }
  addEventListener(signal, 'abort', abort, { __proto__: null, once: true });
  return () => removeEventListener(signal, 'abort', abort);
}

/** Ignores the exception of a stream that its user has already cancelled. */
function attempt(call) {
  try {
    call();
  } catch {
    // The stream is closed already.
  }
}

/** Creates a promise whose rejection is never reported as unhandled. */
function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  ignoreRejection(promise);
  return { promise, resolve, reject };
}

enumerable(WebSocketStream.prototype, 'url', 'opened', 'closed', 'close');
toStringTag(WebSocketStream.prototype, 'WebSocketStream');

module.exports = { WebSocketStream };
