/// <reference types="node" />

declare const HostEvent: typeof globalThis.Event;
declare const HostEventTarget: typeof globalThis.EventTarget;

/** The host's own classes. */
export { HostEvent as Event, HostEventTarget as EventTarget };

/** The host's own event, as lib.dom or @types/node declares it. */
type HostMessageEvent = typeof globalThis extends { MessageEvent: { prototype: infer E extends Event } } ? E : never;
type HostCloseEvent = typeof globalThis extends { CloseEvent: { prototype: infer E extends Event } } ? E : CloseEventMembers;

/** The host's own class. `data` is a string, a `Blob` or an `ArrayBuffer`, depending on the socket's `binaryType`. */
export type MessageEvent<T = any> = HostMessageEvent & { readonly data: T };
export declare const MessageEvent: typeof globalThis extends { MessageEvent: infer C } ? C : never;

interface CloseEventMembers extends Event {
  readonly wasClean: boolean;
  readonly code: number;
  readonly reason: string;
}

export interface CloseEventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
  wasClean?: boolean;
  code?: number;
  reason?: string;
}

/**
 * The connection has closed. `wasClean` is true if both ends completed the closing handshake. `code` is the code of the
 * server, 1005 if it sent none, or 1006 if the connection failed.
 */
export type CloseEvent = HostCloseEvent;
export declare const CloseEvent: typeof globalThis extends { CloseEvent: infer C }
  ? C
  : {
      prototype: CloseEvent;
      new (type: string, init?: CloseEventInit): CloseEvent;
    };

export interface WebSocketEventMap {
  open: Event;
  message: HostMessageEvent;
  error: Event;
  close: CloseEvent;
}

/** Why a connection failed, for logs. */
export interface WebSocketFailure extends Error {
  /** The phase in which it failed. */
  readonly phase: 'check' | 'resolve' | 'connect' | 'proxy' | 'tls' | 'handshake' | 'open';
  /** The status with which the server refused the opening handshake. */
  readonly status?: number;
  /** The number of the alert with which the server ended TLS (RFC 8446, section 6), such as 40, `handshake_failure`. */
  readonly tlsAlert?: number;
}

export type BinaryType = 'blob' | 'arraybuffer';

/** Certificates and keys in PEM. */
export type Pem = string | ArrayBuffer | ArrayBufferView;

/** Options beyond the standard. Without them, nothing changes. Times are in milliseconds. */
export interface WebSocketOptions {
  /** The subprotocols to offer, if the options are the second argument of the constructor. */
  protocols?: string | Iterable<string>;
  /** Additional headers of the opening request, such as `Authorization`. */
  headers?: Record<string, string | readonly string[] | null | undefined> | Iterable<readonly string[]>;
  /** The base of relative URLs. */
  baseUrl?: string | URL;
  /** The value of the `Origin` header; by default there is none. */
  origin?: string;
  tls?: {
    /** The roots to trust, in place of the platform's. */
    ca?: Pem | readonly Pem[];
    /** The client's certificate and its chain. */
    cert?: Pem | readonly Pem[];
    /** The key of the client's certificate. */
    key?: Pem;
    /** The name that the server's certificate must have, in place of the URL's host. */
    servername?: string;
    /** `false` accepts any certificate. Dangerous: anybody can then impersonate the server. */
    rejectUnauthorized?: boolean;
  };
  /**
   * The version of HTTP: `2` requires HTTP/2, where many sockets share one connection (RFC 8441). `'auto'` uses it for
   * `wss` if the server supports it. A `ws` server is assumed to speak HTTP/2 if this is `2`. Default: 1.
   */
  http?: 1 | 2 | 'auto';
  /** `http://`, `https://` or `socks5://`; "env" uses `HTTPS_PROXY` and similar environment variables. */
  proxy?: string | URL;
  /** Whether compression is offered, and its parameters. By default, it is offered. */
  perMessageDeflate?:
    | boolean
    | {
        clientMaxWindowBits?: number;
        serverMaxWindowBits?: number;
        clientNoContextTakeover?: boolean;
        serverNoContextTakeover?: boolean;
        /** Messages of fewer bytes are not compressed. Default: 64. */
        threshold?: number;
      };
  /** The largest message that is received, in bytes. Default: 64 MiB. */
  maxPayload?: number;
  /** The largest head of the server's response, in bytes. Default: 16 KiB. */
  maxHeaderSize?: number;
  /** The maximum number of headers in the server's response. Default: 100. */
  maxHeadersCount?: number;
  /** How many bytes may wait to be sent. More bytes fail the connection. Default: 256 MiB. */
  maxBufferedAmount?: number;
  /** How long resolving the host and connecting by TCP may take. Default: 20 s. */
  connectTimeout?: number;
  /** How long the opening handshake may take, TLS included. Default: 10 s. */
  handshakeTimeout?: number;
  /** How long a closing connection waits for a server that makes no progress. Default: 10 s. */
  closeTimeout?: number;
  /** The time from a Pong to the next Ping. Default: no Pings are sent. */
  pingInterval?: number;
  /** How long a Pong may take. Default: 20 s. */
  pingTimeout?: number;
  /** After this time without a message in either direction, the connection closes with 1001. Default: none. */
  idleTimeout?: number;
  /** Whether ports that Fetch blocks are allowed. */
  anyPort?: boolean;
  /** Whether messages that arrive after `close()` are delivered. Default: no, as in the WHATWG standard. */
  deliverAfterClose?: boolean;
  /** A cookie jar. */
  cookies?: {
    /** Returns the value of the `Cookie` header for a URL. */
    getCookies(url: string): string | null | undefined;
    /** Receives the `Set-Cookie` headers of a response, before `open` fires. */
    setCookies(url: string, setCookies: string[]): void;
  };
}

