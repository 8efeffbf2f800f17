// A worker that leaves or dies, and the whole server: what clients are told, and what they find when
// they come back.
import assert from 'node:assert/strict';
import { check, until } from '../checks.mjs';
import { encodings } from '../encoding.mjs';
import { Sdk, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { tokenOf } from '../token.mjs';
import { Wire } from '../wire.mjs';

const numbers = (count) => Array.from({ length: count }, (_, i) => i + 1);

// Publishes until the server says yes; the key keeps it from being there twice.
async function publishThrough(spate, channel, n) {
  await until(`publication ${n} is taken`, async () => {
    try {
      return await spate.publish(channel, n, { idempotency_key: `${n}` });
    } catch {
      return false; // nobody there, or cut off
    }
  });
}

for (const [signal, what] of [
  ['SIGTERM', 'leaves'],
  ['SIGKILL', 'is killed'],
])
  withSdk(`recovers everything when the worker ${what}`, async (scope, sdk) => {
    const spate = await Spate.start();
    const channel = scope.channel('kept');
    const clients = numbers(6).map(() => new Sdk(scope, spate, sdk));
    const subscriptions = [];
    for (const client of clients) {
      await client.connected();
      subscriptions.push(await client.subscribed(channel));
    }
    const total = 60;
    const workers = spate.workers();
    for (const n of numbers(total)) {
      if (n === total / 2) workers.forEach((worker) => process.kill(worker, signal));
      await publishThrough(spate, channel, n);
    }
    await until(
      'others in their place',
      () =>
        spate.workers().length === workers.length &&
        spate.workers().every((worker) => !workers.includes(worker)),
    );
    for (const [i, client] of clients.entries()) {
      await client.journal.take('connected', 2, ({ event }) => event === 'connected');
      const left = client.journal.all(({ event }) => event === 'connecting')[1];
      if (signal === 'SIGTERM') assert.equal(left.code, 3001);
      const publications = await subscriptions[i].takePublications(total);
      assert.deepEqual(
        publications.map(({ data }) => data),
        numbers(total),
      );
      assert.deepEqual(
        publications.map(({ offset }) => offset),
        numbers(total),
      );
      const again = await subscriptions[i].journal.take(
        'subscribed',
        2,
        ({ event }) => event === 'subscribed',
      );
      assert.deepEqual([again[1].wasRecovering, again[1].recovered], [true, true]);
    }
  });

withSdk('is there once after a worker was killed', async (scope, sdk) => {
  const spate = await Spate.start();
  const channel = scope.channel('room');
  const clients = [0, 1].map(() => new Sdk(scope, spate, sdk));
  const gone = new Sdk(scope, spate, sdk);
  for (const client of [...clients, gone]) {
    await client.connected();
    await client.subscribed(channel);
  }
  gone.client.on('connecting', () => gone.close());
  spate.workers().forEach((worker) => process.kill(worker, 'SIGKILL'));
  const ids = [];
  for (const { journal } of clients) {
    const connected = await journal.take('connected', 2, ({ event }) => event === 'connected');
    ids.push(connected[1].client);
  }
  ids.sort();
  const there = async () => Object.keys((await spate.api('presence', { channel })).presence).sort();
  await until('they are there, and nobody else', async () => `${await there()}` === `${ids}`);
});

withSdk('says who did not come back after all processes were killed', async (scope, sdk) => {
  const channel = 'kept:events';
  const spate = await Spate.start({ 'presence-events': channel, 'presence-grace-ms': 2000 });
  const users = { back: scope.user(), gone: scope.user() };
  const [back, gone] = Object.values(users).map(
    (user) => new Sdk(scope, spate, sdk, { token: tokenOf(user) }),
  );
  await back.connected();
  await gone.connected();
  gone.client.on('connecting', () => gone.close());
  const killed = [...spate.workers(), spate.broker()].filter((pid) => pid !== undefined);
  killed.forEach((pid) => process.kill(pid, 'SIGKILL'));
  const eventsOf = async (user) => {
    const { publications } = await spate.api('history', { channel, limit: -1 });
    return publications.filter(({ data }) => data.user === user).map(({ data }) => data.event);
  };
  await until('one is offline', async () => {
    const events = await eventsOf(users.gone).catch(() => []); // a process that was killed
    return events.includes('offline');
  });
  await back.journal.take('connected', 2, ({ event }) => event === 'connected');
  assert.deepEqual(await eventsOf(users.gone), ['online', 'offline']);
  assert.deepEqual(await eventsOf(users.back), ['online']);
  const status = (await spate.api('users', { users: Object.values(users) })).users;
  assert.deepEqual([status[users.gone].online, status[users.gone].connections], [false, 0]);
  assert.deepEqual([status[users.back].online, status[users.back].connections], [true, 1]);
});

for (const encoding of encodings)
  check(`tells everybody 3001, spread over the drain (ws, ${encoding.name})`, async (scope) => {
    const drainMs = 2000;
    const spate = await Spate.start({ 'drain-seconds': drainMs / 1000 });
    const wires = await Promise.all(numbers(40).map(() => Wire.open(scope, spate, encoding)));
    for (const wire of wires) await wire.connect();
    const closedAt = wires.map(async (wire) => {
      assert.equal((await wire.end(3001)).reason, 'shutdown');
      return performance.now();
    });
    const began = performance.now();
    spate.leave();
    const times = (await Promise.all(closedAt)).map((time) => time - began).sort((a, b) => a - b);
    const spread = times.at(-1) - times[0];
    assert.ok(spread > drainMs / 3, `all within ${spread} ms`);
    const most = Math.max(
      ...times.map((time) => times.filter((t) => t >= time && t < time + 200).length),
    );
    assert.ok(most <= 20, `${most} of 40 within 200 ms`);
    await spate.stop();
  });

withSdk('finds a new server, and hears that it is another', async (scope, sdk) => {
  const spate = await Spate.start();
  const channel = scope.channel('kept');
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const subscription = await client.subscribed(channel);
  await spate.publish(channel, 1);
  await subscription.takeValues(1);
  const here = subscription.here();
  const { streamPosition } = await subscription.event('subscribed');
  const hereClient = client.here();
  spate.leave();
  assert.equal((await client.event('connecting', hereClient)).code, 3001);
  const next = await spate.again();
  const again = await subscription.event('subscribed', here);
  assert.deepEqual([again.wasRecovering, again.recovered], [true, false]);
  assert.notEqual(again.streamPosition.epoch, streamPosition.epoch);
  await next.publish(channel, 'new');
  assert.deepEqual(await subscription.takeValues(2), [1, 'new']);
  await next.stop();
});
