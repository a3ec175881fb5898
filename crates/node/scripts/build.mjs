// Builds the native half and puts it beside lib/.
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
const messages = execFileSync(
  'cargo',
  ['build', '--release', '--locked', '--lib', '--message-format=json-render-diagnostics', ...process.argv.slice(2)],
  { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'inherit'] },
);
const built = messages
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .find((message) => message.reason === 'compiler-artifact' && message.target.name === 'fullduplex_node');
const library = built.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));
const addon = `${folder}/fullduplex.node`;
// A process that has loaded the old file keeps it.
rmSync(addon, { force: true });
copyFileSync(library, addon);
