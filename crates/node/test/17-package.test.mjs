// The package, as `cargo xtask dist` stages it, and the folder that it is made of.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from './support.mjs';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** A copy of the package without a binary. */
function unbuilt(t) {
  const copy = mkdtempSync(join(tmpdir(), 'fullduplex-'));
  t.after(() => rmSync(copy, { recursive: true }));
  for (const name of ['package.json', 'lib', 'scripts']) cpSync(join(folder, name), join(copy, name), { recursive: true });
  return copy;
}

const load = (copy, ...before) =>
  spawnSync('node', [...before, '-e', `require(${JSON.stringify(join(copy, 'lib'))})`], { encoding: 'utf8' });

/** Puts a package with this main file below `node_modules`. */
function install(copy, name, source) {
  const installed = join(copy, 'node_modules', name);
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'index.js'), source);
}

// FN-13
test('17.1 the folder cannot be packed as it is', (t) => {
  const { status, stderr } = spawnSync('npm', ['pack', '--dry-run', '--loglevel=error'], { cwd: unbuilt(t), encoding: 'utf8', shell: process.platform === 'win32' });
  assert.notEqual(status, 0);
  assert.match(stderr, /could not pack this folder: run `cargo xtask dist`/);
});

// FN-13
test('17.2 without a binary, require() says which package is missing', (t) => {
  const { stderr } = load(unbuilt(t));
  assert.match(stderr, new RegExp(`the package @fullduplex/${process.platform}-${process.arch}\\S* is not installed`));
  assert.match(stderr, /npm install --include=optional fullduplex/);
  assert.match(stderr, /cargo xtask dist/);
});

// FN-13
test('17.3 a binary that cannot be loaded says why', (t) => {
  const copy = unbuilt(t);
  for (const libc of process.platform === 'linux' ? ['-gnu', '-musl'] : ['']) {
    install(copy, `@fullduplex/${process.platform}-${process.arch}${libc}`, "throw new Error('cannot open shared object file');");
  }
  assert.match(load(copy).stderr, /could not load @fullduplex\S*: cannot open shared object file/);
});

// FN-13
test('17.4 a platform without a package is named', (t) => {
  const copy = unbuilt(t);
  writeFileSync(join(copy, 'other.cjs'), "Object.defineProperty(process, 'arch', { value: 'riscv64' });");
  assert.match(load(copy, '--require', join(copy, 'other.cjs')).stderr, /there is no package for \S+-riscv64/);
});
