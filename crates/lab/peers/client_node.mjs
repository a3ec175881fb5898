// Shared code of the Node.js clients: the command line (URL [--ca FILE] [--no-deflate] [--http2]) and the exit code.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { tryAll } from './trials.mjs';

const SECONDS = 60;
const { values, positionals } = parseArgs({
  options: {
    ca: { type: 'string' },
    'no-deflate': { type: 'boolean', default: false },
    http2: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

export const ca = values.ca && readFileSync(values.ca);

export const { http2 } = values;

export const nameOf = (library) => {
  const manifest = new URL(`node_modules/${library}/package.json`, import.meta.url);
  return `npm ${library} ${JSON.parse(readFileSync(manifest)).version}`;
};

export async function main(client) {
  const deflate = !values['no-deflate'];
  const passed = await tryAll(client, positionals[0], deflate, SECONDS, console.log);
  process.exit(passed ? 0 : 1);
}
