'use strict';
// The options beyond the standard, converted. Whether they can be used is decided in the native half.

const { dictionary, protocols } = require('./idl');

/**
 * Whether what stands in the place of the protocols can only be options: an object that the standard
 * would turn into "[object Object]", which is not the name of a subprotocol.
 */
function isOptions(value) {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  const plain = prototype === Object.prototype || prototype === null;
  const converts = [Symbol.iterator, Symbol.toPrimitive, Symbol.toStringTag, 'toString', 'valueOf'];
  return plain && !converts.some((name) => Object.hasOwn(value, name));
}

/** @returns what the native half takes. */
function options(address, list, value) {
  const given = dictionary(value, 'The options');
  const read = { protocols: list };
  if (given.protocols !== undefined) read.protocols = protocols(given.protocols);
  let url = address;
  if (given.baseUrl !== undefined) {
    // What cannot be resolved is refused as it stands.
    url = URL.canParse(address, `${given.baseUrl}`) ? new URL(address, `${given.baseUrl}`).href : address;
  }
  return { url, options: read };
}

module.exports = { isOptions, options };
