// Measures the package against `ws`, `undici` and the WebSocket of Node.js: `npm run bench`, with `--seconds N`,
// `--rounds N` and the names of scenarios. All use the same server, which is written with fullduplex-net. The rounds are
// interleaved, and the median is reported.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '2' }, rounds: { type: 'string', default: '5' } },
});
const LIBRARIES = ['fullduplex', 'ws', 'ws, onmessage', 'undici', ...(globalThis.WebSocket === undefined ? [] : ['node'])];
const SCENARIOS = ['ping-pong', 'bursts', 'text 16 KiB', 'binary 1 MiB', 'receiving', 'sending'];
const scenarios = positionals.length > 0 ? positionals : SCENARIOS;

const folder = fileURLToPath(new URL('..', import.meta.url));
const cargo = ['--quiet', '--release', '--locked', '--package', 'fullduplex-lab', '--bin', 'node_server'];
if (spawnSync('cargo', ['build', ...cargo], { cwd: folder, stdio: 'inherit' }).status !== 0) process.exit(1);
const server = spawn('cargo', ['run', ...cargo], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
const { value: url } = await createInterface(server.stdout)[Symbol.asyncIterator]().next();

const results = new Map();
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const scenario of scenarios) {
    for (const library of LIBRARIES) {
      const client = fileURLToPath(new URL('client.mjs', import.meta.url));
      const output = execFileSync(process.execPath, [client, library, scenario, url, values.seconds]);
      const key = `${scenario}/${library}`;
      results.set(key, [...(results.get(key) ?? []), JSON.parse(output)]);
    }
  }
}
server.kill();

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const cell = (scenario, library) => {
  const all = results.get(`${scenario}/${library}`);
  const rate = median(all.map(({ rate }) => rate));
  const cpu = median(all.map(({ cpu }) => cpu));
  return `${Math.round(rate).toLocaleString('en')} (${cpu < 100 ? cpu.toFixed(2) : Math.round(cpu)} µs)`;
};
const require = createRequire(import.meta.url);
const manifests = { fullduplex: '../package.json', ws: 'ws/package.json', undici: 'undici/package.json' };
const title = (name) => (name in manifests ? `${name} ${require(manifests[name]).version}` : name);
console.log(`| messages a second (processor time of one) | ${LIBRARIES.map(title).join(' | ')} |`);
console.log(`|${'---|'.repeat(LIBRARIES.length + 1)}`);
for (const scenario of scenarios) {
  console.log(`| ${scenario} | ${LIBRARIES.map((library) => cell(scenario, library)).join(' | ')} |`);
}
console.log(`\nNode.js ${process.version}, ${values.rounds} rounds of ${values.seconds} s`);
