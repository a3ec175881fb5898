'use strict';
// The event loop's side of the native half: one call for all sockets that have tasks.

const { toException } = require('./idl');
const native = require('./native');

/** So many events of one socket, and about so many of all, have their turn before timers and files do. */
const EVENTS = 1024;
const TURN = 4096;
/** So many messages cross to JavaScript in one call. */
const BATCH = 128;

/** What was sent is handed to the network in portions of so many messages. */
const PORTION = 64;

/** The sockets that have not ended, by number; they may be collected. */
const sockets = new Map();
/** Those that may not: somebody could hear of them, or they have something to send. */
const kept = new Set();
/** Those that were sent something that the network has not heard of. */
let unflushed = [];
let inTurn = false;
let flushing = false;
let alive;

const environment = native.enter(turn);

function turn() {
  inTurn = true;
  for (let left = TURN; ; ) {
    if (left <= 0) {
      // A call by the native half would come at once, without a turn of the loop.
      setImmediate(turn);
      break;
    }
    const numbers = native.ready(environment, collect);
    if (numbers === null) break;
    for (const number of numbers) left -= 1 + (sockets.get(number)?.deref()?.drain(EVENTS) ?? 0);
  }
  inTurn = false;
  flush();
}

/** Hands over what was sent: at the end of a turn, or of the script that runs. */
function flush() {
  flushing = false;
  const waiting = unflushed;
  if (waiting.length === 0) return;
  unflushed = [];
  for (const connection of waiting) connection.flushed();
  native.flush(waiting.map((connection) => connection.number));
}

/**
 * What `WebSocket` and `WebSocketStream` have in common: the native socket, its place in the loop,
 * and its life. `owner` is the object of the standard, which is told of events by `owner(event)`.
 */
class Connection {
  #number;
  #fire;
  #isWanted;
  #fed = 0;
  #pings = [];

  #wantedMessages;
  /** `close()` has been called: messages that were taken are not fired. */
  #dropsTaken = false;
  /** Whether this is kept because of its listeners, and whether that may have changed. */
  #isHeard = false;
  #needsUpdate = false;
  #afterTasks;

  /**
   * `url` and `options` are what the native half takes; `fire(event)` takes the events; `isWanted(state)`
   * says whether somebody could hear of a socket in that state; `wantedMessages()` how many messages may
   * be fired now; `afterTasks()` is called when some have run.
   */
  constructor({ url, options }, fire, isWanted, { wantedMessages = () => BATCH, afterTasks } = {}) {
    try {
      this.#number = native.open(environment, url, options);
    } catch (error) {
      throw toException(error);
    }
    this.#fire = fire;
    this.#isWanted = isWanted;
    this.#wantedMessages = wantedMessages;
    this.#afterTasks = afterTasks;
    sockets.set(this.#number, new WeakRef(this));
    collected.register(this, this.#number);
    if (alive === undefined) start();
    this.update();
    this.later(); // the first look at it has the next ones announced
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
      unflushed.push(this);
      if (!inTurn && !flushing) {
        flushing = true;
        queueMicrotask(flush);
      }
      if (!kept.has(this)) this.update();
    } else if (this.#fed % PORTION === 0) {
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
    let left = events;
    while (left > 0) {
      const event = native.next(number, this.#wantedMessages(), collectMessages);
      if (event === null) {
        this.#ran();
        return events - left;
      }
      if (Array.isArray(event)) {
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
        this.#fire(event);
      }
    }
    this.later();
    this.#ran();
    return events - left;
  }

  #fireAll(messages) {
    for (const message of messages) {
      if (this.#dropsTaken) return;
      this.#fire(message);
    }
  }

  /** Tasks have run: what was sent may have left, and Pings been answered. */
  #ran() {
    if (this.#needsUpdate || !this.#isHeard) this.update();
    this.#afterTasks?.();
    while (this.#pings.length > 0 && this.#pings[0].number <= native.pingsAnswered(this.#number)) {
      this.#pings.shift().resolve();
    }
  }

  /** @returns {Promise<void>} that resolves when the Pong has come. */
  ping() {
    return new Promise((resolve, reject) => {
      try {
        const number = native.ping(this.#number);
        if (this.readyState !== OPEN) throw new DOMException('The connection is closed', 'InvalidStateError');
        this.#pings.push({ number, resolve, reject });
      } catch (error) {
        reject(toException(error));
      }
    });
  }

  /** Keeps this object, and the process, alive while WHATWG says so ("garbage collection"). */
  update() {
    const state = this.readyState;
    this.#needsUpdate = false;
    this.#isHeard = state !== CLOSED && this.#isWanted(state);
    if (this.#isHeard || (state !== CLOSED && this.bufferedAmount > 0)) {
      kept.add(this);
      if (kept.size === 1) alive.ref();
    } else {
      if (kept.delete(this) && kept.size === 0) alive.unref();
    }
  }

  /** The last event was fired. */
  ended() {
    for (const { reject } of this.#pings.splice(0)) {
      reject(new DOMException('The connection is closed', 'InvalidStateError'));
    }
    sockets.delete(this.#number);
  }
}

/** A connection that nobody can hear of any more is given up: if it is open, it closes without a code. */
const collected = new FinalizationRegistry((number) => {
  sockets.delete(number);
  native.release(number);
});

/** How the native half gives several values. */
const collect = (...values) => values;

/** Whether no task waits behind the messages that were collected. */
let lastMessages = false;

function collectMessages(isLast, ...messages) {
  lastMessages = isLast === 1;
  return messages;
}

function start() {
  // What keeps the process alive, when it has to be.
  alive = setInterval(() => {}, 0x7fff_ffff).unref();
  process.on('exit', () => native.leave(environment));
}

const OPEN = 1;
const ERROR = 2;
const CLOSED = 3;

module.exports = { Connection, ERROR, OPEN };
