/// <reference types="node" />

declare const HostEvent: typeof globalThis.Event;
declare const HostEventTarget: typeof globalThis.EventTarget;

/** The host's. */
export { HostEvent as Event, HostEventTarget as EventTarget };

/** The host's: the data of a message, as the socket's `binaryType` has them. */
export interface MessageEvent<T = any> extends Event {
  readonly data: T;
  readonly origin: string;
  readonly lastEventId: string;
  readonly source: null;
  readonly ports: readonly [];
}
export declare const MessageEvent: {
  prototype: MessageEvent;
  new <T = any>(type: string, init?: EventInit & { data?: T; origin?: string; lastEventId?: string }): MessageEvent<T>;
};

export interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

export interface CloseEventInit extends EventInit {
  wasClean?: boolean;
  code?: number;
  reason?: string;
}

/** The connection is closed. */
export interface CloseEvent extends Event {
  /** Whether both ends completed the closing handshake. */
  readonly wasClean: boolean;
  /** What the server sent; 1005 if nothing, 1006 if the connection failed. */
  readonly code: number;
  readonly reason: string;
}
export declare const CloseEvent: {
  prototype: CloseEvent;
  new (type: string, init?: CloseEventInit): CloseEvent;
};

export interface WebSocketEventMap {
  open: Event;
  message: MessageEvent;
  error: Event;
  close: CloseEvent;
}

export type BinaryType = 'blob' | 'arraybuffer';

/** Certificates and keys in PEM. */
export type Pem = string | ArrayBuffer | ArrayBufferView;

/** Beyond the standard. Unused, they change nothing. Times are in milliseconds. */
export interface WebSocketOptions {
  /** The subprotocols to offer, where the options stand in their place. */
  protocols?: string | Iterable<string>;
  /** Further headers of the opening request, such as `Authorization`. */
  headers?: Record<string, string | readonly string[]> | Iterable<readonly [string, string]>;
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

type Listener<E> = ((this: WebSocket, event: E) => unknown) | { handleEvent(event: E): unknown };

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

  onopen: ((this: WebSocket, event: Event) => unknown) | null;
  onmessage: ((this: WebSocket, event: MessageEvent) => unknown) | null;
  onerror: ((this: WebSocket, event: Event) => unknown) | null;
  onclose: ((this: WebSocket, event: CloseEvent) => unknown) | null;

  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void;
  close(code?: number, reason?: string): void;

  /** Not the standard's: resolves when the server has answered a Ping. */
  ping(): Promise<void>;

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
}

export declare class WebSocketError extends DOMException {
  constructor(message?: string, init?: WebSocketCloseInfo);
  readonly closeCode: number | null;
  readonly reason: string;
}
