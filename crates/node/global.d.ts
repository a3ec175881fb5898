import type * as fullduplex from './index';

// `WebSocket` and its events keep the types that lib.dom or @types/node declares, because a variable cannot have two
// types.
declare global {
  interface WebSocketStream extends fullduplex.WebSocketStream {}
  var WebSocketStream: typeof fullduplex.WebSocketStream;
  interface WebSocketError extends fullduplex.WebSocketError {}
  var WebSocketError: typeof fullduplex.WebSocketError;
}
