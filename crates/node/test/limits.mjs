// The cases that a host other than Node.js cannot pass, by the name of the test, with the reason. They count as skipped.

const NOT_TRUSTED = 'isTrusted of Bun\'s events is false and cannot be changed';
const TARGET_PHASE = 'stopPropagation() in a capturing listener does not stop the others of the target';
const FILE_BLOB = 'reading a Blob of a file that has changed does not fail';
const CLOSE_EVENT = 'the CloseEvent of Deno does not convert its members, and has no tag';

const INSPECT = 'util.inspect() does not call a custom method of an EventTarget';
const ABORT = 'addAbortListener() adds an ordinary listener';
const LISTS = 'getEventListeners() does not know the listeners of an EventTarget';

export const bun = {
  '5.4 the attributes of a MessageEvent': NOT_TRUSTED,
  '8.4 stopping, cancelling, and a handler that returns false': TARGET_PHASE,
  '8.5 no bubbling, no cancelling, trusted': NOT_TRUSTED,
  '8.7 a listener that throws is reported, and the others run': 'the test runner of Bun takes uncaught exceptions itself',
  '15.1 events are ordinary events of the host': NOT_TRUSTED,
  '15.3 a long-lived signal does not keep sockets alive': 'it takes Bun half a minute to find 600 objects that can be collected',
  '15.6 an event that a script dispatches again is no longer trusted': NOT_TRUSTED,
  '15.7 throwing methods on shared prototypes change nothing': 'some methods that the test replaces cannot be replaced',
  'a Blob that cannot be read fails only its connection': FILE_BLOB,
};

export const deno = {
  '8.3 this, target, currentTarget and eventPhase, for each listener': 'srcElement is always null',
  '8.4 listeners': 'capturing listeners of the target are not called first',
  '8.4 stopping, cancelling, and a handler that returns false': TARGET_PHASE,
  '4.14 many large messages to a peer that reads slowly': 'a net.Socket that was paused is not read by its iterator',
  '8.8 CloseEvent': CLOSE_EVENT,
  '8.8 the close event of a socket is a CloseEvent': CLOSE_EVENT,
  '14.1 a program sends in a worker that is terminated': 'worker.terminate() does not run the cleanup hooks of native modules',
  '14.2 an unanswered ping keeps the process alive': 'the test needs --input-type=module, which Deno does not have',
  '15.1 events are ordinary events of the host': CLOSE_EVENT,
  '15.2 the methods of EventTarget work on a socket': LISTS,
  '15.3 a signal aborts even if its listeners stop the event': ABORT,
  '15.3 a long-lived signal does not keep sockets alive': ABORT,
  '15.7 throwing methods on shared prototypes change nothing': 'Deno itself uses the methods that the test replaces',
  '16.4 inspect() shows the state': INSPECT,
  'a Blob that cannot be read fails only its connection': FILE_BLOB,
};

const HTTP1 = 'its server speaks only HTTP/1.1';
const CLASS = 'it is about the class without default options';

/** The tests that cannot run over HTTP/2. */
export const http2 = {
  '1.1 fullduplex/global installs it': CLASS,
  '3.10 one handshake at a time for each address': 'the handshakes of one connection of HTTP/2 run at the same time',
  '3.11 only a valid response opens the socket': 'the response of HTTP/2 has no headers of an upgrade',
  '16.5 the default export is WebSocket': CLASS,
  'FT-54 memory use stays flat while messages are echoed': HTTP1,
  'FT-54 memory use stays flat while sockets open and close': HTTP1,
  'maxHeaderSize and maxHeadersCount': 'sockets that share a connection have the limits of the one that opened it',
  tls: HTTP1,
};

const host = process.versions.bun !== undefined ? bun : globalThis.Deno !== undefined ? deno : {};

export const limits = process.env.FULLDUPLEX_HTTP === '2' ? { ...host, ...http2 } : host;
