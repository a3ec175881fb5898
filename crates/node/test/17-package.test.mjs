// The npm package as `npm pack` builds it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

// FN-13
test('17.1 the package has its licences, and cannot be packed before it is built', (t) => {
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--loglevel=error'], { cwd: folder, encoding: 'utf8' }).replace(/^[^[]*/, ''));
  const names = files.map(({ path }) => path);
  for (const name of ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'index.d.ts', 'fullduplex.node']) assert.ok(names.includes(name), name);
  const unbuilt = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(unbuilt, { recursive: true }));
  for (const name of ['package.json', 'lib', 'scripts']) cpSync(join(folder, name), join(unbuilt, name), { recursive: true });
  const { status, stderr } = spawnSync('npm', ['pack', '--dry-run', '--loglevel=error'], { cwd: unbuilt, encoding: 'utf8' });
  assert.notEqual(status, 0);
  assert.match(stderr, /could not pack: the native half is not built/);
});

// FN-13
test('17.2 without a native half, require() names the missing package', (t) => {
  const unbuilt = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(unbuilt, { recursive: true }));
  cpSync(join(folder, 'lib'), join(unbuilt, 'lib'), { recursive: true });
  const { stderr } = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(join(unbuilt, 'lib'))})`], { encoding: 'utf8' });
  assert.match(stderr, new RegExp(`the package @fullduplex/${process.platform}-${process.arch}\\S* is not installed`));
});
