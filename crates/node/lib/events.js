'use strict';
// The events that a socket fires. They are events of the host, but made by us, and so trusted: the
// constructors of the host make events of scripts only.

const { enumerable, requireArguments, dictionary, toStringTag, unsignedShort, usvString } = require('./idl');

const NO_PORTS = Object.freeze([]);

/** For hosts that have none (Node.js has one since version 23). */
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
    this.#wasClean = Boolean(wasClean);
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

class TrustedEvent extends Event {
  get isTrusted() {
    return true;
  }
}

class TrustedMessageEvent extends Event {
  #data;
  #origin;

  constructor(data, origin) {
    super('message');
    this.#data = data;
    this.#origin = origin;
  }

  get data() {
    return this.#data;
  }

  get origin() {
    return this.#origin;
  }

  get lastEventId() {
    return '';
  }

  get source() {
    return null;
  }

  get ports() {
    return NO_PORTS;
  }

  get isTrusted() {
    return true;
  }
}

class TrustedCloseEvent extends Event {
  #members;

  constructor(members) {
    super('close');
    this.#members = members;
  }

  get wasClean() {
    return this.#members.wasClean;
  }

  get code() {
    return this.#members.code;
  }

  get reason() {
    return this.#members.reason;
  }

  get isTrusted() {
    return true;
  }
}

/** Has the events of a class of ours pass for those of a class of the host. */
function disguise(ours, hosts) {
  delete ours.prototype.constructor;
  Object.setPrototypeOf(ours.prototype, hosts.prototype);
}
toStringTag(TrustedMessageEvent.prototype, 'MessageEvent'); // which not every host has
toStringTag(TrustedCloseEvent.prototype, 'CloseEvent');
disguise(TrustedEvent, Event);
disguise(TrustedMessageEvent, MessageEvent);
disguise(TrustedCloseEvent, HostCloseEvent);

module.exports = {
  CloseEvent: HostCloseEvent,
  TrustedCloseEvent,
  TrustedEvent,
  TrustedMessageEvent,
};
