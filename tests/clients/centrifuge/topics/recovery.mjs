// What is missed comes after all, once and in order, or the client is told that it cannot.
import assert from 'node:assert/strict';
import { check, pass, until } from '../checks.mjs';
import { encodings } from '../encoding.mjs';
import { Sdk, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const [spate, limited] = await Promise.all([
  Spate.start({ 'history-max-publications': 5000, 'outbox-bytes': 64 << 20 }),
  Spate.start({ 'history-max-publications': 20, 'outbox-bytes': 256 << 10 }),
]);

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
async function publishNumbers(server, channel, from, to) {
  for (const n of numbers(from, to)) await server.publish(channel, n);
}

withSdk(
  'recovers what was missed, once and in order',
  async (scope, sdk) => {
    const channel = scope.channel('kept');
    const client = new Sdk(scope, spate, sdk);
    await client.connected();
    await publishNumbers(spate, channel, 1, 3);
    const subscription = await client.subscribed(channel);
    const first = await subscription.event('subscribed');
    assert.deepEqual(
      [first.wasRecovering, first.recovered, first.recoverable],
      [false, false, true],
    );
    assert.equal(first.streamPosition.offset, 3);
    await publishNumbers(spate, channel, 4, 5);
    assert.deepEqual(await subscription.takeValues(2), [4, 5]);

    const here = subscription.here();
    client.client.disconnect();
    await publishNumbers(spate, channel, 6, 15);
    client.client.connect();
    const again = await subscription.event('subscribed', here);
    assert.deepEqual([again.wasRecovering, again.recovered], [true, true]);
    await publishNumbers(spate, channel, 16, 17);
    const publications = await subscription.takePublications(14);
    assert.deepEqual(
      publications.map(({ data }) => data),
      numbers(4, 17),
    );
    assert.deepEqual(
      publications.map(({ offset }) => offset),
      numbers(4, 17),
    );
    assert.equal(subscription.publications().length, 14);
  },
  { older: true },
);

withSdk('says so when more was missed than history holds', async (scope, sdk) => {
  const channel = scope.channel('short');
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const subscription = await client.subscribed(channel);
  await spate.publish(channel, 1);
  await subscription.takeValues(1);
  const here = subscription.here();
  client.client.disconnect();
  await publishNumbers(spate, channel, 2, 7);
  client.client.connect();
  const again = await subscription.event('subscribed', here);
  assert.deepEqual([again.wasRecovering, again.recovered], [true, false]);
  assert.equal(again.streamPosition.offset, 7);
  await spate.publish(channel, 8);
  assert.deepEqual(await subscription.takeValues(2), [1, 8]);
});

onTheWire('follows the rules for offsets and epochs', async (scope, encoding) => {
  const channel = scope.channel('kept');
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const subscribe = async (request) => {
    const result = await wire.must('subscribe', { channel, flag: 1, ...request });
    await wire.must('unsubscribe', { channel });
    return result;
  };
  const fresh = await subscribe({});
  const { epoch } = fresh;
  assert.match(epoch, /^[\w-]{2,}$/);
  assert.deepEqual(fresh, { recoverable: true, positioned: true, epoch });

  const flags = { recoverable: true, positioned: true, epoch };
  const recovered = { ...flags, was_recovering: true, recovered: true };
  assert.deepEqual(await subscribe({ recover: true, epoch }), recovered);
  await publishNumbers(spate, channel, 1, 4);
  const of = (from) => numbers(from, 4).map((n) => ({ data: n, offset: n }));
  const cases = [
    [
      { recover: true, epoch },
      { ...recovered, publications: of(1) },
    ],
    [
      { recover: true, epoch, offset: 2 },
      { ...recovered, offset: 2, publications: of(3) },
    ],
    [
      { recover: true, offset: 2 },
      { ...recovered, offset: 2, publications: of(3) },
    ],
    [
      { recover: true, epoch, offset: 4 },
      { ...recovered, offset: 4 },
    ],
    [
      { offset: 2, epoch },
      { ...flags, offset: 4 },
    ],
    [
      { recover: true, epoch, offset: 5 },
      { ...flags, offset: 4, was_recovering: true },
    ],
    [
      { recover: true, epoch: 'AnotherX', offset: 2 },
      { ...flags, offset: 4, was_recovering: true },
    ],
    [
      { recover: true, epoch: '_' },
      { ...flags, offset: 4, was_recovering: true },
    ],
    [
      { recover: true, epoch: '', offset: 4 },
      { ...recovered, offset: 4 },
    ],
  ];
  for (const [request, result] of cases) {
    const answered = await subscribe(request);
    for (const publication of answered.publications ?? []) delete publication.epoch; // with the first it may come
    assert.deepEqual(answered, result, JSON.stringify(request));
  }
  const rejecting = { channel, recover: true, epoch: 'AnotherX', flag: 3 };
  assert.equal(await wire.refused('subscribe', rejecting), 112);
  assert.equal(
    await wire.refused('history', { channel, since: { offset: 1, epoch: 'AnotherX' } }),
    112,
  );
});

onTheWire('puts the epoch into the first publication of a stream', async (scope, encoding) => {
  const channel = scope.channel('kept');
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const { epoch } = await wire.must('subscribe', { channel });
  await publishNumbers(spate, channel, 1, 2);
  const publications = await wire.takePublications(channel, 2);
  assert.deepEqual(publications, [
    { data: 1, offset: 1, epoch },
    { data: 2, offset: 2 },
  ]);
});

onTheWire('recovers as much as the limit, and no more', async (scope, encoding) => {
  const channel = scope.channel('kept');
  const wire = await Wire.open(scope, limited, encoding);
  await wire.connect();
  const { epoch } = await wire.must('subscribe', { channel });
  await wire.must('unsubscribe', { channel });
  await publishNumbers(limited, channel, 1, 21);
  const within = await wire.must('subscribe', { channel, recover: true, epoch, offset: 1 });
  assert.deepEqual([within.recovered, within.publications.length], [true, 20]);
  await wire.must('unsubscribe', { channel });
  const beyond = await wire.must('subscribe', { channel, recover: true, epoch });
  assert.deepEqual(
    [beyond.was_recovering, beyond.recovered, beyond.publications],
    [true, undefined, undefined],
  );
  assert.equal(beyond.offset, 21);
});

// Else who is slow would be closed, recover, be closed, and so on.
onTheWire(
  'does not recover more than half of what may wait for a client',
  async (scope, encoding) => {
    const channel = scope.channel('kept');
    const wire = await Wire.open(scope, limited, encoding);
    await wire.connect();
    const { epoch } = await limited.publish(channel, 0);
    for (let n = 0; n < 5; ++n) await limited.publish(channel, 'x'.repeat(30_000));
    const less = await wire.must('subscribe', { channel, recover: true, epoch, offset: 3 });
    assert.deepEqual([less.recovered, less.publications.length], [true, 3]);
    await wire.must('unsubscribe', { channel });
    const more = await wire.must('subscribe', { channel, recover: true, epoch, offset: 1 });
    assert.deepEqual([more.was_recovering, more.recovered, more.offset], [true, undefined, 6]);
  },
);

onTheWire('recovers where the client asks for it and may', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const ask = async (namespace, request = {}) => {
    const result = await wire.must('subscribe', { channel: scope.channel(namespace), ...request });
    return [result.positioned ?? false, result.recoverable ?? false];
  };
  assert.deepEqual(await ask('asked'), [false, false]);
  assert.deepEqual(await ask('asked', { positioned: true }), [true, false]);
  assert.deepEqual(await ask('asked', { recoverable: true }), [true, true]);
  assert.deepEqual(await ask('offered'), [true, false]);
  assert.deepEqual(await ask('offered', { recoverable: true }), [true, false]);
  assert.deepEqual(await ask('', { recoverable: true, positioned: true }), [false, false]);
});

