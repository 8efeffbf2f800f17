// Publications on their way: every encoding to every other, payloads byte for byte, who may publish
// what, and readers that are too slow.
import assert from 'node:assert/strict';
import { check } from '../checks.mjs';
import { Json, Protobuf, encodings } from '../encoding.mjs';
import { Sdk, olderSdks, sdks, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const queueBytes = 256 * 1024;
const [spate, narrow] = await Promise.all([
  Spate.start(),
  Spate.start({ 'outbox-bytes': queueBytes }),
]);

const values = [
  { text: 'Grüße, 日本 🦀 \u2028', n: 1.5, deep: [{ a: null }] },
  'text',
  0,
  false,
  [],
  {},
];

for (const [from, to] of [
  ...pairs(sdks, sdks),
  ...pairs(olderSdks, sdks),
  ...pairs(sdks, olderSdks),
])
  check(`takes publications from ${from.name} to ${to.name} (SDK)`, async (scope) => {
    const [channel, user] = [scope.channel(), scope.user()];
    const publisher = new Sdk(scope, spate, from, {
      token: tokenOf(user, { info: { name: 'Al' } }),
    });
    const subscriber = new Sdk(scope, spate, to);
    const { client } = await publisher.connected();
    await subscriber.connected();
    const own = await publisher.subscribed(channel);
    const others = await subscriber.subscribed(channel);
    for (const value of values) await publisher.publish(channel, value);
    for (const [subscription, sdk] of [
      [own, from],
      [others, to],
    ]) {
      const publications = await subscription.takePublications(values.length);
      assert.deepEqual(
        publications.map(({ data }) => data),
        values,
      );
      for (const { info, offset } of publications) {
        assert.deepEqual([info.user, info.client, offset ?? 0], [user, client, 0]);
        assert.deepEqual(sdk.ofData(info.connInfo), { name: 'Al' });
      }
    }
  });

function pairs(some, others) {
  return some.flatMap((a) => others.map((b) => [a, b]));
}

check('keeps a payload byte for byte on its way to Protobuf', async (scope) => {
  const channel = scope.channel();
  const payload = String.raw`{"b" :1.50,"a":[ 1e3,"\u0041\/" ],"b":-0}`;
  const json = await Wire.open(scope, spate, Json);
  const protobuf = await Wire.open(scope, spate, Protobuf);
  await json.connect();
  await protobuf.connect();
  await json.must('subscribe', { channel });
  await protobuf.must('subscribe', { channel });
  json.sendRaw(`{"publish":{"channel":"${channel}","data": ${payload} },"id":77}`);
  await json.reply(77);
  await json.push('pub', channel);
  await protobuf.push('pub', channel);
  for (const wire of [json, protobuf]) {
    const frames = Buffer.concat(wire.frames);
    assert.ok(frames.includes(payload), frames.toString('latin1'));
  }
  await protobuf.must('publish', { channel, data: Buffer.from(payload) });
  await json.takePublications(channel, 2);
  assert.ok(
    json.frames.some(
      (frame) => frame.includes(`"data":${payload}`) && frame.includes(protobufClient()),
    ),
  );
  function protobufClient() {
    return protobuf.journal.entries[0].connect.client;
  }
});

check('puts a payload on one line for JSON', async (scope) => {
  const channel = scope.channel('kept');
  const pretty = JSON.stringify({ a: [1, { b: 'line\nbreak' }], c: {} }, null, 2);
  const wire = await Wire.open(scope, spate);
  const sdk = new Sdk(scope, spate, sdks[1]);
  await wire.connect();
  await wire.must('subscribe', { channel });
  await sdk.connected();
  const subscription = await sdk.subscribed(channel);
  const { status } = await spate.call('publish', `{"channel":"${channel}",\n"data":${pretty}}\n`);
  assert.equal(status, 200);
  assert.deepEqual((await wire.push('pub', channel)).data, JSON.parse(pretty));
  assert.deepEqual(await subscription.takeValues(1), [JSON.parse(pretty)]);
  const { publications } = await wire.must('history', { channel, limit: 1 });
  assert.deepEqual(publications[0].data, JSON.parse(pretty));
});

check('gives a binary payload to Protobuf, and closes JSON with 3506', async (scope) => {
  const channel = scope.channel('bytes');
  const payload = Buffer.from('00ff0a7b22fe', 'hex');
  const json = await Wire.open(scope, spate, Json);
  const protobuf = await Wire.open(scope, spate, Protobuf);
  for (const wire of [json, protobuf]) {
    await wire.connect();
    await wire.must('subscribe', { channel });
  }
  await spate.api('publish', { channel, b64data: payload.toString('base64') });
  assert.deepEqual((await protobuf.push('pub', channel)).data, payload);
  await json.end(3506);
  assert.deepEqual(json.publications(channel), []);
});

onTheWire('refuses what may not be published', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const refusals = [
    ['nowhere:x', { a: 1 }, 102],
    [scope.channel('closed'), { a: 1 }, 103],
    [scope.channel('members'), { a: 1 }, 103],
    [scope.channel(), undefined, 107],
    [scope.channel('objects'), [1], 107],
    ['x'.repeat(256), { a: 1 }, 107],
  ];
  if (encoding === Protobuf) refusals.push([scope.channel('json'), Buffer.from('{"a":'), 107]);
  for (const [channel, data, code] of refusals)
    assert.equal(
      await wire.refused('publish', data === undefined ? { channel } : { channel, data }),
      code,
      channel,
    );
  const members = scope.channel('members');
  await wire.must('subscribe', { channel: members });
  await wire.must('publish', { channel: members, data: 1 });
  await wire.must('publish', { channel: scope.channel('objects'), data: { a: 1 } });
  wire.send({ id: 99, publish: { channel: '', data: 1 } });
  await wire.end(3501);
});

