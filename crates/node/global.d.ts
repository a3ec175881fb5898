import type * as fullduplex from './index';

declare global {
  var WebSocket: typeof fullduplex.WebSocket;
  var WebSocketStream: typeof fullduplex.WebSocketStream;
  var WebSocketError: typeof fullduplex.WebSocketError;
  var CloseEvent: typeof fullduplex.CloseEvent;
}
