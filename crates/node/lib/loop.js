'use strict';
// The event loop's side of the native half: one call for all sockets that have tasks.

const {
  DOMException,
  Error,
  FinalizationRegistry,
  Promise,
  Symbol,
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

/** The most events that one socket, and about the most that all sockets fire before timers and files have their turn. */
const SOCKET_EVENTS_MAX = 1024;
const TURN_EVENTS_MAX = 4096;
/** The most messages that cross to JavaScript in one call. */
const BATCH = 128;
/** The network hears of what was sent after this many messages, or at the end of the turn. */
const FLUSH_EVERY = 64;

/** The sockets that have not ended, by number. */
const sockets = [];
/** Those of them that must not be collected: somebody could hear of them, or they have something to do. */
const kept = [];
/** The sockets that were sent something since the last flush. */
let unflushed = [];
let inTurn = false;
let flushing = false;
/** A timer that keeps the process alive while `holders` is not 0. */
let alive;
let holders = 0;

const environment = native.enter(turn);

/** Runs the tasks of all sockets that have some. Whatever throws is reported, and the next step runs. */
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
  // A call by the native half would come at once, without a turn of the loop.
  setImmediate(turn);
}

const find = (number) => {
  const reference = sockets[number];
  return reference === undefined ? undefined : derefWeakRef(reference);
};

/** Hands over what was sent: at the end of a turn, or of the script that runs. */
function flush() {
  flushing = false;
  const waiting = unflushed;
  if (waiting.length === 0) return;
  unflushed = [];
  const numbers = [];
  for (let i = 0; i < waiting.length; i += 1) {
    waiting[i].flushed();
    append(numbers, waiting[i].number);
  }
  native.flush(numbers);
}

/**
 * What `WebSocket` and `WebSocketStream` have in common: the native socket, its place in the loop, and its life.
 */
class Connection {
  #number;
  #fire;
  #isWanted;
  #fed = 0;
  /** The pings that wait for a Pong, oldest first. */
  #pings = [];
  #wantedMessages;
  #afterTask;
  /** `close()` has been called: messages that were taken are not fired. */
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
   * `url` and `options` are what the native half takes; `fire(event)` takes the events; `isWanted(state)` says whether
   * somebody could hear of a socket in that state; `wantedMessages()` how many messages may be fired now; `afterTask()`
   * is called after each event and when tasks have run.
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
    this.later(); // registers for the events that follow
  }

  /** What the native half calls the socket. */
  get number() {
    return this.#number;
  }

  get readyState() {
    return native.readyState(this.#number);
  }

  get bufferedAmount() {
    return native.bufferedAmount(this.#number);
  }

  /** Something was fed to the native socket. */
  fed() {
    this.#fed += 1;
    if (this.#fed === 1) {
      append(unflushed, this);
      if (!inTurn && !flushing) {
        flushing = true;
        soon(flush);
      }
      if (kept[this.#number] === undefined) this.update();
    } else if (this.#fed % FLUSH_EVERY === 0) {
      native.flush([this.#number]);
    }
  }

  flushed() {
    this.#fed = 0;
  }

  /** Tasks may wait: this has another turn. */
  later() {
    native.later(environment, this.#number);
  }

  /** Closes by `how`; throws what that does. */
  close(code, reason, how = native.close) {
    if (!how(this.#number, code, reason)) this.#dropsTaken = true;
    this.update();
  }

  /** Runs the tasks that wait, up to a number of events; @returns how many. */
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
        // One task fires both `error` and `close`.
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

  /** Tasks have run: what was sent may have left, and Pings been answered. */
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

  /** @returns {Promise<void>} that resolves when the Pong has come. */
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

  /** Why the connection failed: an Error with `phase` and perhaps `status`; `null` if it has not. */
  get failure() {
    // The events come first: a script must not see the end before them.
    if (this.#failure === null && this.readyState === CLOSED) {
      const info = native.failure(this.#number);
      if (info !== null) {
        this.#failure = new Error(info.message);
        this.#failure.phase = info.phase;
        if (typeof info.status === 'number') this.#failure.status = info.status;
      }
    }
    return this.#failure;
  }

  /** Whether this keeps the process alive while it has to do something. */
  setRef(isRef) {
    this.#isRef = isRef;
    this.update();
  }

  /**
   * Keeps this object, and the process, alive: while WHATWG says so ("garbage collection"), while it is closing, and
   * while a Pong is awaited.
   */
  update() {
    const state = this.readyState;
    this.#needsUpdate = false;
    const hasEnded = state === null || state === CLOSED;
    this.#isHeard = !hasEnded && this.#isWanted(state);
    const isNeeded =
      this.#isHeard ||
      (!hasEnded && (state === CLOSING || this.#pings.length > 0 || this.#fed > 0 || this.bufferedAmount > 0));
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

  /** The program ends by itself: says so to the server, and stays alive until that has answered. */
  leave() {
    native.disappear(this.#number);
    this.update();
  }

  /** @returns {Promise<void>} that resolves when the last event was fired. */
  whenEnded() {
    this.#end ??= new Promise((resolve) => {
      if (sockets[this.#number] === undefined) resolve();
      else this.#resolveEnd = resolve;
    });
    return this.#end;
  }

  /** The last event was fired. */
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

/** A connection that nobody can hear of any more is given up: if it is open, it closes without a code. */
const collected = new FinalizationRegistry((number) => {
  sockets[number] = undefined;
  native.release(number);
});

/** Receives several values from the native half. */
const collect = (...values) => values;

/** Whether no task waits behind the messages that were collected. */
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

/** Where each loading of the package on this thread has what it does at a natural end. */
const ENDINGS = Symbol.for('fullduplex.endings');

/**
 * Has `close` called when nothing else is left to do. Sockets that nobody hears are closed properly then, which takes as
 * long as the server does. There is one listener for each thread, however often the package is loaded.
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
/** The event `error`, as the native half gives it. Its number is also that of CLOSING. */
const ERROR = 2;

module.exports = { Connection, ERROR, OPEN, flush };
