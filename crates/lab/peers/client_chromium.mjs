// Tests an echo server from a page in headless Chromium: node client_chromium.mjs URL [--ca FILE]
// Chromium has its own trust store, so with --ca it accepts any certificate.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { ca: { type: 'string' } },
  allowPositionals: true,
});
const FILES = { '/': ['chromium.html', 'text/html'], '/trials.mjs': ['trials.mjs', 'text/javascript'] };
const profile = mkdtempSync(join(tmpdir(), 'client-chromium-'));

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

// Its own process group (detached), so that all of Chromium's processes can be ended together.
const chromium = spawn('chromium', [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ...(values.ca ? ['--ignore-certificate-errors'] : []),
  `--user-data-dir=${profile}`,
  `http://127.0.0.1:${server.address().port}/#${positionals[0]}`,
], {
  detached: true,
  stdio: ['ignore', 'ignore', 'pipe'],
  env: { ...process.env, TMPDIR: profile }, // its temporary files are deleted with the profile
});
let complaints = '';
chromium.stderr.on('data', (data) => { complaints = (complaints + data).slice(-2000); });
const exited = new Promise((resolve) => { chromium.on('exit', resolve).on('error', resolve); });
exited.then((why) => finish(`failed opening: chromium ended early (${why})\n${complaints}`));

const lines = await result;
try {
  process.kill(-chromium.pid, 'SIGKILL');
} catch {} // it did not start, or has ended already
await exited;
rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
const version = execFileSync('chromium', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
console.log(lines.replace('peer browser', `peer ${version.split(' ').slice(0, 2).join(' ')}`));
process.exit(/^failed/m.test(lines) ? 1 : 0);
