// Tries the npm package centrifuge, and ws with hand-written messages, on the real server.
//
//   node tests/clients/centrifuge/run.mjs --spate FILE TOPIC [--workers N] [--only REGEX]
//
// TOPIC is a file of topics/. Servers have N workers (1) where a check does not need another number.
// Prints `ok CHECK` or `not ok CHECK: why`, and ends with 0 when all passed. Without the npm packages
// it fails, or, with SETUP=0, is skipped with status 77.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    spate: { type: 'string' },
    only: { type: 'string' },
    workers: { type: 'string', default: '1' },
  },
});
if (!values.spate || positionals.length !== 1) {
  console.error('usage: node run.mjs --spate FILE TOPIC [--workers N] [--only REGEX]');
  process.exit(2);
}

for (const name of ['centrifuge', 'centrifuge4', 'ws']) {
  if (existsSync(new URL(`../node_modules/${name}`, import.meta.url))) continue;
  const skipped = process.env.SETUP === '0';
  console.log(`${name} is missing: tools/setup clients${skipped ? ' (set-up is turned off)' : ''}`);
  process.exit(skipped ? 77 : 1);
}

const { runChecks } = await import('./checks.mjs');
const { Spate } = await import('./spate.mjs');
Spate.binary = values.spate;
Spate.workers = Number(values.workers);
let passed = false;
try {
  await import(`./topics/${positionals[0]}.mjs`);
  passed = await runChecks(values.only);
  if (!passed) console.log(Spate.logs());
} finally {
  await Spate.stopAll();
}
process.exit(passed ? 0 : 1); // also when a failed check left a connection open