onTheWire('does what one message asks in its order', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const channel = scope.channel();
  wire.send(
    { id: 10, subscribe: { channel } },
    { id: 11, unsubscribe: { channel } },
    { id: 12, publish: { channel, data: 'nobody hears it' } },
    { id: 13, subscribe: { channel } },
    { id: 4294967295, publish: { channel, data: 'heard' } },
  );
  assert.ok((await wire.reply(4294967295)).publish);
  assert.equal((await wire.push('pub', channel)).data, 'heard');
  const replies = wire.journal.all(({ id, error }) => id && !error).map(({ id }) => id);
  assert.deepEqual(replies, [1, 10, 11, 12, 13, 4294967295]);
});

onTheWire('takes many commands in one message', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const channel = scope.channel();
  await wire.must('subscribe', { channel });
  const publishes = Array.from({ length: 700 }, (_, n) => ({
    id: n + 10,
    publish: { channel, data: n },
  }));
  wire.send(...publishes);
  const received = await wire.takePublications(channel, publishes.length);
  assert.ok(received.every(({ data }, n) => data === n));
  await wire.reply(publishes.at(-1).id);
  assert.equal(wire.journal.all(({ publish }) => publish).length, publishes.length);
});

withSdk('gets what is much larger than it could send', async (scope, sdk) => {
  const channel = scope.channel('kept');
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const subscription = await client.subscribed(channel);
  const large = 'ü'.repeat(400_000);
  await spate.publish(channel, 'small');
  await spate.publish(channel, large);
  await spate.publish(channel, 'small again');
  assert.deepEqual(await subscription.takeValues(3), ['small', large, 'small again']);
});

for (const [slow, sound] of pairs(sdks, [sdks[0]]))
  check(
    `closes a slow reader with 3008, spares the others, and lets it recover (SDK, ${slow.name})`,
    async (scope) => {
      const [flood, news] = [scope.channel(), scope.channel('kept')];
      const [reader, other] = [new Sdk(scope, narrow, slow), new Sdk(scope, narrow, sound)];
      for (const client of [reader, other]) await client.connected();
      const kept = await reader.subscribed(news);
      await reader.subscribed(flood);
      const [othersNews, othersFlood] = [
        await other.subscribed(news),
        await other.subscribed(flood),
      ];
      const here = reader.here();

      reader.socket._socket.pause();
      const text = 'x'.repeat(30_000);
      let count = 0;
      const told = [];
      // What the kernel takes comes first, some megabytes.
      const connections = async () =>
        (await narrow.api('channels', { pattern: flood })).channels[flood].num_clients;
      for (; count < 2000 && (await connections()) === 2; ++count) {
        await narrow.publish(flood, { count, text });
        if (count % 20 === 0) told.push((await narrow.publish(news, told.length), told.length));
      }
      assert.ok(count < 2000, 'nobody was closed');
      for (let i = 0; i < 3; ++i) told.push((await narrow.publish(news, told.length), told.length));
      reader.socket._socket.resume();

      assert.equal((await reader.event('connecting', here)).code, 3008);
      assert.deepEqual(await kept.takeValues(told.length), told);
      const back = kept.journal.all(({ event }) => event === 'subscribed').at(-1);
      assert.deepEqual([back.wasRecovering, back.recovered], [true, true]);
      assert.deepEqual(await othersNews.takeValues(told.length), told);
      const seen = await othersFlood.takeValues(count);
      assert.ok(seen.every((value, i) => value.count === i));
      assert.equal(other.dials, 1);
    },
  );

for (const encoding of encodings)
  check(
    `does not give a publication to its publisher where that is asked for (ws, ${encoding.name})`,
    async (scope) => {
      const publisher = await Wire.open(scope, spate, encoding);
      const other = await Wire.open(scope, spate, encoding);
      await publisher.connect();
      await other.connect();
      for (const channel of [scope.channel('quiet'), scope.channel('quietkept')]) {
        await publisher.must('subscribe', { channel });
        await other.must('subscribe', { channel });
        await publisher.must('publish', { channel, data: 1 });
        await other.must('publish', { channel, data: 2 });
        await spate.publish(channel, 3);
        const received = await publisher.takePublications(channel, 2);
        assert.deepEqual(
          received.map(({ data }) => data),
          [2, 3],
        );
        assert.deepEqual(
          (await other.takePublications(channel, 2)).map(({ data }) => data),
          [1, 3],
        );
      }
    },
  );
