// Kills workers again and again under load, and the broker's process where there is one, or stops
// them for a while, and demands that nothing is lost, doubled or reordered: clients recover what
// they missed, publishers repeat what was not acknowledged under its idempotency key. In the end who
// is present is who is connected, and, with several workers, joins less leaves: of all channels those
// told and those counted as not told, and of each channel those that reached a client whose worker
// was stopped but never killed.
//
//   node tests/clients/centrifuge/kill_checker.mjs --spate FILE [--seconds 20] [--seed N]
//       [--workers 1] [--blows kill,stop] [--subscribers 8] [--channels 4] [--of 0] [--log FILE]
//
// Each subscriber has all channels, or --of of them. Without --blows they are kills.
//   node tests/clients/centrifuge/kill_checker.mjs --self-test      tries the judge alone
//
// Ends with 0 when delivery_judge.mjs finds no fault, and does find each that is then put into a
// copy of the log.
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { judge, soundLog, tryJudge } from './delivery_judge.mjs';

const { values } = parseArgs({
  options: {
    spate: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    subscribers: { type: 'string', default: '8' },
    channels: { type: 'string', default: '4' },
    of: { type: 'string', default: '0' },
    workers: { type: 'string', default: '1' },
    blows: { type: 'string', default: 'kill' },
    pause: { type: 'string', default: '8' },
    log: { type: 'string' },
    'self-test': { type: 'boolean', default: false },
  },
});
if (values['self-test']) process.exit(tryJudge(soundLog()) ? 0 : 1);
for (const name of ['centrifuge', 'ws']) {
  if (existsSync(new URL(`../node_modules/${name}`, import.meta.url))) continue;
  console.log(`${name} is missing: tools/setup clients`);
  process.exit(process.env.SETUP === '0' ? 77 : 1);
}

const { Scope, until } = await import('./checks.mjs');
const { ComingWatch } = await import('./coming_watch.mjs');
const { Sdk, sdks } = await import('./sdk.mjs');
const { Spate } = await import('./spate.mjs');
Spate.binary = values.spate;

const publishersOfChannel = 2;
const pauseMs = Number(values.pause); // of a publisher, behind each acknowledgement
const blows = values.blows.split(',');
const [seconds, subscriberCount, channelCount] = [
  values.seconds,
  values.subscribers,
  values.channels,
].map(Number);

// A small generator, so that a run's kills come again with its seed (Numerical Recipes' constants).
let state = Number(values.seed) >>> 0;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;

const log = { acknowledged: [], received: [], subscribed: [] };
const names = Array.from({ length: channelCount }, (_, i) => `chaos:${i}`);
const ofEach = Number(values.of) || channelCount;
const scope = new Scope();
const spate = await Spate.start({
  workers: Number(values.workers),
  'history-max-publications': 20000,
  'outbox-bytes': 64 << 20,
});

const watch = Number(values.workers) > 1 && (await ComingWatch.start(scope, spate, names));

let returns = 0; // subscriptions that came back and recovered something
async function subscribe(subscriber) {
  const client = new Sdk(scope, spate, sdks[subscriber % sdks.length], { maxReconnectDelay: 200 });
  await client.connected();
  for (let at = 0; at < ofEach; ++at) {
    const channel = names[(subscriber * ofEach + at) % channelCount];
    const publications = [];
    const subscription = client.client.newSubscription(channel);
    const name = `subscriber ${subscriber}`;
    log.received.push({ subscriber: name, channel, publications });
    subscription.on('publication', ({ data, offset }) => {
      const { publisher, number } = client.sdk.ofData(data);
      publications.push({ publisher, number, offset: Number(offset) });
    });
    subscription.on(
      'subscribed',
      ({ streamPosition, wasRecovering, recovered, hasRecoveredPublications }) => {
        const { epoch } = streamPosition;
        log.subscribed.push({ subscriber: name, channel, epoch, wasRecovering, recovered });
        if (hasRecoveredPublications) returns += 1;
      },
    );
    subscription.subscribe();
    await subscription.ready(10_000);
  }
  return client;
}
const clients = await Promise.all(Array.from({ length: subscriberCount }, (_, i) => subscribe(i)));
const subscribersOf = (channel) => log.received.filter((each) => each.channel === channel).length;

let over = false;
let repeats = 0;
async function publish(channel, publisher) {
  for (let number = 1; !over; ++number) {
    const request = { idempotency_key: `${publisher} ${number}` };
    for (let result; !result;) {
      try {
        result = await spate.api('publish', { channel, data: { publisher, number }, ...request });
        log.acknowledged.push({ channel, publisher, number, ...result });
      } catch {
        repeats += 1; // whether it was done is unknown
        await sleep(20);
      }
    }
    await sleep(pauseMs);
  }
}
const publishers = names.flatMap((channel) =>
  Array.from({ length: publishersOfChannel }, (_, i) => publish(channel, `publisher ${i}`)),
);

