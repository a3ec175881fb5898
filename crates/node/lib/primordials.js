'use strict';
// The parts of the host that the package uses, captured at load. Programs, fake timers and test environments may
// replace globals and methods of shared prototypes later; sockets must keep working.

const { AsyncResource } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const events = require('node:events');
const process = require('node:process');
const timers = require('node:timers');
const { types } = require('node:util');
const workers = require('node:worker_threads');

/** Turns a method into a function that takes `this` first. */
const uncurryThis = Function.prototype.bind.bind(Function.prototype.call);

const getter = (prototype, name) => {
  const get = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  return get && uncurryThis(get);
};

/** A class of the web. Test environments (jsdom) leave some of them out. */
const webClass = (name, module) => globalThis[name] ?? require(module)[name];

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);
const promiseThen = uncurryThis(Promise.prototype.then);
const settled = Promise.resolve();

module.exports = {
  AbortSignal,
  ArrayBuffer,
  AsyncResource,
  Blob,
  Boolean,
  Buffer,
  DOMException,
  Error,
  Event,
  EventTarget,
  FinalizationRegistry,
  MessageEvent,
  MessagePort: workers.MessagePort,
  Number,
  Object,
  ObjectPrototype: Object.prototype,
  Promise,
  ReadableStream: webClass('ReadableStream', 'node:stream/web'),
  Reflect,
  Symbol,
  TypeError,
  URL,
  Uint32Array,
  Uint8Array,
  WeakMap,
  WeakRef,
  WeakSet,
  WritableStream: webClass('WritableStream', 'node:stream/web'),
  events,
  inspect: Symbol.for('nodejs.util.inspect.custom'),
  process,
  types,

  abortReason: getter(AbortSignal.prototype, 'reason'),
  apply: Reflect.apply,
  arrayIsArray: Array.isArray,
  arrayBufferIsView: ArrayBuffer.isView,
  bufferConcat: Buffer.concat,
  bufferFrom: Buffer.from,
  channel: diagnostics.channel,
  construct: Reflect.construct,
  defineProperty: Object.defineProperty,
  freeze: Object.freeze,
  getOwnPropertyDescriptor: Object.getOwnPropertyDescriptor,
  getOwnPropertySymbols: Object.getOwnPropertySymbols,
  getPrototypeOf: Object.getPrototypeOf,
  hasOwn: Object.hasOwn,
  iteratorSymbol: Symbol.iterator,
  objectKeys: Object.keys,
  ownKeys: Reflect.ownKeys,
  reflectGet: Reflect.get,
  setPrototypeOf: Object.setPrototypeOf,
  urlCanParse: URL.canParse,
  mathFloor: Math.floor,
  mathMax: Math.max,
  mathMin: Math.min,
  mathTrunc: Math.trunc,
  numberIsInteger: Number.isInteger,
  numberIsNaN: Number.isNaN,

  arrayBufferByteLength: getter(ArrayBuffer.prototype, 'byteLength'),
  arrayBufferResizable: getter(ArrayBuffer.prototype, 'resizable'),
  blobArrayBuffer: uncurryThis(Blob.prototype.arrayBuffer),
  blobSize: getter(Blob.prototype, 'size'),
  charCodeAt: uncurryThis(String.prototype.charCodeAt),
  dataViewBuffer: getter(DataView.prototype, 'buffer'),
  dataViewByteLength: getter(DataView.prototype, 'byteLength'),
  dataViewByteOffset: getter(DataView.prototype, 'byteOffset'),
  derefWeakRef: uncurryThis(WeakRef.prototype.deref),
  functionCall: uncurryThis(Function.prototype.call),
  isCancelable: getter(Event.prototype, 'cancelable'),
  isAborted: getter(AbortSignal.prototype, 'aborted'),
  mapGet: uncurryThis(Map.prototype.get),
  preventDefault: uncurryThis(Event.prototype.preventDefault),
  propagationStopped: getter(Event.prototype, 'cancelBubble'),
  runInAsyncScope: uncurryThis(AsyncResource.prototype.runInAsyncScope),
  toWellFormed: uncurryThis(String.prototype.toWellFormed),
  typedArrayBuffer: getter(TypedArrayPrototype, 'buffer'),
  typedArrayByteLength: getter(TypedArrayPrototype, 'byteLength'),
  typedArrayByteOffset: getter(TypedArrayPrototype, 'byteOffset'),
  urlHref: getter(URL.prototype, 'href'),
  urlOrigin: getter(URL.prototype, 'origin'),
  weakMapGet: uncurryThis(WeakMap.prototype.get),
  weakMapSet: uncurryThis(WeakMap.prototype.set),
  weakSetAdd: uncurryThis(WeakSet.prototype.add),
  weakSetHas: uncurryThis(WeakSet.prototype.has),

  markAsUncloneable: workers.markAsUncloneable ?? (() => {}),
  queueMicrotask,
  setImmediate: timers.setImmediate,
  setInterval: timers.setInterval,

  /** Runs `job` as a microtask. Fake timers do not replace it. */
  soon: (job) => void promiseThen(settled, job),
  /** Marks a promise as handled, so that its rejection is never reported. */
  ignoreRejection: (promise) => void promiseThen(promise, undefined, () => {}),
  promiseThen,
  uncurryThis,
};
