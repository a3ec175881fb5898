// Runs before `npm pack`: rejects a package without its native half, and copies the licences from the repository.
import { copyFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
if (!existsSync(`${folder}/fullduplex.node`)) {
  console.error('could not pack: the native half is not built. Run `npm run build` first.');
  process.exit(1);
}
for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) copyFileSync(`${folder}/../../${name}`, `${folder}/${name}`);
