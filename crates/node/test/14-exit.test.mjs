// When the program ends, accepted messages are still delivered and the Close has its code. `npm run exits` repeats
// these.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { run, variants } from './exits.mjs';
import { serve, test } from './support.mjs';

const index = fileURLToPath(new URL('../lib/index.js', import.meta.url));

// FN-02
for (const name of Object.keys(variants)) test(`14.1 a program ${name}`, (t) => run(t, name));

// FN-10
test('14.2 an unanswered ping keeps the process alive', async (t) => {
  const server = await serve(t, async (peer) => (await peer.accept()).echo());
  const source = `import all from ${JSON.stringify(index)};
    const socket = new all.WebSocket(${JSON.stringify(server.url)});
    await new Promise((resolve) => (socket.onopen = resolve));
    socket.onopen = null;
    await socket.ping();
    console.log('answered');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const [code] = await once(child, 'close');
  assert.deepEqual([code, output], [0, 'answered\n']);
});