for (const encoding of encodings)
  check(
    `gives a gap-free sequence to 1000 who recover while others publish (ws, ${encoding.name})`,
    async (scope) => {
      const channel = scope.channel('long');
      let published = 0;
      let stopped = false;
      const publishing = (async () => {
        while (!stopped) await spate.publish(channel, (published += 1));
      })();
      const follow = async () => {
        const wire = await Wire.open(scope, spate, encoding);
        await wire.connect();
        let position;
        for (let round = 0; round < 25; ++round) {
          const seen = wire.journal.entries.length;
          const since = position ? { recover: true, ...position } : {};
          const result = await wire.must('subscribe', { channel, ...since });
          let { offset = 0 } = result;
          if (position) assert.deepEqual([result.recovered, offset], [true, position.offset]);
          const live = () => wire.journal.entries.slice(seen).filter(({ push }) => push?.pub);
          await until('live publications', () => live().length >= 1 + (round % 3));
          await wire.must('unsubscribe', { channel });
          const all = [...(result.publications ?? []), ...live().map(({ push }) => push.pub)];
          for (const publication of all) {
            assert.equal(publication.offset, offset + 1);
            assert.equal(publication.data, publication.offset);
            offset = publication.offset;
          }
          position = { offset, epoch: result.epoch };
        }
      };
      try {
        await Promise.all(Array.from({ length: 40 }, follow));
      } finally {
        stopped = true;
        await publishing;
      }
    },
  );

