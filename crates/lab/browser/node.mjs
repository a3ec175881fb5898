// Runs the rows in Node.js: `node node.mjs FOLDER URL`.
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const [, , folder, url] = process.argv;
const at = (name) => new URL(name, pathToFileURL(folder + '/'));
globalThis.testServer = url;
// Node.js 20 does not count messages that are sent after `close()`, and fires no `close` event for a connection
// that fails or is closed before it is open.
globalThis.leftOut = 'buffered_amount protocol_and_extensions close send';
globalThis.report = (text) => {
  console.log(text.replaceAll('\n', ' '));
  if (text !== 'done' && !/^(ok|left out) /.test(text)) process.exit(1);
};
const { default: init } = await import(at('rows.js'));
await init({ module_or_path: await readFile(at('rows_bg.wasm')) });