// Sometimes all are back when the next blow comes, sometimes only a few are. A stop lasts up to three
// seconds: shorter than what the master takes for a process that stands still.
const counts = { kill: 0, stop: 0, broker: 0 };
const begin = performance.now();
const end = begin + seconds * 1000;
const progress = setInterval(() => {
  const passed = Math.round((performance.now() - begin) / 1000);
  console.log(`  ${passed} s: ${counts.kill + counts.stop} blows, ${log.acknowledged.length} publications acknowledged`);
}, 30_000);
while (performance.now() < end) {
  const connected = () => clients.filter(({ client }) => client.state === 'connected').length;
  const wanted = random() < 0.3 ? 1 : clients.length;
  await until('clients come back', () => connected() >= wanted, { within: 60_000 });
  await sleep(random() * 1500);
  const workers = spate.workers();
  const targets = spate.broker() === undefined ? workers : [...workers, spate.broker()];
  const blow = blows[Math.floor(random() * blows.length)];
  const struck = targets.filter((pid) => blow === 'stop' || pid !== watch.worker);
  const target = struck[Math.floor(random() * struck.length)];
  if (target === undefined) continue;
  if (!workers.includes(target)) counts.broker += 1;
  counts[blow] += 1;
  if (blow === 'stop') {
    process.kill(target, 'SIGSTOP');
    await sleep(random() * 3000);
    process.kill(target, 'SIGCONT');
    continue;
  }
  process.kill(target, 'SIGKILL');
  const all = () => [...spate.workers(), ...(spate.settings.workers > 1 ? [spate.broker()] : [])];
  await until('another comes', () => all().length === targets.length && !all().includes(target), {
    within: 30_000,
  });
}
over = true;
clearInterval(progress);
await Promise.all(publishers);

// Until everything has come, or nothing comes any more.
const received = () => log.received.reduce((sum, { publications }) => sum + publications.length, 0);
const due = log.acknowledged.reduce((sum, { channel }) => sum + subscribersOf(channel), 0);
for (let before = -1; received() < due && received() > before;) {
  before = received();
  await until('more comes', () => received() > before, { within: 8000 }).catch(() => {});
}

// Who is present is who is connected, once everybody is back.
const faults = judge(log);
const ids = (channel) =>
  clients
    .filter((_, i) => log.received.some((each) => each.channel === channel && each.subscriber === `subscriber ${i}`))
    .map((client) => client.id())
    .concat(watch ? [watch.id()] : [])
    .sort();
for (const channel of names) {
  let there = [];
  const same = async () => {
    // The connection that is kept for calls may have been to a worker that was killed.
    const answer = await spate.call('presence', { channel }).catch(() => undefined);
    const presence = answer?.json?.result?.presence;
    there = presence ? Object.keys(presence).sort() : [];
    return `${there}` === `${ids(channel)}`;
  };
  await until('presence', same, { within: 20_000 }).catch(() => {
    faults.push(`${channel}: ${there.length} are present, ${ids(channel).length} are connected`);
  });
}

// Of many workers: who joined and has not left, whether or not it could be told, is there.
const comings = { joins: 0, leaves: 0, untold: 0, present: 0 };
if (spate.settings.workers > 1) {
  const balanced = async () => {
    const count = (name, outcome) => spate.metric(`spate_broker_${name}_total`, outcome && { outcome });
    comings.joins = await count('joins');
    comings.leaves = await count('leaves');
    const told = (await count('joins', 'told')) + (await count('leaves', 'told'));
    comings.untold = comings.joins + comings.leaves - told;
    comings.present = log.received.length + names.length;
    return comings.joins - comings.leaves === comings.present;
  };
  await until('joins less leaves', balanced, { within: 10_000 }).catch(() => {
    faults.push(`${comings.joins} joins less ${comings.leaves} leaves are not ${comings.present}`);
  });
  const heard = () => watch.errors(ids).length <= comings.untold;
  await until('joins and leaves of each channel', heard, { within: 10_000 }).catch(() => {
    faults.push(...watch.errors(ids));
  });
  // It does see who is missing.
  const withoutOne = (channel) => ids(channel).slice(1);
  if (watch.errors(withoutOne).length <= comings.untold && comings.untold < names.length)
    faults.push('joins and leaves are said to fit whoever is there');
  if (watch.interrupted()) faults.push('the connection of who watches joins and leaves broke');
}
if (values.log) writeFileSync(values.log, JSON.stringify(log));
console.log(
  `seed ${values.seed}: ${counts.kill} kills, ${counts.stop} stops, ${counts.broker} of them of the broker, ${log.acknowledged.length} publications acknowledged, ${repeats} attempts ` +
    `repeated, ${received()} of ${due} received, ${returns} recoveries of something missed` +
    (comings.joins > 0
      ? `; ${comings.joins} joins less ${comings.leaves} leaves are ${comings.present} present, ${comings.untold} of them not told; ${watch.heard} joins and leaves heard, ${watch.errors(ids).length} of them wrong`
      : ''),
);
for (const fault of faults.slice(0, 20)) console.log(`not ok ${fault}`);
if (faults.length > 20) console.log(`not ok and ${faults.length - 20} more`);
const tried = counts.kill + counts.stop >= Math.min(3, seconds / 6) && returns > 0 && repeats > 0;
if (!tried)
  console.log(
    'not ok nothing was tried: too few blows, or nobody had to recover or repeat anything',
  );
// Copies of a long run's log take long; a short one says as much about the judge.
const sees = () =>
  due > 1_000_000 || tryJudge(log, (line) => line.startsWith('not') && console.log(line));
const seen = faults.length > 0 || sees();
const logs = Spate.logs();
await scope.end();
await Spate.stopAll();
const good = faults.length === 0 && tried && seen;
if (good) console.log('ok every acknowledged publication was received once and in order');
else console.log(logs);
process.exit(good ? 0 : 1);
