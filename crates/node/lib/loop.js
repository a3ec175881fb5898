'use strict';
// The event loop's side of the native half: one call for all sockets that have tasks.

const { toException } = require('./idl');
const { Environment } = require('./native');

/** So many events of one socket, and so many sockets, have their turn before timers and files do. */
const EVENTS = 1024;
const SOCKETS = 1024;

/** What was sent is handed to the network in portions of so many messages. */
const PORTION = 64;

/** The sockets that have not ended, by number; they may be collected. */
const sockets = new Map();
/** Those that may not: somebody could hear of them, or they have something to send. */
const kept = new Set();
/** Those that were sent something that the network has not heard of. */
let unflushed = [];
let numbers = 0;
let inTurn = false;
let flushing = false;
let alive;

const environment = new Environment(turn);

function turn() {
  inTurn = true;
  for (let left = SOCKETS; ; left -= 1) {
    if (left === 0) {
      environment.callAgain();
      break;
    }
    const number = environment.ready();
    if (number === 0) break;
    sockets.get(number)?.deref()?.drain(EVENTS);
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
  for (const connection of waiting) connection.flush();
}

/**
 * What `WebSocket` and `WebSocketStream` have in common: the native socket, its place in the loop,
 * and its life. `owner` is the object of the standard, which is told of events by `owner(event)`.
 */
class Connection {
  #native;
  #number;
  #fire;
  #isWanted;
  #fed = 0;
  #pings = [];
  #reference;

  #wantsMessages;
  #afterTasks;

  /**
   * `open(environment, number)` makes the native socket; `fire(event)` takes its events; `isWanted(state)`
   * says whether somebody could hear of a socket in that state; `wantsMessages()` whether a message may
   * be fired now; `afterTasks()` is called when some have run.
   */
  constructor(open, fire, isWanted, { wantsMessages = () => true, afterTasks = undefined } = {}) {
    numbers = (numbers % 0xffff_ffff) + 1;
    this.#number = numbers;
    this.#native = open(environment, this.#number);
    this.#fire = fire;
    this.#isWanted = isWanted;
    this.#wantsMessages = wantsMessages;
    this.#afterTasks = afterTasks;
    this.#reference = new WeakRef(this);
    sockets.set(this.#number, this.#reference);
    collected.register(this, { native: this.#native, number: this.#number }, this.#reference);
    if (alive === undefined) start();
    this.update();
  }

  get native() {
    return this.#native;
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
      this.#native.flush();
    }
  }

  flush() {
    this.#fed = 0;
    this.#native.flush();
  }

  /** Runs the tasks that wait, up to a number of events. */
  drain(events) {
    const native = this.#native;
    for (let left = events; left > 0; left -= 1) {
      const event = native.next(this.#wantsMessages());
      if (event === null) {
        this.#ran();
        return;
      }
      this.#fire(event);
      // One task fires both `error` and `close`.
      if (event === ERROR) left += 1;
    }
    native.later();
    this.#ran();
  }

  /** Tasks have run: what was sent may have left, and Pings been answered. */
  #ran() {
    this.update();
    this.#afterTasks?.();
    while (this.#pings.length > 0 && this.#pings[0].number <= this.#native.pingsAnswered) {
      this.#pings.shift().resolve();
    }
  }

  /** @returns {Promise<void>} that resolves when the Pong has come. */
  ping() {
    return new Promise((resolve, reject) => {
      try {
        const number = this.#native.ping();
        if (this.#native.readyState !== OPEN) throw new DOMException('The connection is closed', 'InvalidStateError');
        this.#pings.push({ number, resolve, reject });
      } catch (error) {
        reject(toException(error));
      }
    });
  }

  /** Keeps this object, and the process, alive while WHATWG says so ("garbage collection"). */
  update() {
    const state = this.#native.readyState;
    if (state !== CLOSED && (this.#isWanted(state) || this.#native.bufferedAmount > 0)) {
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
    collected.unregister(this.#reference);
  }
}

/** A connection that nobody can hear of any more closes, without a code. */
const collected = new FinalizationRegistry(({ native, number }) => {
  sockets.delete(number);
  native.close(undefined, undefined);
  native.release();
});

function start() {
  // What keeps the process alive, when it has to be.
  alive = setInterval(() => {}, 0x7fff_ffff).unref();
  process.on('exit', () => environment.leave());
}

const OPEN = 1;
const ERROR = 2;
const CLOSED = 3;

module.exports = { Connection, ERROR, OPEN };
