// Bundles the program by the three recipes of the README, and runs each bundle. A binary cannot be bundled: esbuild and
// Rollup leave the package out, and webpack too.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import esbuild from 'esbuild';
import { rollup } from 'rollup';
import webpack from 'webpack';

const entry = fileURLToPath(new URL('program.mjs', import.meta.url));
const output = fileURLToPath(new URL('out/', import.meta.url));

const bundlers = {
  esbuild: (outfile) =>
    esbuild.build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', external: ['fullduplex', 'ws'] }),
  rollup: async (file) => {
    const bundle = await rollup({ input: entry, external: ['fullduplex', 'ws'], plugins: [resolve({ preferBuiltins: true }), commonjs()] });
    await bundle.write({ file, format: 'es' });
  },
  webpack: (file) =>
    new Promise((done, failed) => {
      webpack({
        mode: 'production',
        target: 'node20',
        entry,
        experiments: { outputModule: true },
        externalsType: 'module',
        externals: ['fullduplex', 'ws'],
        output: { path: output, filename: file.slice(output.length), module: true, library: { type: 'module' } },
      }, (error, stats) => (error || stats.hasErrors() ? failed(error ?? new Error(stats.toString())) : done()));
    }),
};

for (const [name, bundle] of Object.entries(bundlers)) {
  const file = `${output}${name}.mjs`;
  await bundle(file);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  if (status !== 0 || stdout !== 'ok\n') throw new Error(`the bundle of ${name} failed: ${stdout}${stderr}`);
  console.log(`${name}: ok`);
}
