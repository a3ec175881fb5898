'use strict';
// Loads the binary: the one that was built in this folder, or that of the package for this platform.

const { existsSync } = require('node:fs');
const path = require('node:path');
const process = require('node:process');

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

/** Whether this Linux has musl in place of glibc. */
const isMusl = () => process.report?.getReport().header.glibcVersionRuntime === undefined;

/** The packages that may have the binary, the likeliest first. */
function packages() {
  const platform = `${process.platform}-${process.arch}`;
  if (!PLATFORMS.includes(platform)) return [];
  if (process.platform !== 'linux') return [`@fullduplex/${platform}`];
  const both = [`@fullduplex/${platform}-gnu`, `@fullduplex/${platform}-musl`];
  // Most installers install only the package that matches. Some install both packages.
  const installed = both.filter(isInstalled);
  if (installed.length === 1) return installed;
  return isMusl() ? both.reverse() : both;
}

function isInstalled(name) {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

function load() {
  const built = path.join(__dirname, '..', 'fullduplex.node');
  if (existsSync(built)) return require(built);
  const [name] = packages();
  const build = 'To build a binary, run `cargo xtask dist` in the repository of fullduplex, with Rust installed.';
  if (name === undefined) {
    throw new Error(
      `could not load fullduplex: there is no package for ${process.platform}-${process.arch}. ${build}`,
    );
  }
  if (!isInstalled(name)) {
    throw new Error(
      `could not load fullduplex: the package ${name} is not installed. Run \`npm install --include=optional fullduplex\` ` +
        `on the platform where the program runs; a lock file that was made on another platform may leave it out. ${build}`,
    );
  }
  try {
    return require(name);
  } catch (cause) {
    throw new Error(`could not load ${name}: ${cause.message}`, { cause });
  }
}

module.exports = load();
