'use strict';
// Conversion of the options beyond the standard. The native half decides whether they can be used.

const { readFileSync } = require('node:fs');

const {
  ObjectPrototype,
  TypeError,
  URL,
  Uint8Array,
  apply,
  arrayIsArray,
  bufferConcat,
  bufferFrom,
  charCodeAt,
  getPrototypeOf,
  hasOwn,
  isAborted,
  iteratorSymbol,
  numberIsInteger,
  objectKeys,
  process,
  Symbol,
  urlCanParse,
  urlHref,
} = require('./primordials');
const { append, bufferSource, dictionary, isObject, member, protocols, sequence } = require('./idl');

/**
 * Returns whether the second argument is an options object: one that the standard would convert to "[object Object]",
 * which is not a valid subprotocol.
 */
function isOptions(value) {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = getPrototypeOf(value);
  if (prototype !== ObjectPrototype && prototype !== null) return false;
  for (let i = 0; i < CONVERTS.length; i += 1) if (hasOwn(value, CONVERTS[i])) return false;
  return true;
}

/** An object with one of these members defines its own conversion to a string. */
const CONVERTS = [iteratorSymbol, Symbol.toPrimitive, Symbol.toStringTag, 'toString', 'valueOf'];

const text = (value) => `${value}`;
const boolean = (value) => !!value;

function number(value, name) {
  const converted = +value;
  if (!(converted >= 0)) throw new TypeError(`The option ${name} is not a number of at least 0`);
  return converted;
}

/** A number of bytes or bits. `Infinity` means no limit. */
function count(value, name) {
  const converted = number(value, name);
  if (converted !== Infinity && !numberIsInteger(converted)) {
    throw new TypeError(`The option ${name} is not an integer`);
  }
  return converted;
}

/** `ByteString`: each character is one byte. */
function byteString(value, name) {
  const converted = `${value}`;
  for (let i = 0; i < converted.length; i += 1) {
    if (charCodeAt(converted, i) > 0xff) {
      throw new TypeError(`The ${name} has a character outside Latin-1 at index ${i}`);
    }
  }
  return converted;
}

/** Names and values of a `Headers`, a list of pairs, or an object. */
function headers(value) {
  if (!isObject(value)) throw new TypeError('The option headers is not an object');
  const list = [];
  const add = (name, values) => {
    const each = arrayIsArray(values) ? values : [values];
    for (let i = 0; i < each.length; i += 1) {
      if (each[i] === undefined || each[i] === null) continue;
      append(list, byteString(name, 'name of a header'));
      append(list, byteString(each[i], `value of the header ${name}`));
    }
  };
  const method = value[iteratorSymbol];
  if (typeof method === 'function') {
    const pairs = sequence(value, method, (pair) => pair);
    for (let i = 0; i < pairs.length; i += 1) {
      if (!isObject(pairs[i])) throw new TypeError('An item of the option headers is not a pair');
      add(text(pairs[i][0]), pairs[i][1]);
    }
  } else {
    const names = objectKeys(value);
    for (let i = 0; i < names.length; i += 1) add(names[i], value[names[i]]);
  }
  return list;
}

/** The version of HTTP: 1, 2, or "auto". */
function httpVersion(value, name) {
  const converted = `${value}`;
  if (converted !== '1' && converted !== '2' && converted !== 'auto') {
    throw new TypeError(`The option ${name} is not 1, 2 or "auto"`);
  }
  return converted;
}

/** One or several texts in PEM, as strings or bytes. */
function pem(value) {
  const parts = arrayIsArray(value) ? value : [value];
  const chunks = [];
  for (let i = 0; i < parts.length; i += 1) {
    append(chunks, pemPart(parts[i]));
    append(chunks, bufferFrom('\n'));
  }
  return new Uint8Array(bufferConcat(chunks));
}

function pemPart(part) {
  const source = bufferSource(part);
  if (source === undefined) return bufferFrom(text(part));
  return bufferFrom(source.buffer, source.offset, source.length);
}

/** A cookie jar. Its two members are called later, as methods of the jar. */
function jar(value) {
  if (!isObject(value)) throw new TypeError('The option cookies is not an object');
  const callback = (name) => {
    const call = value[name];
    if (typeof call !== 'function') throw new TypeError(`The option cookies has no function ${name}`);
    return (...args) => apply(call, value, args);
  };
  return { getCookies: callback('getCookies'), setCookies: callback('setCookies') };
}

/** The value of the `Cookie` header, or "". */
function cookieOf({ getCookies }, url) {
  const cookie = getCookies(url) ?? '';
  if (isObject(cookie)) {
    throw new TypeError('getCookies() returned an object. It must return a string; it cannot be asynchronous');
  }
  return byteString(cookie, 'result of getCookies()');
}

