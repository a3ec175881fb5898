'use strict';
// Web IDL conversions from JavaScript values to the types that the native half takes. They throw a TypeError, or
// whatever a getter or method of the value throws.

const {
  DOMException,
  ObjectPrototype,
  TypeError,
  apply,
  arrayBufferByteLength,
  arrayBufferIsView,
  arrayBufferResizable,
  blobSize,
  dataViewBuffer,
  dataViewByteLength,
  dataViewByteOffset,
  defineProperty,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  iteratorSymbol,
  mathFloor,
  mathMax,
  mathMin,
  mathTrunc,
  numberIsNaN,
  reflectGet,
  toWellFormed,
  typedArrayBuffer,
  typedArrayByteLength,
  typedArrayByteOffset,
  types,
} = require('./primordials');

const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

/** Converts to a string and replaces each lone surrogate by U+FFFD. */
const usvString = (value) => toWellFormed(`${value}`);

/** Converts to `[Clamp] unsigned short`: clamps to the range, and rounds to the nearest integer, ties to even. */
function clampedUnsignedShort(value) {
  const number = mathMin(mathMax(+value, 0), 0xffff);
  const floor = mathFloor(number);
  const fraction = number - floor;
  if (numberIsNaN(number)) return 0;
  return fraction > 0.5 || (fraction === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Converts to `unsigned short`, modulo 2^16. */
const unsignedShort = (value) => (+value >>> 0) & 0xffff;

/** Converts to `[EnforceRange] unsigned short`. */
function enforcedUnsignedShort(value, name) {
  const number = mathTrunc(+value);
  if (!(number >= 0 && number <= 0xffff)) {
    throw new TypeError(`${name} is not an integer from 0 to 65535`);
  }
  return number + 0;
}

/** Converts each value of an iterable `object`; `method` is the method that returns its iterator. */
function sequence(object, method, convert = usvString) {
  if (typeof method !== 'function') throw new TypeError('The value is not iterable');
  const iterator = apply(method, object, []);
  if (!isObject(iterator)) throw new TypeError('The iterator is not an object');
  const { next } = iterator;
  const items = [];
  for (;;) {
    const result = apply(next, iterator, []);
    if (!isObject(result)) throw new TypeError('The result of an iterator is not an object');
    if (result.done) return items;
    append(items, convert(result.value));
  }
}

/** Does the same as `Array.prototype.push`, even if a program has put a setter on a shared prototype. */
function append(array, value) {
  defineProperty(array, array.length, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
}

/** `(DOMString or sequence<DOMString>)` as a list. */
function protocols(value) {
  if (isObject(value)) {
    const method = value[iteratorSymbol];
    if (method !== undefined && method !== null) return sequence(value, method);
  }
  return [usvString(value)];
}

/** Converts a dictionary. `undefined` and `null` become empty ones. */
function dictionary(value, name) {
  if (value === undefined || value === null) return { __proto__: null };
  if (!isObject(value)) throw new TypeError(`${name} is not an object`);
  return value;
}

/**
 * Returns a member of a dictionary. Looks at the object and its prototypes except `Object.prototype`, so that prototype
 * pollution cannot set an option.
 */
function member(object, name) {
  for (let holder = object; holder !== null; holder = getPrototypeOf(holder)) {
    if (isObjectPrototype(holder)) return undefined;
    if (hasOwn(holder, name)) return reflectGet(holder, name, object);
  }
  return undefined;
}

/** Returns whether this is the `Object.prototype` of this realm or of another one. */
const isObjectPrototype = (object) =>
  object === ObjectPrototype ||
  (getPrototypeOf(object) === null && hasOwn(object, 'hasOwnProperty') && hasOwn(object, '__defineGetter__'));

/**
 * `BufferSource`: returns where the bytes are, or `undefined` for any other value. Throws for resizable buffers and for
 * views of shared buffers. A detached buffer is empty.
 */
function bufferSource(value) {
  if (types.isArrayBuffer(value)) {
    refuseResizable(value);
    return { buffer: value, offset: 0, length: arrayBufferByteLength(value) };
  }
  if (!arrayBufferIsView(value)) return undefined;
  const isDataView = types.isDataView(value);
  const buffer = isDataView ? dataViewBuffer(value) : typedArrayBuffer(value);
  if (!types.isArrayBuffer(buffer)) throw new TypeError('A view of a SharedArrayBuffer cannot be sent');
  refuseResizable(buffer);
  // The getters of a DataView throw when its buffer was detached.
  if (arrayBufferByteLength(buffer) === 0) return { buffer, offset: 0, length: 0 };
  return isDataView
    ? { buffer, offset: dataViewByteOffset(value), length: dataViewByteLength(value) }
    : { buffer, offset: typedArrayByteOffset(value), length: typedArrayByteLength(value) };
}

function refuseResizable(buffer) {
  if (arrayBufferResizable(buffer)) throw new TypeError('A resizable ArrayBuffer cannot be sent');
}

/** Returns the size of a Blob, or `undefined` if the value is not one. */
function sizeOfBlob(value) {
  if (!isObject(value)) return undefined;
  try {
    return blobSize(value); // checks the brand
  } catch {
    return undefined;
  }
}

function requireArguments(given, needed, name) {
  if (given < needed) {
    throw new TypeError(`${name} needs ${needed} argument${needed === 1 ? '' : 's'}, got ${given}`);
  }
}

/** Returns what the standard throws for an error of the native half. */
function toException(error) {
  switch (error?.code) {
    case 'TypeError':
      return new TypeError(error.message);
    case 'SyntaxError':
    case 'InvalidAccessError':
    case 'InvalidStateError':
      return new DOMException(error.message, error.code);
    default:
      return error;
  }
}

/** Makes members of a class enumerable, as Web IDL defines them. */
function enumerable(prototype, ...names) {
  for (const name of names) {
    const descriptor = getOwnPropertyDescriptor(prototype, name);
    defineProperty(prototype, name, { ...descriptor, enumerable: true });
  }
}

function toStringTag(prototype, value) {
  defineProperty(prototype, Symbol.toStringTag, { value, configurable: true });
}

module.exports = {
  append,
  bufferSource,
  clampedUnsignedShort,
  dictionary,
  enforcedUnsignedShort,
  enumerable,
  isObject,
  member,
  protocols,
  requireArguments,
  sequence,
  sizeOfBlob,
  toException,
  toStringTag,
  unsignedShort,
  usvString,
};
