'use strict';
// Loads the native half: a local build in this folder, or the package for this platform.

const { existsSync } = require('node:fs');
const path = require('node:path');
const process = require('node:process');

/** Whether this Linux has musl in place of glibc. */
const isMusl = () =>
  process.platform === 'linux' && process.report?.getReport().header.glibcVersionRuntime === undefined;

function load() {
  const built = path.join(__dirname, '..', 'fullduplex.node');
  if (existsSync(built)) return require(built);
  const libc = process.platform === 'linux' ? (isMusl() ? '-musl' : '-gnu') : '';
  const name = `@fullduplex/${process.platform}-${process.arch}${libc}`;
  try {
    return require(name);
  } catch (cause) {
    if (cause.code !== 'MODULE_NOT_FOUND') throw cause;
    throw new Error(
      `could not load the native half of fullduplex: the package ${name} is not installed. ` +
        'Install without --omit=optional on the platform where the program runs. If there is no such package, ' +
        'build it with Rust: npm run build in crates/node of the repository.',
      { cause },
    );
  }
}

module.exports = load();
