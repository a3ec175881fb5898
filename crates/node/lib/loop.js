'use strict';
// The event loop's side of the native half: one call serves all sockets that have tasks.

const {
  DOMException,
  Error,
  FinalizationRegistry,
  Promise,
  Symbol,
  Uint32Array,
  WeakRef,
  arrayIsArray,
  defineProperty,
  derefWeakRef,
  ignoreRejection,
  process,
  setImmediate,
  setInterval,
  soon,
} = require('./primordials');
const { append, toException } = require('./idl');
const { report } = require('./microtasks');
const native = require('./native');

/**
 * The maximum number of events that one socket fires before the event loop runs timers and I/O, and the approximate
 * maximum for all sockets together.
 */
const SOCKET_EVENTS_MAX = 1024;
const TURN_EVENTS_MAX = 4096;
/** The maximum number of messages that one call passes to JavaScript. */
const BATCH = 128;
/** The messages of a socket are handed to the network after this many, or at the end of the turn. */
const FLUSH_EVERY = 64;

/** The sockets that have not ended, by number. */
const sockets = [];
/** The sockets that must not be collected: a listener could be called, or they have work left. */
const kept = [];
/** The numbers of the sockets that were sent something since the last flush. */
let unflushed = new Uint32Array(64);
let unflushedCount = 0;
let flushes = 0;
let inTurn = false;
let flushing = false;
/** A timer that keeps the process alive while `holders` is not 0. */
let alive;
let holders = 0;

const environment = native.enter(turn);

/** Runs the tasks of all sockets that have some. Exceptions are reported, and do not stop the other tasks. */
function turn() {
  inTurn = true;
  try {
    runTasks();
  } catch (error) {
    report(error);
  }
  inTurn = false;
  flush();
}

function runTasks() {
  for (let left = TURN_EVENTS_MAX; left > 0; ) {
    const numbers = native.ready(environment, collect);
    if (numbers === null) return;
    for (let i = 0; i < numbers.length; i += 1) {
      const connection = find(numbers[i]);
      left -= 1;
      try {
        if (connection !== undefined) left -= connection.drain(SOCKET_EVENTS_MAX);
      } catch (error) {
        report(error);
        connection.later();
      }
    }
  }
  // Not from the native half: its call would arrive before the event loop makes a turn.
  setImmediate(turn);
}

const find = (number) => {
  const reference = sockets[number];
  return reference === undefined ? undefined : derefWeakRef(reference);
};

/** Hands sent messages to the network, at the end of a turn or of the running script. */
function flush() {
  flushing = false;
  if (unflushedCount === 0) return;
  const count = unflushedCount;
  unflushedCount = 0;
  flushes += 1;
  native.flush(unflushed, count);
}

function flushLater(number) {
  if (unflushedCount === unflushed.length) {
    const more = new Uint32Array(2 * unflushedCount);
    for (let i = 0; i < unflushedCount; i += 1) more[i] = unflushed[i];
    unflushed = more;
  }
  unflushed[unflushedCount] = number;
  unflushedCount += 1;
  if (!inTurn && !flushing) {
    flushing = true;
    soon(flush);
  }
}

/** The common part of `WebSocket` and `WebSocketStream`: the native socket, its place in the loop, and its lifetime. */
class Connection {
  #number;
  #fire;
  #isWanted;
  /** How many messages were queued since the flush with the number `#flush`. */
  #fed = 0;
  #flush = -1;
  /** Pings without a Pong, oldest first. */
  #pings = [];
  #wantedMessages;
  #afterTask;
  /** Set by `close()`: messages that were already taken are not fired. */
  #dropsTaken = false;
  /** Whether a listener keeps this alive, and whether that may have changed. */
  #isHeard = false;
  #needsUpdate = false;
  #failure = null;
  #end;
  #resolveEnd;
  #isRef = true;
  #holds = false;

