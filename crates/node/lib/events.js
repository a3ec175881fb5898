'use strict';
// The events that a socket fires: instances of the host's own classes, marked as trusted.

const {
  Event,
  MessageEvent,
  MessagePort,
  Object,
  ObjectPrototype,
  WeakSet,
  defineProperty,
  freeze,
  getOwnPropertyDescriptor,
  getOwnPropertySymbols,
  getPrototypeOf,
  hasOwn,
  uncurryThis,
  weakSetAdd,
  weakSetHas,
} = require('./primordials');
const { dictionary, enumerable, requireArguments, toStringTag, unsignedShort, usvString } = require('./idl');

/** For hosts without a `CloseEvent` (Node.js has one since version 23). */
class CloseEvent extends Event {
  #wasClean;
  #code;
  #reason;

  constructor(type, init = undefined) {
    requireArguments(arguments.length, 1, 'CloseEvent');
    const eventType = `${type}`;
    const members = dictionary(init, 'The second argument of CloseEvent');
    super(eventType, members);
    const { code, reason, wasClean } = members;
    this.#code = code === undefined ? 0 : unsignedShort(code);
    this.#reason = reason === undefined ? '' : usvString(reason);
    this.#wasClean = !!wasClean;
  }

  get wasClean() {
    return this.#wasClean;
  }

  get code() {
    return this.#code;
  }

  get reason() {
    return this.#reason;
  }
}
enumerable(CloseEvent.prototype, 'wasClean', 'code', 'reason');
toStringTag(CloseEvent.prototype, 'CloseEvent');

const HostCloseEvent = globalThis.CloseEvent ?? CloseEvent;

/** A dictionary that inherits nothing. An object literal with `__proto__: null` is several times slower. */
function MessageInit(data, origin) {
  this.data = data;
  this.origin = origin;
}
MessageInit.prototype = freeze(Object.create(null));

/**
 * Creates a `MessageEvent` like the host's `MessagePort`, without the conversions of the constructor, which take 0.5 µs
 * since Node.js 22. `undefined` if the host does not expose the function.
 */
const createHostMessage = findCreateHostMessage();
/** The member of an event that holds its origin (Node.js 20). */
const ORIGIN = named(new MessageEvent('probe'), 'kOrigin');

function named(object, description) {
  return getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}

function findCreateHostMessage() {
  const method = MessagePort.prototype[named(MessagePort.prototype, 'kCreateEvent')];
  if (typeof method !== 'function') return undefined;
  const create = uncurryThis(method);
  try {
    const data = {};
    const event = create({}, data, 'message');
    const isPlain = event.type === 'message' && event.data === data && event.origin === '' && event.ports.length === 0;
    // A program may have replaced the constructor before it loads the package.
    const isHosts = getPrototypeOf(event) === MessageEvent.prototype && event.constructor === MessageEvent;
    return isPlain && isHosts ? create : undefined;
  } catch {
    return undefined;
  }
}

/** Takes the place of the port that received a message. The host reads the list of transferred ports from it. */
const NO_PORT = { __proto__: null };

/**
 * Gives an event its own `origin`, because its private members cannot be changed. A field of a derived class is defined
 * faster than `Object.defineProperty` defines one.
 */
class Origin extends (class { constructor(event) { return event; } }) {
  origin = currentOrigin;
}
let currentOrigin;

function createMessage(data, origin) {
  // The host reads these members from a plain object.
  const isPolluted =
    'bubbles' in ObjectPrototype || 'cancelable' in ObjectPrototype || 'composed' in ObjectPrototype ||
    'lastEventId' in ObjectPrototype || 'origin' in ObjectPrototype || 'source' in ObjectPrototype;
  if (createHostMessage === undefined || isPolluted) return new MessageEvent('message', new MessageInit(data, origin));
  const event = createHostMessage(NO_PORT, data, 'message');
  if (ORIGIN !== undefined) {
    event[ORIGIN] = origin;
    return event;
  }
  currentOrigin = origin;
  return new Origin(event);
}

/** Trusted events that a script has dispatched again. They are no longer trusted. */
const dispatchedAgain = new WeakSet();

/** `isTrusted` is an own accessor of every event in a browser (`[LegacyUnforgeable]`). */
const { get } = getOwnPropertyDescriptor({ get isTrusted() { return !weakSetHas(dispatchedAgain, this); } }, 'isTrusted');
/** V8 reads an ordinary object without `set` faster than one with `__proto__: null`. */
const TRUSTED = { get, enumerable: true };
/** Used if `Object.prototype` has members that would take effect on `TRUSTED`. */
const TRUSTED_ALONE = { __proto__: null, get, enumerable: true };

/** `false` where the host's events already have an own `isTrusted`, which cannot be changed. */
const canTrust = !hasOwn(new Event('probe'), 'isTrusted');

function trust(event) {
  if (!canTrust) return event;
  const isPolluted = 'set' in TRUSTED || 'value' in TRUSTED || 'writable' in TRUSTED || 'configurable' in TRUSTED;
  return defineProperty(event, 'isTrusted', isPolluted ? TRUSTED_ALONE : TRUSTED);
}

/** Marks an event as untrusted, because a script dispatches it. */
function distrust(event) {
  if (canTrust && hasOwn(event, 'isTrusted')) weakSetAdd(dispatchedAgain, event);
}

const openEvent = () => trust(new Event('open'));
const errorEvent = () => trust(new Event('error'));
const messageEvent = (data, origin) => trust(createMessage(data, origin));
const closeEvent = (wasClean, code, reason) =>
  trust(new HostCloseEvent('close', { __proto__: null, wasClean, code, reason }));

module.exports = { CloseEvent: HostCloseEvent, closeEvent, distrust, errorEvent, messageEvent, openEvent };