withSdk(
  'gives a gap-free sequence over broken connections while others publish',
  async (scope, sdk) => {
    const channel = scope.channel('long');
    const clients = Array.from({ length: 10 }, () => new Sdk(scope, spate, sdk));
    const subscriptions = [];
    for (const client of clients) {
      await client.connected();
      subscriptions.push(await client.subscribed(channel));
    }
    const total = 1500;
    for (let n = 1; n <= total; ++n) {
      await spate.publish(channel, n);
      if (n % 15 === 0) clients[(n / 15) % clients.length].drop();
    }
    for (const subscription of subscriptions) {
      assert.deepEqual(await subscription.takeValues(total), numbers(1, total));
      assert.equal(subscription.publications().length, total);
      const returns = subscription.journal.all(({ event }) => event === 'subscribed').slice(1);
      assert.ok(returns.length > 0 && returns.every(({ recovered }) => recovered));
    }
  },
);

withSdk('recovers the newest alone in cache mode', async (scope, sdk) => {
  const channel = scope.channel('cache');
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const empty = client.subscription(channel, { since: {} });
  empty.inner.subscribe();
  const nothing = await empty.event('subscribed');
  assert.deepEqual([nothing.wasRecovering, nothing.recovered], [true, false]);

  await publishNumbers(spate, channel, 1, 3);
  const other = new Sdk(scope, spate, sdk);
  await other.connected();
  const subscription = other.subscription(channel, { since: {} });
  subscription.inner.subscribe();
  const subscribed = await subscription.event('subscribed');
  assert.deepEqual([subscribed.wasRecovering, subscribed.recovered], [true, true]);
  assert.deepEqual(await subscription.takeValues(1), [3]);

  const here = subscription.here();
  other.client.disconnect();
  await publishNumbers(spate, channel, 4, 6);
  other.client.connect();
  assert.equal((await subscription.event('subscribed', here)).recovered, true);
  await spate.publish(channel, 7);
  assert.deepEqual(await subscription.takeValues(3), [3, 6, 7]);
  other.drop(); // and nothing is missed
  await subscription.journal.take('subscribed', 3, ({ event }) => event === 'subscribed');
  await spate.publish(channel, 8);
  assert.deepEqual(await subscription.takeValues(4), [3, 6, 7, 8]);
});

withSdk('takes up a stream again that was forgotten under it', async (scope, sdk) => {
  const channel = scope.channel('brief');
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const subscription = await client.subscribed(channel);
  const { epoch } = await spate.publish(channel, 'old');
  await subscription.takeValues(1);
  const here = subscription.here();
  await until(
    'the stream is forgotten',
    async () => {
      await pass(3500); // more than history_meta_ttl
      return (await spate.publish(channel, 'unseen')).epoch !== epoch;
    },
    { within: 20_000 },
  );
  assert.equal((await subscription.event('subscribing', here)).code, 2500);
  const again = await subscription.event('subscribed', here);
  assert.deepEqual([again.wasRecovering, again.recovered], [true, false]);
  assert.notEqual(again.streamPosition.epoch, epoch);
  await spate.publish(channel, 'new');
  const seen = await subscription.takeValues(2);
  assert.deepEqual(seen, ['old', 'new']);
});
