'use strict';

const { DOMException } = require('./primordials');
const {
  dictionary,
  enforcedUnsignedShort,
  enumerable,
  isObject,
  member,
  toException,
  toStringTag,
  usvString,
} = require('./idl');
const native = require('./native');

/** `WebSocketCloseInfo`. Its members are read in the order of their names. */
function closeInfo(value) {
  const info = dictionary(value, 'The close info');
  const closeCode = member(info, 'closeCode');
  const reason = member(info, 'reason');
  const read = { closeCode: undefined, reason: '' };
  if (closeCode !== undefined) {
    read.closeCode = enforcedUnsignedShort(closeCode, 'closeCode');
  }
  if (reason !== undefined) read.reason = usvString(reason);
  return read;
}

let fromNetwork = false;

/** Returns the close code and the reason of a `WebSocketError`, or `undefined` for another value. */
let infoOf;

class WebSocketError extends DOMException {
  #closeCode;
  #reason;

  constructor(message = '', init = {}) {
    super(message, 'WebSocketError');
    const { closeCode, reason } = fromNetwork ? init : closeInfo(init);
    this.#closeCode = fromNetwork ? closeCode : checked(closeCode, reason);
    this.#reason = reason;
  }

  get closeCode() {
    return this.#closeCode;
  }

  get reason() {
    return this.#reason;
  }

  static {
    infoOf = (value) =>
      isObject(value) && #reason in value ? { closeCode: value.#closeCode, reason: value.#reason } : undefined;
  }
}
enumerable(WebSocketError.prototype, 'closeCode', 'reason');
toStringTag(WebSocketError.prototype, 'WebSocketError');

/** Returns the code that is sent for this code and reason. Throws what `close()` would throw. */
function checked(code, reason) {
  try {
    return native.closeCode(code, reason);
  } catch (error) {
    throw toException(error);
  }
}

/** Makes the error of a connection that did not close cleanly. `closeCode` is the code received, if any. */
function connectionError(message, closeCode, reason) {
  fromNetwork = true;
  try {
    return new WebSocketError(message, { closeCode, reason });
  } finally {
    fromNetwork = false;
  }
}

module.exports = { WebSocketError, closeInfo, connectionError, infoOf };
