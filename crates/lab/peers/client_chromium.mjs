// Tests an echo server from a page in headless Chromium: node client_chromium.mjs URL [--ca FILE] [--http2]
// Chromium has its own trust store, so with --ca it accepts any certificate. With --http2, the server also serves the page,
// because Chromium opens WebSockets over a connection of HTTP/2 that exists. Its net log shows the connections.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { ca: { type: 'string' }, http2: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const FILES = { '/': ['chromium.html', 'text/html'], '/trials.mjs': ['trials.mjs', 'text/javascript'] };
const profile = mkdtempSync(join(tmpdir(), 'client-chromium-'));
const netLog = join(profile, 'net-log.json');

let finish; // called with the lines to print; only the first call counts
const result = new Promise((resolve) => { finish = resolve; });
setTimeout(() => finish('failed opening: no result within 60 s'), 60_000);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => finish(`failed: ${signal}`));

const server = http.createServer(async (request, response) => {
  if (request.method === 'POST') {
    const lines = await text(request);
    response.end();
    finish(lines);
    return;
  }
  const [file, type] = FILES[request.url] ?? [];
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('Content-Type', `${type}; charset=utf-8`);
  createReadStream(new URL(file, import.meta.url)).pipe(response);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const own = `http://127.0.0.1:${server.address().port}/`;
const [url] = positionals;
const page = values.http2
  ? `${new URL('chromium.html', url.replace('ws', 'http'))}#${url},${own}result`
  : `${own}#${url}`;

// Its own process group (detached), so that all of Chromium's processes can be ended together.
const chromium = spawn('chromium', [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ...(values.ca ? ['--ignore-certificate-errors'] : []),
  ...(values.http2 ? [`--log-net-log=${netLog}`] : []),
  `--user-data-dir=${profile}`,
  page,
], {
  detached: true,
  stdio: ['ignore', 'ignore', 'pipe'],
  env: { ...process.env, TMPDIR: profile }, // its temporary files are deleted with the profile
});
let complaints = '';
chromium.stderr.on('data', (data) => { complaints = (complaints + data).slice(-2000); });
const exited = new Promise((resolve) => { chromium.on('exit', resolve).on('error', resolve); });
exited.then((why) => finish(`failed opening: chromium ended early (${why})\n${complaints}`));

let lines = await result;
if (values.http2) {
  chromium.kill('SIGTERM'); // it writes the end of the net log
  await Promise.race([exited, new Promise((resolve) => { setTimeout(resolve, 10_000); })]);
  lines += `\n${oneConnection(readFileSync(netLog, 'utf8'))}`;
}
try {
  process.kill(-chromium.pid, 'SIGKILL');
} catch {} // it did not start, or has ended already
await exited;
rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
const version = execFileSync('chromium', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
console.log(lines.replace('peer browser', `peer ${version.split(' ').slice(0, 2).join(' ')}`));
process.exit(/^failed/m.test(lines) ? 1 : 0);

// Returns the outcome of the trial `one connection`. The net log has one event in each line, and begins with the numbers of
// their types.
function oneConnection(log) {
  const [head, ...rest] = log.split('\n');
  const { constants } = JSON.parse(`${head.replace(/,$/, '')}}`);
  const type = constants.logEventTypes.HTTP2_SESSION_SEND_HEADERS;
  const sessions = new Map(); // the number of WebSockets of each connection
  for (const line of rest.filter((line) => line.includes(`"type":${type}}`))) {
    const { source, params } = JSON.parse(line.replace(/,$/, ''));
    if (!params.headers.includes(':protocol: websocket')) continue;
    sessions.set(source.id, (sessions.get(source.id) ?? 0) + 1);
  }
  const counts = [...sessions.values()];
  return counts.length === 1 && counts[0] > 1
    ? 'ok one connection'
    : `failed one connection: the connections had these numbers of WebSockets: ${JSON.stringify(counts)}`;
}
