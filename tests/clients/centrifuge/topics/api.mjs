// The server API: every way to show the key, what it says when it refuses, and the methods that
// publish and tell.
import assert from 'node:assert/strict';
import { check, show } from '../checks.mjs';
import { encodings } from '../encoding.mjs';
import { Spate, apiKey } from '../spate.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const [spate, keyless, insecure] = await Promise.all([
  Spate.start(),
  Spate.start({ 'api-key': '' }),
  Spate.start({ 'api-key': '', 'api-insecure': true }),
]);

async function subscriber(scope, encoding, channel) {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  await wire.must('subscribe', { channel });
  return wire;
}

check('takes the key in three ways, and refuses without', async () => {
  const body = { channel: 'news', data: 1 };
  const ways = [
    { headers: { 'X-API-Key': apiKey } },
    { headers: { Authorization: `apikey ${apiKey}` } },
    { headers: {}, query: `?api_key=${apiKey}` },
  ];
  for (const way of ways)
    assert.equal((await spate.call('publish', body, way)).text, '{"result":{}}');
  const refused = [
    [spate, { headers: {} }],
    [spate, { headers: { 'X-API-Key': '' } }],
    [spate, { headers: { 'X-API-Key': `${apiKey}x` } }],
    [spate, { headers: { 'X-API-Key': apiKey.slice(1) } }],
    [spate, { headers: { Authorization: `Bearer ${apiKey}` } }],
    [keyless, { headers: { 'X-API-Key': '' } }],
    [keyless, { headers: {} }],
  ];
  for (const [server, way] of refused) {
    const { status, text } = await server.call('publish', body, way);
    assert.deepEqual([status, text], [401, '']);
  }
  assert.equal((await insecure.call('publish', body, { headers: {} })).status, 200);
});

check('answers 400 and 405 for what is no call, and is not there for the public', async () => {
  for (const body of ['', '{', '{"channel":"news","data":}', 'channel=news'])
    assert.equal((await spate.call('publish', body)).status, 400, body);
  const got = await spate.call('info', undefined, { verb: 'GET' });
  assert.equal(got.status, 405);
  const outside = await fetch(`http://${spate.address}/api/info`, {
    method: 'POST',
    headers: { 'X-API-Key': apiKey },
    body: '{}',
  });
  assert.equal(outside.status, 404);
});

const bad = [
  ['publish', { data: 1 }, 107, 400],
  ['publish', { channel: '', data: 1 }, 107, 400],
  ['publish', { channel: 'news' }, 107, 400],
  ['publish', { channel: 'nowhere:x', data: 1 }, 102, 404],
  ['publish', { channel: 'news', b64data: '%' }, 107, 400],
  ['publish', { channel: 'kept:large', data: 'x'.repeat(1 << 20) }, 107, 400], // a segment's bytes
  ['broadcast', { channels: [], data: 1 }, 107, 400],
  ['presence', { channel: 'news' }, 108, 400],
  ['presence_stats', { channel: 'nowhere:x' }, 102, 404],
  ['history', { channel: 'news' }, 108, 400],
  [
    'history',
    { channel: 'kept:none', since: { offset: 1, epoch: 'AnotherX' }, limit: 1 },
    112,
    416,
  ],
  ['history_remove', { channel: 'news' }, 108, 400],
  ['subscribe', { user: 'u' }, 107, 400],
];
check('refuses with codes, or with HTTP statuses where that is asked for', async () => {
  for (const [method, body, code, status] of bad) {
    const what = `${method} ${show(body)}`;
    const plain = await spate.call(method, body);
    assert.deepEqual([plain.status, plain.json?.error?.code], [200, code], `${what} ${plain.text}`);
    assert.ok(plain.json.error.message);
    const headers = { 'X-API-Key': apiKey, 'X-Centrifugo-Error-Mode': 'transport' };
    const transport = await spate.call(method, body, { headers });
    assert.deepEqual(
      [transport.status, transport.json?.code],
      [status, code],
      `${what} ${transport.text}`,
    );
  }
  const unknown = await spate.call('no_such_method', {});
  assert.ok(
    unknown.status === 404 || unknown.json?.error?.code === 104,
    `${unknown.status} ${unknown.text}`,
  );
});

onTheWire('publishes, with tags, and counts positions', async (scope, encoding) => {
  const [plain, kept] = [scope.channel(), scope.channel('kept')];
  const wire = await subscriber(scope, encoding, plain);
  await wire.must('subscribe', { channel: kept });
  assert.deepEqual(await spate.publish(plain, { a: 1 }, { tags: { k: 'v' } }), {});
  assert.deepEqual(await wire.push('pub', plain), { data: { a: 1 }, tags: { k: 'v' } });
  const first = await spate.publish(kept, 1);
  assert.deepEqual(await spate.publish(kept, 2), { offset: 2, epoch: first.epoch });
  assert.deepEqual(await spate.publish(kept, 3, { skip_history: true }), {});
  assert.deepEqual(await spate.publish(kept, 4), { offset: 3, epoch: first.epoch });
  const heard = await wire.takePublications(kept, 4);
  assert.deepEqual(
    heard.map(({ data }) => data),
    [1, 2, 3, 4],
  );
  const base64 = Buffer.from('"b"').toString('base64');
  await spate.publish(kept, 'a', { b64data: base64 });
  assert.equal((await wire.takePublications(kept, 5))[4].data, 'b');
});

