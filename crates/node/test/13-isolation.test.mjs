// Exceptions of the application or the host never affect another socket.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { serve, test } from './support.mjs';

// FN-01
test('13.1 whatever throws, other sockets keep working and the exception is reported', async (t) => {
  const server = await serve(t, async (peer) => {
    await peer.accept({ 'Set-Cookie': 'a=1' });
    await peer.echo();
  });
  const path = fileURLToPath(new URL('./workers/isolation.mjs', import.meta.url));
  const child = spawn(process.execPath, [path, server.url], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, output);
  const results = JSON.parse(output);
  assert.ok(results.length > 170);
  for (const { name, works, strangers } of results) assert.deepEqual([name, works, strangers], [name, true, []]);
  const reported = (name) => results.find((result) => result.name === name).reported;
  for (const name of ['a listener', 'a handler', 'the getter handleEvent', 'a microtask', 'a tick', 'the jar', 'an async listener', 'a subscriber', 'new MessageEvent']) {
    assert.ok(reported(name) > 0, `${name} was not reported`);
  }
  // The package never reads members that a subclass overrides.
  for (const { name, reported } of results) if (name.startsWith('overridden')) assert.equal(reported, 0, name);
});
