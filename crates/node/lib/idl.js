'use strict';
// Conversions of Web IDL, from any value of JavaScript to what the native half takes. They throw a
// TypeError, or whatever the getters and methods of the value throw.

const { types } = require('node:util');

const getter = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name)?.get;

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);
const typedArray = {
  buffer: getter(TypedArrayPrototype, 'buffer'),
  byteOffset: getter(TypedArrayPrototype, 'byteOffset'),
  byteLength: getter(TypedArrayPrototype, 'byteLength'),
};
const dataView = {
  buffer: getter(DataView.prototype, 'buffer'),
  byteOffset: getter(DataView.prototype, 'byteOffset'),
  byteLength: getter(DataView.prototype, 'byteLength'),
};
const arrayBufferByteLength = getter(ArrayBuffer.prototype, 'byteLength');
const arrayBufferResizable = getter(ArrayBuffer.prototype, 'resizable');
const blobSize = getter(Blob.prototype, 'size');

const isObject = (value) =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/** @returns {string} with every lone surrogate replaced by U+FFFD. */
const usvString = (value) => `${value}`.toWellFormed();

/** `[Clamp] unsigned short`: out of range clamps, fractions round to the nearest, ties to even. */
function clampedUnsignedShort(value) {
  const number = Math.min(Math.max(+value, 0), 0xffff);
  const floor = Math.floor(number);
  const fraction = number - floor;
  if (Number.isNaN(number)) return 0;
  return fraction > 0.5 || (fraction === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** `unsigned short`: modulo 2^16. */
const unsignedShort = (value) => (+value >>> 0) & 0xffff;

/** `[EnforceRange] unsigned short`. */
function enforcedUnsignedShort(value, name) {
  const number = Math.trunc(+value);
  if (!(number >= 0 && number <= 0xffff)) {
    throw new TypeError(`${name} is not an integer from 0 to 65535`);
  }
  return number + 0;
}

/** `sequence<USVString>`, of an object whose method for iterating is known. */
function sequence(object, method) {
  if (typeof method !== 'function') throw new TypeError('The value is not iterable');
  const iterator = Reflect.apply(method, object, []);
  if (!isObject(iterator)) throw new TypeError('The iterator is not an object');
  const { next } = iterator;
  const items = [];
  for (;;) {
    const result = Reflect.apply(next, iterator, []);
    if (!isObject(result)) throw new TypeError('The result of an iterator is not an object');
    if (result.done) return items;
    items.push(usvString(result.value));
  }
}

/** `(DOMString or sequence<DOMString>)` as a list. */
function protocols(value) {
  if (isObject(value)) {
    const method = value[Symbol.iterator];
    if (method !== undefined && method !== null) return sequence(value, method);
  }
  return [usvString(value)];
}

/** A dictionary: `undefined` and `null` are empty ones. */
function dictionary(value, name) {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new TypeError(`${name} is not an object`);
  return value;
}

/**
 * `BufferSource`: where the bytes lie, or `undefined` if the value is none. What is shared or can be
 * resized is refused, and what was detached is empty.
 */
function bufferSource(value) {
  if (types.isArrayBuffer(value)) {
    refuseResizable(value);
    return { buffer: value, offset: 0, length: arrayBufferByteLength.call(value) };
  }
  if (types.isSharedArrayBuffer(value)) throw new TypeError('A SharedArrayBuffer cannot be sent');
  if (!ArrayBuffer.isView(value)) return undefined;
  const view = types.isDataView(value) ? dataView : typedArray;
  const buffer = view.buffer.call(value);
  if (!types.isArrayBuffer(buffer)) throw new TypeError('A SharedArrayBuffer cannot be sent');
  refuseResizable(buffer);
  // The getters of a DataView throw when its buffer was detached.
  if (arrayBufferByteLength.call(buffer) === 0) return { buffer, offset: 0, length: 0 };
  return { buffer, offset: view.byteOffset.call(value), length: view.byteLength.call(value) };
}

function refuseResizable(buffer) {
  if (arrayBufferResizable.call(buffer)) {
    throw new TypeError('A resizable ArrayBuffer cannot be sent');
  }
}

/** The size of a Blob; `undefined` if the value is none, or only looks like one. */
function sizeOfBlob(value) {
  if (!(value instanceof Blob)) return undefined;
  try {
    return blobSize.call(value);
  } catch {
    return undefined;
  }
}

function requireArguments(given, needed, name) {
  if (given < needed) {
    throw new TypeError(`${name} needs ${needed} argument${needed === 1 ? '' : 's'}, got ${given}`);
  }
}

/** What the standard throws for an error of the native half. */
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

/** Makes the members of a class what Web IDL says: enumerable. */
function enumerable(prototype, ...names) {
  for (const name of names) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    Object.defineProperty(prototype, name, { ...descriptor, enumerable: true });
  }
}

function toStringTag(prototype, value) {
  Object.defineProperty(prototype, Symbol.toStringTag, { value, configurable: true });
}

module.exports = {
  bufferSource,
  clampedUnsignedShort,
  dictionary,
  enforcedUnsignedShort,
  enumerable,
  getter,
  isObject,
  protocols,
  requireArguments,
  sequence,
  sizeOfBlob,
  toException,
  toStringTag,
  unsignedShort,
  usvString,
};
