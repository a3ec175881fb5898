// Runs browser_client.html in a headless Chromium against an echo server: node browser_client.mjs CHROMIUM_PATH URL
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const [chromiumPath, url] = process.argv.slice(2);
const page = readFileSync(new URL('browser_client.html', import.meta.url));
const profile = mkdtempSync(join(tmpdir(), 'browser-client-'));

let finish; // called with the text to print; only the first call counts
const result = new Promise((resolve) => { finish = resolve; });
setTimeout(() => finish('failed: no result within 60 s'), 60_000);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => finish(`failed: ${signal}`));

const server = http.createServer(async (request, response) => {
  if (request.method === 'POST' && request.url === '/result') {
    const report = await text(request);
    response.end();
    finish(report);
  } else if (request.url === '/') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page);
  } else {
    response.writeHead(404).end();
  }
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

// Its own process group (detached), so that all of Chromium's processes can be ended together.
const chromium = spawn(chromiumPath, [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  `--user-data-dir=${profile}`,
  `http://127.0.0.1:${server.address().port}/#${url}`,
], {
  detached: true,
  stdio: ['ignore', 'ignore', 'pipe'],
  env: { ...process.env, TMPDIR: profile }, // what it leaves behind there goes with the profile
});
let complaints = '';
chromium.stderr.on('data', (data) => { complaints = (complaints + data).slice(-2000); });
const exited = new Promise((resolve) => { chromium.on('exit', resolve).on('error', resolve); });
exited.then((why) => finish(`failed: chromium ended early (${why})\n${complaints}`));

const report = await result;
try {
  process.kill(-chromium.pid, 'SIGKILL');
} catch {} // it never started, or has ended already
await exited;
rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
console.log(report);
process.exit(report.startsWith('ok') ? 0 : 1);
