'use strict';

const {
  dictionary,
  enforcedUnsignedShort,
  enumerable,
  toException,
  toStringTag,
  usvString,
} = require('./idl');
const native = require('./native');

/** `WebSocketCloseInfo`. Its members are looked at in the order of their names. */
function closeInfo(value) {
  const info = dictionary(value, 'The close info');
  const { closeCode, reason } = info;
  const read = { closeCode: undefined, reason: '' };
  if (closeCode !== undefined) {
    read.closeCode = enforcedUnsignedShort(closeCode, 'closeCode');
  }
  if (reason !== undefined) read.reason = usvString(reason);
  return read;
}

let fromNetwork = false;

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
}
enumerable(WebSocketError.prototype, 'closeCode', 'reason');
toStringTag(WebSocketError.prototype, 'WebSocketError');

/** The code for these, if both are what `close()` would take. */
function checked(code, reason) {
  try {
    return native.closeCode(code, reason);
  } catch (error) {
    throw toException(error);
  }
}

/** The error of a connection that ended uncleanly, with whatever code has come. */
function connectionError(message, closeCode, reason) {
  fromNetwork = true;
  try {
    return new WebSocketError(message, { closeCode, reason });
  } finally {
    fromNetwork = false;
  }
}

module.exports = { WebSocketError, closeInfo, connectionError };
