/// <reference types="node" />

declare const HostEvent: typeof globalThis.Event;
declare const HostEventTarget: typeof globalThis.EventTarget;

/** The host's own classes. */
export { HostEvent as Event, HostEventTarget as EventTarget };

/** The host's own event, as lib.dom or @types/node declares it. */
type HostMessageEvent = typeof globalThis extends { MessageEvent: { prototype: infer E extends Event } } ? E : never;
type HostCloseEvent = typeof globalThis extends { CloseEvent: { prototype: infer E extends Event } } ? E : CloseEventMembers;

/** The host's own. Its data are a string, a `Blob` or an `ArrayBuffer`, as the socket's `binaryType` says. */
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
 * The connection has closed. `wasClean` says whether both ends completed the closing handshake; `code` is what the server
 * sent, 1005 if it sent none, or 1006 if the connection failed.
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
  /** What was under way. */
  readonly phase: 'check' | 'resolve' | 'connect' | 'proxy' | 'tls' | 'handshake' | 'open';
  /** The status with which the server refused the opening handshake. */
  readonly status?: number;
}

export type BinaryType = 'blob' | 'arraybuffer';

/** Certificates and keys in PEM. */
export type Pem = string | ArrayBuffer | ArrayBufferView;

/** Beyond the standard. Unused, they change nothing. Times are in milliseconds. */
export interface WebSocketOptions {
  /** The subprotocols to offer, where the options stand in their place. */
  protocols?: string | Iterable<string>;
  /** Further headers of the opening request, such as `Authorization`. */
  headers?: Record<string, string | readonly string[] | null | undefined> | Iterable<readonly string[]>;
  /** What a relative URL is relative to. */
  baseUrl?: string | URL;
  /** The value of the `Origin` header; by default there is none. */
  origin?: string;
  tls?: {
    /** The roots to trust, in place of the platform's. */
    ca?: Pem | readonly Pem[];
    /** The client's certificate, and those that lead to a root. */
    cert?: Pem | readonly Pem[];
    /** Its key. */
    key?: Pem;
    /** The name that the server's certificate must have, in place of the URL's host. */
    servername?: string;
    /** `false` takes any certificate of anybody. */
    rejectUnauthorized?: boolean;
  };
  /** `http://`, `https://` or `socks5://`; "env" for what `HTTPS_PROXY` and its like say. */
  proxy?: string | URL;
  /** Whether compression is offered, and how. Default: all of it. */
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
  /** How many bytes may wait for the network; more fails the connection. Default: 256 MiB. */
  maxBufferedAmount?: number;
  /** How long it may take to resolve the host and to connect by TCP. Default: 20 s. */
  connectTimeout?: number;
  /** How long the opening handshake may take, TLS included. Default: 10 s. */
  handshakeTimeout?: number;
  /** How long a closing connection waits for a server that does nothing. Default: 10 s. */
  closeTimeout?: number;
  /** How long after a Pong the next Ping is sent. Default: none is sent. */
  pingInterval?: number;
  /** How long a Pong may take. Default: 20 s. */
  pingTimeout?: number;
  /** How long there may be no message either way, until the connection is closed with 1001. */
  idleTimeout?: number;
  /** Whether ports may be connected to that Fetch blocks. */
  anyPort?: boolean;
  /** Whether messages that arrive after `close()` are delivered. Default: no, as WHATWG has it. */
  deliverAfterClose?: boolean;
  /** A jar of cookies. */
  cookies?: {
    /** The value of the `Cookie` header for a URL. */
    getCookies(url: string): string | null | undefined;
    /** Takes the `Set-Cookie` headers of a response, before `open` fires. */
    setCookies(url: string, setCookies: string[]): void;
  };
}

type Listener<E> = ((this: globalThis.WebSocket, event: E) => unknown) | { handleEvent(event: E): unknown };

/** A two-way connection with a server, as WHATWG defines it. */
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

  /** Why the connection failed, once it has closed. Not part of the standard. */
  readonly failure: WebSocketFailure | null;

  /** Keeps the process alive while the socket has to do something: the default. Not part of the standard. */
  ref(): this;

  /** Lets the process end although somebody could hear of the socket. Not part of the standard. */
  unref(): this;

  /** As `close()`. */
  [Symbol.dispose](): void;

  /** As `close()`; resolves when the socket is closed. */
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
  /** Gives up connecting. */
  signal?: AbortSignal;
}

/** The same as streams, with back-pressure both ways (a proposal: whatwg/websockets#48). */
export declare class WebSocketStream {
  constructor(url: string | URL, options?: WebSocketStreamOptions);
  readonly url: string;
  readonly opened: Promise<WebSocketOpenInfo>;
  readonly closed: Promise<{ closeCode: number; reason: string }>;
  close(info?: WebSocketCloseInfo): void;
  /** Why the connection failed, once it has closed. Not part of the proposal. */
  readonly failure: WebSocketFailure | null;
}

export default WebSocket;

export declare class WebSocketError extends DOMException {
  constructor(message?: string, init?: WebSocketCloseInfo);
  readonly closeCode: number | null;
  readonly reason: string;
}
