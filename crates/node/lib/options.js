'use strict';
// The options beyond the standard, converted. Whether they can be used is decided in the native half.

const { bufferSource, dictionary, isObject, protocols } = require('./idl');

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

const text = (value) => `${value}`;

function number(value, name) {
  const converted = +value;
  if (!(converted >= 0)) throw new TypeError(`The option ${name} is not a number from 0 on`);
  return converted;
}

/** Names and values, of a `Headers`, of a list of pairs, or of an object. */
function headers(value) {
  if (!isObject(value)) throw new TypeError('The option headers is not an object');
  const pairs = typeof value[Symbol.iterator] === 'function' ? [...value] : Object.entries(value);
  return pairs.flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).flatMap((one) => [text(name), text(one)]),
  );
}

/** One or several texts in PEM, as strings or bytes. */
function pem(value) {
  const parts = Array.isArray(value) ? value : [value];
  return new Uint8Array(Buffer.concat(parts.flatMap((part) => [pemPart(part), Buffer.from('\n')])));
}

function pemPart(part) {
  const source = bufferSource(part);
  if (source === undefined) return Buffer.from(text(part));
  return Buffer.from(source.buffer, source.offset, source.length);
}

function members(value, name, converters) {
  const given = dictionary(value, `The option ${name}`);
  const read = {};
  for (const [member, convert] of Object.entries(converters)) {
    const one = given[member];
    if (one !== undefined) read[member] = convert(one, member);
  }
  return read;
}

const TLS = { ca: pem, cert: pem, key: pem, servername: text, rejectUnauthorized: Boolean };

const DEFLATE = {
  clientMaxWindowBits: number,
  serverMaxWindowBits: number,
  clientNoContextTakeover: Boolean,
  serverNoContextTakeover: Boolean,
  threshold: number,
};

const OPTIONS = {
  protocols,
  headers,
  baseUrl: text,
  origin: text,
  tls: (value) => members(value, 'tls', TLS),
  proxy: text,
  perMessageDeflate: (value) =>
    isObject(value) ? members(value, 'perMessageDeflate', DEFLATE) : Boolean(value),
  maxPayload: number,
  maxBufferedAmount: number,
  connectTimeout: number,
  handshakeTimeout: number,
  closeTimeout: number,
  pingInterval: number,
  pingTimeout: number,
  idleTimeout: number,
  anyPort: Boolean,
  deliverAfterClose: Boolean,
  cookies: (value) => value,
};

/**
 * @param {string} address the constructor's first argument.
 * @param {string[]} list its second, as a list.
 * @param value its options.
 * @returns the URL and the options that the native half takes, and the jar of cookies.
 */
function options(address, list, value) {
  const { baseUrl, cookies, perMessageDeflate, ...native } = members(value, 'bag', OPTIONS);
  // What cannot be resolved is refused as it stands.
  const url =
    baseUrl !== undefined && URL.canParse(address, baseUrl)
      ? new URL(address, baseUrl).href
      : address;
  native.protocols ??= list;
  if (isObject(perMessageDeflate)) native.deflateOptions = perMessageDeflate;
  else native.deflate = perMessageDeflate;
  if (cookies !== undefined) native.cookie = text(cookies.getCookies(url) ?? '');
  return { url, options: native, jar: cookies };
}

module.exports = { isOptions, options };
