// Builds the native half and copies it to this folder's parent, beside lib/.
import { spawnSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
const cargo = spawnSync(
  'cargo',
  ['build', '--release', '--locked', '--lib', '--message-format=json-render-diagnostics'],
  { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'inherit'] },
);
if (cargo.error) throw cargo.error;
if (cargo.status !== 0) process.exit(cargo.status ?? 1);
const built = cargo.stdout
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .find((message) => message.reason === 'compiler-artifact' && message.target.name === 'fullduplex_node');
const library = built.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));
const addon = `${folder}/fullduplex.node`;
// Removed first, because running processes have the old file mapped.
rmSync(addon, { force: true });
copyFileSync(library, addon);