onTheWire('publishes once for an idempotency key', async (scope, encoding) => {
  const channel = scope.channel('kept');
  const wire = await subscriber(scope, encoding, channel);
  const first = await spate.publish(channel, 1, { idempotency_key: 'k' });
  assert.deepEqual(await spate.publish(channel, 2, { idempotency_key: 'k' }), first);
  assert.equal((await spate.publish(channel, 3, { idempotency_key: 'l' })).offset, 2);
  const plain = scope.channel();
  await wire.must('subscribe', { channel: plain });
  for (const n of [1, 2]) await spate.publish(plain, n, { idempotency_key: 'k' });
  await spate.publish(plain, 3);
  assert.deepEqual(
    (await wire.takePublications(channel, 2)).map(({ data }) => data),
    [1, 3],
  );
  assert.deepEqual(
    (await wire.takePublications(plain, 2)).map(({ data }) => data),
    [1, 3],
  );
});

onTheWire('drops what is older than the version that was seen', async (scope, encoding) => {
  const channel = scope.channel('kept');
  const wire = await subscriber(scope, encoding, channel);
  const published = [
    [1, { version: 5, version_epoch: 'a' }, 1],
    [2, { version: 5, version_epoch: 'a' }, 1],
    [3, { version: 4, version_epoch: 'a' }, 1],
    [4, { version: 6, version_epoch: 'a' }, 2],
    [5, { version: 1, version_epoch: 'b' }, 3],
    [6, { version: 1 }, 3],
    [7, { version: 2 }, 4],
    [8, {}, 5],
  ];
  for (const [data, version, offset] of published)
    assert.equal((await spate.publish(channel, data, version)).offset, offset, `${data}`);
  const heard = await wire.takePublications(channel, 5);
  assert.deepEqual(
    heard.map(({ data }) => data),
    [1, 4, 5, 7, 8],
  );
});

check('broadcasts, and says for each channel how it went', async (scope) => {
  const [plain, kept] = [scope.channel(), scope.channel('kept')];
  const wires = await Promise.all(encodings.map((encoding) => subscriber(scope, encoding, plain)));
  const { responses } = await spate.api('broadcast', {
    channels: [plain, 'nowhere:x', kept],
    data: { b: 1 },
  });
  const [first, second, third] = responses;
  assert.deepEqual(first, { result: {} });
  assert.deepEqual(second, { error: { code: 102, message: 'unknown channel' } });
  assert.equal(third.result.offset, 1);
  for (const wire of wires) assert.deepEqual((await wire.push('pub', plain)).data, { b: 1 });
  const keyed = { channels: [plain, kept], data: 2, idempotency_key: 'k' };
  const once = await spate.api('broadcast', keyed);
  assert.deepEqual(await spate.api('broadcast', keyed), once);
  assert.equal(once.responses[1].result.offset, 2);
});

check('does several commands of one batch', async (scope) => {
  const channel = scope.channel('kept');
  for (const parallel of [false, true]) {
    const commands = [
      { publish: { channel, data: 1 } },
      { publish: { channel: 'nowhere:b', data: 1 } },
      { history: { channel, limit: -1 } },
    ];
    const { status, json } = await spate.call('batch', { commands, parallel });
    assert.equal(status, 200);
    const [published, refused, history] = json.replies;
    assert.ok(published.publish.offset > 0);
    assert.deepEqual(refused, { error: { code: 102, message: 'unknown channel' } });
    if (!parallel) assert.equal(history.history.publications.at(-1).data, 1);
  }
});

check('tells and drops history', async (scope) => {
  const channel = scope.channel('kept');
  const { epoch } = await spate.publish(channel, { n: 1 }, { tags: { a: 'b' } });
  await spate.publish(channel, 'text');
  const all = await spate.api('history', { channel, limit: -1 });
  assert.deepEqual(all, {
    publications: [
      { data: { n: 1 }, offset: 1, tags: { a: 'b' } },
      { data: 'text', offset: 2 },
    ],
    epoch,
    offset: 2,
  });
  const back = await spate.api('history', { channel, limit: 1, reverse: true });
  assert.equal(back.publications[0].offset, 2);
  const since = await spate.api('history', { channel, limit: 5, since: { offset: 1, epoch } });
  assert.deepEqual(
    since.publications.map(({ offset }) => offset),
    [2],
  );
  assert.deepEqual((await spate.api('history', { channel })).publications, []);
  await spate.api('history_remove', { channel });
  assert.deepEqual(await spate.api('history', { channel, limit: -1 }), {
    publications: [],
    epoch,
    offset: 2,
  });
  assert.deepEqual(await spate.publish(channel, 3), { offset: 3, epoch });
});

check('tells channels and the node', async (scope) => {
  const channel = scope.channel('room');
  const wires = await Promise.all(
    encodings.map((encoding) => subscriber(scope, encoding, channel)),
  );
  const { channels } = await spate.api('channels', { pattern: channel });
  assert.deepEqual(channels, { [channel]: { num_clients: 2 } });
  const globbed = await spate.api('channels', { pattern: 'room:*' });
  assert.ok(globbed.channels[channel]);
  assert.deepEqual((await spate.api('channels', { pattern: 'room:none*' })).channels, {});
  assert.ok((await spate.api('channels')).channels[channel]);
  const [node] = (await spate.api('info')).nodes;
  assert.ok(node.uid && node.name && node.version && node.num_clients >= wires.length);
  assert.ok(node.num_channels >= 1 && node.num_subs >= wires.length && node.uptime >= 0);
});