/** Reads each member of a dictionary once, in the order of `converters`. `null` counts as unset. */
function members(value, name, converters) {
  const given = dictionary(value, `The option ${name}`);
  const read = { __proto__: null };
  for (const key in converters) {
    const one = member(given, key);
    if (one !== undefined && one !== null) read[key] = converters[key](one, key);
  }
  return read;
}

const TLS = { __proto__: null, ca: pem, cert: pem, key: pem, rejectUnauthorized: boolean, servername: text };

const DEFLATE = {
  __proto__: null,
  clientMaxWindowBits: count,
  clientNoContextTakeover: boolean,
  serverMaxWindowBits: count,
  serverNoContextTakeover: boolean,
  threshold: count,
};

/** In alphabetical order, as Web IDL requires. */
const OPTIONS = {
  __proto__: null,
  anyPort: boolean,
  baseUrl: text,
  closeTimeout: number,
  connectTimeout: number,
  cookies: jar,
  deliverAfterClose: boolean,
  handshakeTimeout: number,
  headers,
  http: httpVersion,
  idleTimeout: number,
  maxBufferedAmount: count,
  maxHeaderSize: count,
  maxHeadersCount: count,
  maxPayload: count,
  origin: text,
  perMessageDeflate: (value) => (isObject(value) ? members(value, 'perMessageDeflate', DEFLATE) : !!value),
  pingInterval: number,
  pingTimeout: number,
  protocols,
  proxy: text,
  tls: (value) => members(value, 'tls', TLS),
};

/** The options of `WebSocketStream`. */
const STREAM_OPTIONS = { __proto__: null };
for (const name in OPTIONS) {
  STREAM_OPTIONS[name] = name === 'protocols' ? listOfProtocols : OPTIONS[name];
  if (name === 'proxy') STREAM_OPTIONS.signal = abortSignal;
}

/** `sequence<USVString>`. A string is not accepted. */
function listOfProtocols(value) {
  if (!isObject(value)) throw new TypeError('The protocols are not a sequence');
  return sequence(value, value[iteratorSymbol]);
}

function abortSignal(value) {
  try {
    isAborted(value); // checks the brand
  } catch {
    throw new TypeError('The signal is not an AbortSignal');
  }
  return value;
}

/** The certificates of `NODE_EXTRA_CA_CERTS`. As in Node.js, they are read once, and a file that cannot be read only warns. */
const extraCa = (() => {
  const path = process.env.NODE_EXTRA_CA_CERTS;
  if (!path) return undefined;
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    process.emitWarning(`could not read the certificates of NODE_EXTRA_CA_CERTS: ${error.message}`);
    return undefined;
  }
})();

/** Adds the environment's TLS settings, as `node:tls` does: extra roots, unless `ca` replaces all roots. */
function withEnvironment(tls) {
  const verifies = process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0';
  if (extraCa === undefined && verifies) return tls;
  const result = { __proto__: null, ...tls };
  if (result.ca === undefined) result.extraCa = extraCa;
  if (!verifies) result.rejectUnauthorized ??= false;
  return result;
}

/**
 * Returns the URL and the options for the native half, and the jar's `setCookies`. `address` is the constructor's first
 * argument, `list` are the subprotocols, and `read` are the converted options.
 */
function toNative(address, list, read) {
  const { baseUrl, cookies, perMessageDeflate } = read;
  // If the address cannot be resolved, it is passed unchanged, and the native half rejects it.
  const url =
    baseUrl !== undefined && urlCanParse(address, baseUrl) ? urlHref(new URL(address, baseUrl)) : address;
  const options = { __proto__: null, ...read };
  options.tls = withEnvironment(read.tls);
  if (list.length > 0 || options.protocols === undefined) options.protocols = list;
  if (isObject(perMessageDeflate)) options.deflateOptions = perMessageDeflate;
  else options.deflate = perMessageDeflate;
  if (cookies !== undefined) options.cookie = cookieOf(cookies, url);
  return { url, options, jar: cookies?.setCookies };
}

/** Reads the options of `WebSocket`. They override `defaults`, the result of `readDefaults`. */
const options = (address, list, value, defaults) =>
  toNative(address, list, { __proto__: null, ...defaults, ...readDefaults(value) });

const readDefaults = (value) => members(value, 'bag', OPTIONS);

/** Reads the options of `WebSocketStream`, and the signal. */
function streamOptions(address, value) {
  const read = members(value, 'bag', STREAM_OPTIONS);
  const { signal } = read;
  delete read.signal; // the native half has no such option
  const { url, options } = toNative(address, [], read);
  options.abandoned = signal !== undefined && isAborted(signal);
  return { url, options, signal };
}

module.exports = { isOptions, options, readDefaults, streamOptions };
