'use strict';
// The listeners of one socket. The host's `EventTarget` keeps the list. In Node.js the list can be read, and this file
// dispatches the events of a socket itself: the host would clear `currentTarget` after the first listener, call
// listeners that are added during the dispatch, and run microtasks only after the last listener. On other hosts
// (Bun, Deno), the host dispatches to a wrapper of each listener, which runs the microtasks.

const {
  AsyncResource,
  Event,
  EventTarget,
  TypeError,
  WeakMap,
  defineProperty,
  derefWeakRef,
  functionCall,
  getOwnPropertySymbols,
  isCancelable,
  mapGet,
  preventDefault,
  propagationStopped,
  runInAsyncScope,
  uncurryThis,
  weakMapGet,
  weakMapSet,
} = require('./primordials');
const { distrust } = require('./events');
const { append, isObject } = require('./idl');
const { checkpoint, report } = require('./microtasks');

const hostAdd = uncurryThis(EventTarget.prototype.addEventListener);
const hostRemove = uncurryThis(EventTarget.prototype.removeEventListener);
const hostDispatch = uncurryThis(EventTarget.prototype.dispatchEvent);

/** The members of the host's targets and events that are needed to call its listeners; `undefined` if one is missing. */
const host = findHost();
// V8 reads a constant faster than a member.
const { events: EVENTS, target: TARGET, isBeingDispatched: IS_BEING_DISPATCHED, stopped: STOPPED } = host ?? {};

/** The types of the events of a socket. A type is known by its index, because V8 reads an array faster by that. */
const TYPES = ['open', 'message', 'error', 'close'];
const INDICES = { __proto__: null, open: 0, message: 1, error: 2, close: 3 };

function findHost() {
  const named = (object, description) =>
    getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
  const event = new Event('probe');
  event.stopImmediatePropagation();
  const found = {
    events: named(new EventTarget(), 'kEvents'),
    target: named(event, 'kTarget'),
    isBeingDispatched: named(event, 'kIsBeingDispatched'),
    stopped: named(event, 'kStop'),
    added: named(EventTarget.prototype, 'kNewListener'),
    removed: named(EventTarget.prototype, 'kRemoveListener'),
    dispatch: named(EventTarget.prototype, 'nodejs.internal.kHybridDispatch'),
  };
  for (const name in found) if (found[name] === undefined) return undefined;
  const probe = new EventTarget();
  const listener = () => {};
  probe.addEventListener('x', listener, true);
  const entry = probe[found.events].get?.('x')?.next;
  if (entry?.listener !== listener || entry.capture !== true || entry.next !== undefined) return undefined;
  return found;
}

class Listeners {
  #target;
  /** The async context in which the socket was made. */
  #scope = new AsyncResource('WEBSOCKET', { requireManualDestroy: true });
  /** How many listeners each type has. */
  #counts = [0, 0, 0, 0];
  /** The host's list of each type, if it was read since the number of listeners changed. */
  #lists = [undefined, undefined, undefined, undefined];
  /** The event handlers: the value of the attribute, and the listener that calls it. */
  #handlers = [undefined, undefined, undefined, undefined];
  #changed;

  /** `changed` is called when a type has more or fewer listeners. */
  constructor(target, changed) {
    this.#target = target;
    this.#changed = changed;
  }

  /** The event handler of a type, such as `onmessage`. */
  handler(type) {
    return this.#handlers[INDICES[type]]?.callback ?? null;
  }

