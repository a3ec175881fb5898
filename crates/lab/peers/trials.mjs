// The trials of the JavaScript clients with our echo server, for Node.js and for a page.

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1048576];
const EVERY_LENGTH = 'grüße, 世界, \u{1f980}, nul \0';
const LARGE = 8_000_000;
const MANY = 1000;
const SILENCE = 3000; // milliseconds; longer than the idle timeout of the proxies

// A client is { name, connect(url, protocols, deflate) }, and some of the functions that these trials
// need: ping(ws, payload) resolves with the answer's payload, sendFragments(ws, pieces) sends one
// message, status(url) resolves with the status of a response that rejects the handshake. Over HTTP/2, end(ws) ends the
// stream and reset(ws) resets it, both without a Close.
const NEEDS = {
  'fragments sent': 'sendFragments', 'ping sent': 'ping', rejection: 'status', 'end without a Close': 'reset',
};

const trials = {
  subprotocol({ socket }) {
    check(socket.ws.protocol, 'echo');
  },
  compression({ socket, deflate }) {
    check(socket.ws.extensions.split(';')[0], deflate ? 'permessage-deflate' : '');
  },
  async text({ socket }) {
    const texts = SIZES.map((size) => 'abcdefg'.repeat(size).slice(0, size));
    for (const text of [...texts, EVERY_LENGTH]) await checkEcho(socket, text);
  },
  async binary({ socket }) {
    for (const size of SIZES) {
      await checkEcho(socket, new Uint8Array(size).map((_, i) => (i * 31) % 251));
    }
  },
  async 'large message'({ socket }) {
    await checkEcho(socket, 'fullduplex'.repeat(LARGE / 10));
  },
  async 'fragments sent'({ socket, sendFragments }) {
    sendFragments(socket.ws, ['one ', '', 'message']);
    check(await socket.receive(), 'one message');
  },
  async 'fragments received'({ socket }) {
    socket.ws.send('parts 10');
    check(await socket.receive(), '12345678910');
  },
  async 'ping sent'({ socket, ping }) {
    const payload = new TextEncoder().encode('ping payload');
    check(new Uint8Array(await ping(socket.ws, payload)), payload);
  },
  async 'ping received'({ socket }) {
    socket.ws.send('ping payload');
    check(await socket.receive(), 'pong payload');
  },
  async 'burst sent'({ socket }) {
    const numbered = Array.from({ length: MANY }, (_, i) => `message ${i}`);
    for (const message of numbered) socket.ws.send(message);
    check(await socket.receiveMany(MANY), numbered);
  },
  async 'burst received'({ socket }) {
    socket.ws.send(`burst ${MANY}`);
    check(await socket.receiveMany(MANY), Array.from({ length: MANY }, (_, i) => String(i)));
  },
  async 'close sent'({ socket }) {
    socket.ws.close(4000, 'bye');
    check(await socket.closed(), [true, 4000, 'bye']);
  },
  async 'close sent without a code'({ open }) {
    const socket = await open();
    socket.ws.close();
    check(await socket.closed(), [true, 1005, '']);
  },
  async 'close received'({ open }) {
    const socket = await open();
    socket.ws.send('close 4001 that is all');
    check(await socket.closed(), [true, 4001, 'that is all']);
  },
  async silence({ open }) {
    const socket = await open();
    await new Promise((resolve) => setTimeout(resolve, SILENCE));
    await checkEcho(socket, 'still here');
    socket.ws.close();
    await socket.closed();
  },
  async rejection({ url, status }) {
    check(await status(new URL('refused', url).href), 404);
  },
  async 'end without a Close'({ open, end, reset }) {
    const other = await open();
    for (const stop of [end, reset]) {
      const socket = await open();
      await checkEcho(socket, 'hello');
      stop(socket.ws);
      check((await socket.closed()).slice(0, 2), [false, 1006]);
      await checkEcho(other, 'still here');
    }
    other.ws.close();
    await other.closed();
  },
};

// Runs all trials that the client supports. Calls `report` with each line to print.
export async function tryAll(client, url, deflate, seconds, report) {
  let current = 'opening';
  const all = async () => {
    report(`peer ${client.name}`);
    const open = (...protocols) => Socket.open(client.connect(url, protocols, deflate));
    const context = { ...client, url, deflate, open, socket: await open('nope', 'echo') };
    for (const [name, trial] of Object.entries(trials)) {
      current = name;
      if (NEEDS[name] && !client[NEEDS[name]]) continue;
      await trial(context);
      report(`ok ${name}`);
    }
  };
  const tooLong = async () => {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    throw new Error(`no result within ${seconds} s`);
  };
  try {
    await Promise.race([all(), tooLong()]);
    return true;
  } catch (error) {
    report(`failed ${current}: ${error.message || error.stack}`);
    return false;
  }
}

// A WebSocket whose events can be awaited.
class Socket {
  #messages = [];
  #closed;
  #error = '';
  #wake = () => {};

  static async open(ws) {
    const socket = new Socket(ws);
    await socket.#until(() => ws.readyState === ws.OPEN || socket.#closed);
    if (socket.#closed) throw socket.#unexpectedly('before the open event');
    return socket;
  }

  constructor(ws) {
    this.ws = ws;
    ws.binaryType = 'arraybuffer';
    const events = {
      open: () => {},
      message: ({ data }) => this.#messages.push(data instanceof ArrayBuffer ? new Uint8Array(data) : data),
      error: ({ message, error }) => { this.#error = error?.message || message || ''; },
      close: ({ wasClean, code, reason }) => { this.#closed = [wasClean, code, reason]; },
    };
    for (const [name, handle] of Object.entries(events)) {
      ws.addEventListener(name, (event) => { handle(event); this.#wake(); });
    }
  }

  async receive() {
    await this.#until(() => this.#messages.length > 0 || this.#closed);
    if (this.#messages.length === 0) throw this.#unexpectedly('while a message was awaited');
    return this.#messages.shift();
  }

  async receiveMany(count) {
    const messages = [];
    while (messages.length < count) messages.push(await this.receive());
    return messages;
  }

  async closed() {
    await this.#until(() => this.#closed);
    return this.#closed;
  }

  async #until(holds) {
    while (!holds()) await new Promise((resolve) => { this.#wake = resolve; });
  }

  #unexpectedly(when) {
    return new Error(`closed ${when}: ${show(this.#closed)} ${this.#error}`);
  }
}

async function checkEcho(socket, message) {
  socket.ws.send(message);
  check(await socket.receive(), message);
}

function check(got, expected) {
  if (!isSame(got, expected)) throw new Error(`expected ${show(expected)}, got ${show(got)}`);
}

function isSame(got, expected) {
  if (got instanceof Uint8Array && expected instanceof Uint8Array) {
    return got.length === expected.length && got.every((byte, i) => byte === expected[i]);
  }
  return JSON.stringify(got) === JSON.stringify(expected);
}

function show(value) {
  const text = String(JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 80)}… (length ${value.length})` : text;
}