type Listener<E> = ((this: globalThis.WebSocket, event: E) => unknown) | { handleEvent(event: E): unknown };

/** A two-way connection to a server, as WHATWG defines it. */
export declare class WebSocket extends EventTarget {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  constructor(url: string | URL, protocols?: string | Iterable<string> | WebSocketOptions, options?: WebSocketOptions);

  readonly url: string;
  readonly readyState: 0 | 1 | 2 | 3;
  readonly bufferedAmount: number;
  readonly extensions: string;
  readonly protocol: string;
  binaryType: BinaryType;

  onopen: ((this: globalThis.WebSocket, event: Event) => any) | null;
  onmessage: ((this: globalThis.WebSocket, event: HostMessageEvent) => any) | null;
  onerror: ((this: globalThis.WebSocket, event: Event) => any) | null;
  onclose: ((this: globalThis.WebSocket, event: CloseEvent) => any) | null;

  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void;
  close(code?: number, reason?: string): void;

  /** Returns a class whose sockets have these options by default. Not part of the standard. */
  static withDefaults(options: WebSocketOptions): typeof WebSocket;

  /** Sends a Ping; resolves when the server has answered it. Not part of the standard. */
  ping(): Promise<void>;

  /** Why the connection failed, once it has closed; `null` if it did not fail. Not part of the standard. */
  readonly failure: WebSocketFailure | null;

  /** Keeps the process alive while the socket has work to do; this is the default. Not part of the standard. */
  ref(): this;

  /** Lets the process end even if the socket has listeners. Not part of the standard. */
  unref(): this;

  /** Same as `close()`. */
  [Symbol.dispose](): void;

  /** Same as `close()`; resolves when the socket is closed. */
  [Symbol.asyncDispose](): Promise<void>;

  addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: Listener<WebSocketEventMap[K]> | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  addEventListener(type: string, listener: Listener<Event> | null, options?: AddEventListenerOptions | boolean): void;
  removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: Listener<WebSocketEventMap[K]> | null,
    options?: EventListenerOptions | boolean,
  ): void;
  removeEventListener(type: string, listener: Listener<Event> | null, options?: EventListenerOptions | boolean): void;
}

export interface EventListenerOptions {
  capture?: boolean;
}

export interface AddEventListenerOptions extends EventListenerOptions {
  once?: boolean;
  passive?: boolean;
  signal?: AbortSignal;
}

export interface WebSocketCloseInfo {
  closeCode?: number;
  reason?: string;
}

export interface WebSocketOpenInfo {
  readable: import('node:stream/web').ReadableStream<string | Uint8Array>;
  writable: import('node:stream/web').WritableStream<string | ArrayBuffer | ArrayBufferView>;
  extensions: string;
  protocol: string;
}

export interface WebSocketStreamOptions extends Omit<WebSocketOptions, 'protocols'> {
  protocols?: Iterable<string>;
  /** Aborts connecting. */
  signal?: AbortSignal;
}

/** A WebSocket as streams, with backpressure in both directions (a proposal: whatwg/websockets#48). */
export declare class WebSocketStream {
  constructor(url: string | URL, options?: WebSocketStreamOptions);
  readonly url: string;
  readonly opened: Promise<WebSocketOpenInfo>;
  readonly closed: Promise<{ closeCode: number; reason: string }>;
  close(info?: WebSocketCloseInfo): void;
  /** Why the connection failed, once it has closed; `null` if it did not fail. Not part of the proposal. */
  readonly failure: WebSocketFailure | null;
}

export default WebSocket;

export declare class WebSocketError extends DOMException {
  constructor(message?: string, init?: WebSocketCloseInfo);
  readonly closeCode: number | null;
  readonly reason: string;
}
