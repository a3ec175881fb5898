'use strict';
// The listeners of one socket, as DOM and HTML have them. The host keeps one listener of ours for each
// type, so that its `dispatchEvent` sets up the event; that one calls these. The host's own list
// would forget `currentTarget` after the first listener, and runs microtasks behind the last only.

const { dictionary, isObject, requireArguments } = require('./idl');

const hostAdd = EventTarget.prototype.addEventListener;
const hostDispatch = EventTarget.prototype.dispatchEvent;

/** The host's name for the flag that `stopImmediatePropagation` sets. */
const STOPPED = (() => {
  const event = new Event('probe');
  const before = Object.getOwnPropertySymbols(event);
  event.stopImmediatePropagation();
  return Object.getOwnPropertySymbols(event).find((symbol) => !before.includes(symbol));
})();

/** What a listener list is while it is empty. Lists are replaced, not changed: a dispatch keeps its own. */
const NONE = Object.freeze([]);

class Listeners {
  #target;
  #lists = new Map();
  /** Whether events are being fired from an empty stack: microtasks run behind each listener then. */
  #fromLoop = false;
  #changed;

  /** `changed` is called when a listener has come or gone. */
  constructor(target, changed) {
    this.#target = target;
    this.#changed = changed;
  }

  /** `addEventListener`, with arguments as the caller gave them. */
  add(given, type, callback, options) {
    requireArguments(given, 2, 'addEventListener');
    const name = `${type}`;
    const listener = eventListener(callback);
    const capture = flattened(options);
    let once = false;
    let passive = false;
    let signal;
    if (isObject(options)) {
      once = Boolean(options.once);
      passive = Boolean(options.passive);
      signal = options.signal;
      if (signal !== undefined && !(signal instanceof AbortSignal)) {
        throw new TypeError('The signal is not an AbortSignal');
      }
    }
    if (listener === null || signal?.aborted) return;
    const same = (entry) => entry.callback === listener && entry.capture === capture;
    if (this.#list(name).some(same)) return;
    const entry = { callback: listener, capture, once, passive, isHandler: false, removed: false };
    this.#append(name, entry);
    signal?.addEventListener('abort', () => this.#take(name, entry), { once: true });
  }

  /** `removeEventListener`. */
  remove(given, type, callback, options) {
    requireArguments(given, 2, 'removeEventListener');
    const name = `${type}`;
    const listener = eventListener(callback);
    const capture = flattened(options);
    const entry = this.#list(name).find(
      (entry) => !entry.isHandler && entry.callback === listener && entry.capture === capture,
    );
    if (entry !== undefined) this.#take(name, entry);
  }

  /** The event handler of a type, such as `onmessage`. */
  handler(type) {
    return this.#list(type).find((entry) => entry.isHandler)?.callback ?? null;
  }

  /** `[LegacyTreatNonObjectAsNull]`. A handler that replaces another takes its place. */
  setHandler(type, value) {
    const entry = this.#list(type).find((entry) => entry.isHandler);
    if (!isObject(value)) {
      if (entry !== undefined) this.#take(type, entry);
    } else if (entry !== undefined) {
      entry.callback = value;
    } else {
      this.#append(type, {
        callback: value,
        capture: false,
        once: false,
        passive: false,
        isHandler: true,
        removed: false,
      });
    }
  }

  /** Whether there is a listener of one of these types. */
  hears(types) {
    return types.some((type) => this.#list(type).length > 0);
  }

  /** Fires an event of ours, as a task of the event loop does. */
  fire(event) {
    if (!this.#lists.has(event.type)) return;
    this.#fromLoop = true;
    hostDispatch.call(this.#target, event); // whatever a subclass makes of its own
    this.#fromLoop = false;
  }

  #list(type) {
    return this.#lists.get(type) ?? NONE;
  }

  #append(type, entry) {
    const list = this.#lists.get(type);
    this.#lists.set(type, [...(list ?? NONE), entry]);
    if (list === undefined) hostAdd.call(this.#target, type, (event) => this.#dispatch(event));
    this.#changed();
  }

  #take(type, entry) {
    entry.removed = true;
    this.#lists.set(type, this.#list(type).filter((other) => other !== entry));
    this.#changed();
  }

  #dispatch(event) {
    const { type } = event;
    const list = this.#list(type);
    const fromLoop = this.#fromLoop;
    // What listeners dispatch themselves is not fired from an empty stack.
    this.#fromLoop = false;
    // At the target, those that capture come first.
    if (list.length > 1 && list.some((entry) => entry.capture)) {
      this.#call(list.filter((entry) => entry.capture), event, fromLoop);
      if (!event.cancelBubble) this.#call(list.filter((entry) => !entry.capture), event, fromLoop);
    } else {
      this.#call(list, event, fromLoop);
    }
  }

  #call(list, event, fromLoop) {
    for (const entry of list) {
      if (event[STOPPED] === true) return;
      if (entry.removed) continue;
      if (entry.once) this.#take(event.type, entry);
      try {
        call(entry, this.#target, event);
      } catch (error) {
        report(error);
      }
      if (fromLoop) checkpoint();
    }
  }
}

function call({ callback, isHandler }, target, event) {
  if (isHandler) {
    // A handler that is an object stays, and is not called.
    if (typeof callback === 'function' && callback.call(target, event) === false) {
      event.preventDefault();
    }
  } else if (typeof callback === 'function') {
    callback.call(target, event);
  } else {
    callback.handleEvent(event);
  }
}

function eventListener(callback) {
  if (callback === null || callback === undefined) return null;
  if (!isObject(callback)) throw new TypeError('The listener is not an object');
  return callback;
}

/** The part of the options that `removeEventListener` has as well: whether the listener captures. */
function flattened(options) {
  if (typeof options === 'boolean') return options;
  return Boolean(isObject(options) ? options.capture : options);
}

/** "Report an exception": it is an uncaught one, and what comes behind it runs all the same. */
function report(error) {
  queueMicrotask(() => {
    throw error;
  });
}

/** What Node.js does between two callbacks. It has no other name for it; without it, microtasks run later. */
const runTicks = process._tickCallback ?? (() => {});

/** "Perform a microtask checkpoint". What a tick throws is reported, and the next ones run. */
function checkpoint() {
  for (;;) {
    try {
      runTicks();
      return;
    } catch (error) {
      report(error);
    }
  }
}

module.exports = { Listeners, report };