  /**
   * Sets the event handler of a type (`[LegacyTreatNonObjectAsNull]`). A handler that replaces another one takes its
   * place in the order of the listeners.
   */
  setHandler(type, value) {
    const index = INDICES[type];
    const handler = this.#handlers[index];
    if (!isObject(value)) {
      if (handler === undefined) return;
      this.#handlers[index] = undefined;
      hostRemove(this.#target, type, host === undefined ? wrapped(handler.listener) : handler.listener);
    } else if (handler !== undefined) {
      handler.callback = value;
    } else {
      const made = { callback: value, listener: undefined };
      made.listener = function (event) {
        // An object that is not a function stays the handler, but is not called.
        if (typeof made.callback === 'function' && functionCall(made.callback, this, event) === false) {
          preventDefault(event);
        }
      };
      this.#handlers[index] = made;
      this.add(type, made.listener);
    }
  }

  add(type, listener, options) {
    hostAdd(this.#target, type, host === undefined ? wrapped(listener) : listener, options);
    if (host === undefined) this.counted(type, 1);
  }

  /** Records the number of listeners of a type. */
  counted(type, count) {
    const index = INDICES[type];
    if (index === undefined) return;
    this.#lists[index] = undefined;
    if (this.#counts[index] === count) return;
    this.#counts[index] = count;
    this.#changed();
  }

  /** Returns whether a type has listeners. If the host does not expose this, returns whether one was ever added. */
  hears(type) {
    return this.#counts[INDICES[type]] > 0;
  }

  /** Returns whether events of this type must be fired: always, if the host does not expose its listeners. */
  needs(index) {
    return host === undefined || this.#counts[index] > 0;
  }

  /** Fires an event of the socket, with a microtask checkpoint after each listener. */
  fire(event, index) {
    if (host !== undefined) {
      const list = (this.#lists[index] ??= listOf(this.#target, TYPES[index]));
      dispatch(this.#target, event, TYPES[index], list, this.#scope);
    } else {
      fired = event;
      runInAsyncScope(this.#scope, hostDispatch, undefined, this.#target, event);
      fired = undefined;
      checkpoint();
    }
  }
}

/** The event of a socket that the host is dispatching. */
let fired;
/** The wrapper of each listener that was added. */
const wrappers = new WeakMap();

/** Returns the wrapper of a listener. It reports exceptions, and runs microtasks after an event of a socket. */
function wrapped(listener) {
  if (!isObject(listener)) return listener;
  const known = weakMapGet(wrappers, listener);
  if (known !== undefined) return known;
  const wrapper = function (event) {
    try {
      call(listener, this, event);
    } catch (error) {
      report(error);
    }
    if (event === fired) checkpoint();
  };
  weakMapSet(wrappers, listener, wrapper);
  return wrapper;
}

/** Returns the host's list of the listeners of a type, if there are any. */
function listOf(target, type) {
  const lists = target[EVENTS];
  return lists === undefined ? undefined : mapGet(lists, type);
}

/** Calls the listeners in the host's list. `scope` is undefined when a script dispatches. */
function dispatch(target, event, type, list, scope) {
  event[TARGET] = target;
  const first = list?.next;
  if (first === undefined) return;
  event[IS_BEING_DISPATCHED] = true;
  if (first.next === undefined) {
    invoke(first, target, event, type, scope);
  } else {
    // Listeners that are added after this point are not called. At the target, capturing listeners are called first.
    const capturing = [];
    const others = [];
    for (let entry = first; entry !== undefined; entry = entry.next) {
      append(entry.capture ? capturing : others, entry);
    }
    for (let i = 0; i < capturing.length; i += 1) invoke(capturing[i], target, event, type, scope);
    if (capturing.length === 0 || !propagationStopped(event)) {
      for (let i = 0; i < others.length; i += 1) invoke(others[i], target, event, type, scope);
    }
  }
  event[IS_BEING_DISPATCHED] = false;
}

function invoke(entry, target, event, type, scope) {
  if (entry.removed || (event[STOPPED] === true && !entry.resistStopPropagation)) return;
  const listener = entry.weak ? derefWeakRef(entry.listener) : entry.listener;
  if (entry.once && listener !== undefined) hostRemove(target, type, listener, { __proto__: null, capture: entry.capture });
  const isPassive = entry.passive && isCancelable(event);
  if (isPassive) defineProperty(event, 'preventDefault', IGNORED);
  try {
    if (scope === undefined) call(listener, target, event);
    else runInAsyncScope(scope, call, undefined, listener, target, event);
  } catch (error) {
    report(error);
  }
  if (isPassive) delete event.preventDefault;
  if (scope !== undefined) checkpoint();
}

/** Replaces `preventDefault` for a passive listener. */
const IGNORED = { __proto__: null, value: () => {}, configurable: true };

function call(listener, target, event) {
  if (listener === undefined) return;
  if (typeof listener === 'function') {
    functionCall(listener, target, event);
  } else {
    const { handleEvent } = listener;
    if (typeof handleEvent !== 'function') throw new TypeError('handleEvent is not a function');
    functionCall(handleEvent, listener, event);
  }
}

/** Whether `removeEventListener(type, listener, true)` removes a capturing listener. Node.js does so since version 26. */
const hostFlattens = (() => {
  const target = new EventTarget();
  let calls = 0;
  const listener = () => {
    calls += 1;
  };
  target.addEventListener('x', listener, true);
  target.removeEventListener('x', listener, true);
  target.dispatchEvent(new Event('x'));
  return calls === 0;
})();

/** Counts the listeners of a class. `listenersOf` returns the `Listeners` of an instance, or `undefined`. */
function countListeners(prototype, listenersOf) {
  if (host === undefined || !hostFlattens) {
    define(prototype, 'removeEventListener', function removeEventListener(type, callback, options = undefined) {
      if (arguments.length < 2) throw new TypeError('removeEventListener needs 2 arguments');
      const capture = typeof options === 'boolean' ? options : isObject(options) && !!options.capture;
      const listener = host === undefined ? wrapped(callback) : callback;
      hostRemove(this, type, listener, { __proto__: null, capture });
    });
  }
  if (host === undefined) {
    define(prototype, 'addEventListener', function addEventListener(type, callback, options = undefined) {
      if (arguments.length < 2) throw new TypeError('addEventListener needs 2 arguments');
      const name = `${type}`;
      hostAdd(this, name, wrapped(callback), options);
      if (isObject(callback)) listenersOf(this)?.counted(name, 1);
    });
    define(prototype, 'dispatchEvent', function dispatchEvent(event) {
      if (isObject(event)) distrust(event);
      return hostDispatch(this, event);
    });
    return;
  }
  const hostAdded = uncurryThis(EventTarget.prototype[host.added]);
  const hostRemoved = uncurryThis(EventTarget.prototype[host.removed]);
  const counted = (hook) =>
    function (size, type, listener, once, capture, passive, weak) {
      hook(this, size, type, listener, once, capture, passive, weak);
      listenersOf(this)?.counted(type, size);
    };
  define(prototype, host.added, counted(hostAdded));
  define(prototype, host.removed, counted(hostRemoved));
  define(prototype, host.dispatch, function (_value, type, event) {
    distrust(event);
    dispatch(this, event, type, listOf(this, type));
  });
}

const define = (object, name, value) =>
  defineProperty(object, name, { __proto__: null, value, writable: true, configurable: true });

module.exports = { INDICES, Listeners, countListeners };