  /**
   * `url` and `options` are the arguments for the native half. `fire(event)` receives the events. `isWanted(state)` returns
   * whether an event could reach a listener in that state. `wantedMessages()` returns how many messages may be fired
   * now. `afterTask()` is called after each event and when all tasks have run.
   */
  constructor({ url, options }, fire, isWanted, wantedMessages = undefined, afterTask = undefined) {
    try {
      this.#number = native.open(environment, url, options);
    } catch (error) {
      throw toException(error);
    }
    this.#fire = fire;
    this.#isWanted = isWanted;
    this.#wantedMessages = wantedMessages;
    this.#afterTask = afterTask;
    sockets[this.#number] = new WeakRef(this);
    collected.register(this, this.#number);
    if (alive === undefined) start();
    this.update();
    this.later(); // registers for later events
  }

  /** The number that identifies the socket in the native half. */
  get number() {
    return this.#number;
  }

  get readyState() {
    return native.readyState(this.#number);
  }

  get bufferedAmount() {
    return native.bufferedAmount(this.#number);
  }

  /** Called after a message was queued on the native socket. */
  fed() {
    if (this.#flush !== flushes) {
      this.#flush = flushes;
      this.#fed = 0;
      flushLater(this.#number);
      if (kept[this.#number] === undefined) this.update();
    }
    this.#fed += 1;
    if (this.#fed === FLUSH_EVERY) flush();
  }

  /** Requests another turn, because tasks may be waiting. */
  later() {
    native.later(environment, this.#number);
  }

  /** Closes the connection with the function `how`. Throws what `how` throws. */
  close(code, reason, how = native.close) {
    if (!how(this.#number, code, reason)) this.#dropsTaken = true;
    this.update();
  }

  /** Runs waiting tasks, up to a number of events; @returns the number of events. */
  drain(events) {
    const number = this.#number;
    const wantedMessages = this.#wantedMessages;
    let left = events;
    while (left > 0) {
      const most = wantedMessages === undefined ? BATCH : wantedMessages();
      const event = native.next(number, most, collectMessages);
      if (event === null) {
        this.#ran();
        return events - left;
      }
      if (arrayIsArray(event)) {
        const isLast = lastMessages;
        left -= event.length;
        this.#fireAll(event);
        if (isLast) {
          this.#ran();
          return events - left;
        }
      } else {
        // One task fires both `error` and `close`, so only `close` is counted.
        if (event !== ERROR) left -= 1;
        this.#needsUpdate = true;
        this.#fireOne(event);
      }
    }
    this.later();
    this.#ran();
    return events - left;
  }

  #fireAll(messages) {
    for (let i = 0; i < messages.length; i += 1) {
      if (this.#dropsTaken) return;
      this.#fireOne(messages[i]);
    }
  }

  #fireOne(event) {
    try {
      this.#fire(event);
    } catch (error) {
      report(error);
    }
  }

  /** Called when tasks have run: data may have been sent, and Pings answered. */
  #ran() {
    if (this.#needsUpdate || !this.#isHeard) this.update();
    if (this.#afterTask !== undefined) this.#afterTask();
    if (this.#pings.length > 0) this.#answerPings(native.pingsAnswered(this.#number));
  }

  #answerPings(answered) {
    const waiting = [];
    for (let i = 0; i < this.#pings.length; i += 1) {
      const ping = this.#pings[i];
      if (ping.number <= answered) ping.resolve();
      else append(waiting, ping);
    }
    this.#pings = waiting;
    if (waiting.length === 0) this.update();
  }

  /** @returns {Promise<void>} that resolves when the Pong arrives. */
  ping() {
    return new Promise((resolve, reject) => {
      try {
        const number = native.ping(this.#number);
        if (this.readyState !== OPEN) throw new DOMException('The connection is closed', 'InvalidStateError');
        append(this.#pings, { number, resolve, reject });
        this.update();
      } catch (error) {
        reject(toException(error));
      }
    });
  }

  /**
   * Why the connection failed: an Error with `phase`, and with `status` and `tlsAlert` if they are known. `null` if
   * the connection has not failed.
   */
  get failure() {
    // Only in state CLOSED, so that a script does not see the failure before the events.
    if (this.#failure === null && this.readyState === CLOSED) {
      const info = native.failure(this.#number);
      if (info !== null) {
        this.#failure = new Error(info.message);
        this.#failure.phase = info.phase;
        if (typeof info.status === 'number') this.#failure.status = info.status;
        if (typeof info.tlsAlert === 'number') this.#failure.tlsAlert = info.tlsAlert;
      }
    }
    return this.#failure;
  }

  /** Sets whether this keeps the process alive while it has work to do. */
  setRef(isRef) {
    this.#isRef = isRef;
    this.update();
  }

  /**
   * Decides whether this object and the process must stay alive. They must while the "garbage collection" rules of WHATWG
   * require it, while the connection is closing, and while a Ping has no Pong yet.
   */
  update() {
    const state = this.readyState;
    this.#needsUpdate = false;
    const hasEnded = state === null || state === CLOSED;
    this.#isHeard = !hasEnded && this.#isWanted(state);
    const isNeeded =
      this.#isHeard ||
      (!hasEnded && (state === CLOSING || this.#pings.length > 0 || this.#flush === flushes || this.bufferedAmount > 0));
    kept[this.#number] = isNeeded ? this : undefined;
    this.#hold(isNeeded && this.#isRef);
  }

  #hold(holds) {
    if (this.#holds === holds) return;
    this.#holds = holds;
    holders += holds ? 1 : -1;
    if (holders === 0) alive.unref();
    else if (holds && holders === 1) alive.ref();
  }

  /** Closes the socket because the process is ending, and keeps the process alive until the server has answered. */
  leave() {
    native.disappear(this.#number);
    this.update();
  }

  /** @returns {Promise<void>} that resolves after the last event. */
  whenEnded() {
    this.#end ??= new Promise((resolve) => {
      if (sockets[this.#number] === undefined) resolve();
      else this.#resolveEnd = resolve;
    });
    return this.#end;
  }

  /** Called after the last event. */
  ended() {
    this.#resolveEnd?.();
    const pings = this.#pings;
    this.#pings = [];
    for (let i = 0; i < pings.length; i += 1) {
      pings[i].reject(new DOMException('The connection is closed', 'InvalidStateError'));
    }
    sockets[this.#number] = undefined;
    this.update();
  }
}

/** Releases a connection whose object was collected. If it is open, it closes without a code. */
const collected = new FinalizationRegistry((number) => {
  sockets[number] = undefined;
  native.release(number);
});

/** Collects the arguments of a call from the native half. */
const collect = (...values) => values;

/** Whether all tasks had run when the last messages were collected. */
let lastMessages = false;

function collectMessages(isLast, ...messages) {
  lastMessages = isLast === 1;
  return messages;
}

function start() {
  alive = setInterval(() => {}, 0x7fff_ffff).unref();
  whenEnding(() => {
    flush();
    for (let number = 0; number < sockets.length; number += 1) {
      const connection = find(number);
      if (connection?.readyState === OPEN) connection.leave();
    }
  });
}

/**
 * The key of a shared list: the functions that the copies of the package on this thread call when the program ends by
 * itself.
 */
const ENDINGS = Symbol.for('fullduplex.endings');

/**
 * Calls `close` when the event loop has no work left, so that sockets without listeners still close properly. There is
 * one process listener for each thread, however often the package is loaded.
 */
function whenEnding(close) {
  let endings = process[ENDINGS];
  if (endings === undefined) {
    endings = [];
    defineProperty(process, ENDINGS, { __proto__: null, value: endings, configurable: true });
    process.on('beforeExit', () => {
      for (let i = 0; i < endings.length; i += 1) endings[i]();
    });
    process.on('exit', () => native.leave());
  }
  append(endings, close);
}

const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
/** The event `error`, as the native half reports it. The number is also that of CLOSING. */
const ERROR = 2;

module.exports = { Connection, ERROR, OPEN, flush };
