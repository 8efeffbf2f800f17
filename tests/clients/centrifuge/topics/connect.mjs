// Coming, being refused, and staying: credentials, first frames, pings, deadlines.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { check, pass } from '../checks.mjs';
import { Json, Protobuf, encodings } from '../encoding.mjs';
import { Sdk, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { now, sign, tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const pingMs = 1000;

const [spate, strict, impatient] = await Promise.all([
  Spate.start(),
  Spate.start({ 'client-anonymous': false, 'user-connection-limit': 1 }),
  Spate.start({
    'client-ping-interval-ms': pingMs,
    'client-pong-timeout-ms': 500,
    'client-stale-close-ms': 700,
  }),
]);

withSdk(
  'connects anonymously',
  async (scope, sdk) => {
    const client = new Sdk(scope, spate, sdk);
    const connected = await client.connected();
    assert.match(connected.client, uuid);
    const others = await new Sdk(scope, spate, sdk).connected();
    assert.notEqual(others.client, connected.client);
  },
  { older: true },
);

withSdk(
  'connects with a token, as the user that it names',
  async (scope, sdk) => {
    const [user, channel] = [scope.user(), scope.channel('room')];
    const token = tokenOf(user, { info: { name: 'Al' } });
    const client = new Sdk(scope, strict, sdk, { token });
    const connected = await client.connected();
    assert.match(connected.client, uuid);
    await client.subscribed(channel);
    const { presence } = await strict.api('presence', { channel });
    assert.deepEqual(presence, {
      [connected.client]: { client: connected.client, user, conn_info: { name: 'Al' } },
    });
  },
  { older: true },
);

onTheWire('answers connect and three subscribes of one frame in order', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const names = [scope.channel(), scope.channel(), scope.channel()];
  const subscribes = names.map((channel, i) => ({ subscribe: { channel, flag: 1 }, id: 8 + i }));
  wire.send({ connect: { name: 'js' }, id: 7 }, ...subscribes);
  await wire.reply(10);
  const kinds = wire.journal.entries.map(({ id, ...rest }) => [id, ...Object.keys(rest)]);
  assert.deepEqual(kinds, [
    [7, 'connect'],
    [8, 'subscribe'],
    [9, 'subscribe'],
    [10, 'subscribe'],
  ]);
  const { client, version, ping, pong } = wire.journal.entries[0].connect;
  assert.match(client, uuid);
  assert.match(version, /^spate /i);
  assert.deepEqual([ping, pong], [25, true]);
});

check('reads JSON as any client may write it', async (scope) => {
  const wire = await Wire.open(scope, spate);
  const [first, second] = [scope.channel(), scope.channel()];
  wire.sendRaw(
    '{ "id" :1, "x-unknown":[{"a":null}], "connect":{"token":null,"headers":null,"new":1}, "subscribe":null}\n',
  );
  await wire.reply(1);
  wire.sendRaw(`\n{"subscribe":{"channel":"${first}","flag":1},"id":2}\n\n{"id":3,"ping":{}}\n`);
  assert.deepEqual((await wire.reply(2)).subscribe, {});
  assert.deepEqual((await wire.reply(3)).ping, {});
  const escaped = second.replace('c', String.raw`\u0063`);
  wire.sendRaw(Buffer.from(`{"subscribe":{"channel":"${escaped}"},"id":4}`), { binary: true });
  assert.deepEqual((await wire.reply(4)).subscribe, {});
  await spate.publish(second, 1);
  assert.deepEqual(await wire.push('pub', second), { data: 1 });
});

onTheWire('puts a message together out of its fragments', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const frame = Buffer.from(
    encoding.encode([
      { id: 1, connect: { name: 'pieces' } },
      { id: 2, ping: {} },
    ]),
  );
  const { binary } = encoding;
  wire.sendRaw(frame.subarray(0, 5), { binary, fin: false });
  wire.sendRaw(frame.subarray(5, 13), { binary, fin: false });
  wire.sendRaw(frame.subarray(13), { binary, fin: true });
  assert.ok((await wire.reply(2)).ping);
});

check('speaks the encoding that is asked for', async (scope) => {
  for (const query of ['?format=protobuf', '?cf_protocol=protobuf']) {
    const wire = await Wire.open(scope, spate, Protobuf, { query, subprotocols: [] });
    assert.equal(wire.socket.protocol, '');
    await wire.connect();
  }
  const chosen = [
    [Json, [], ''],
    [Json, ['centrifuge-json'], 'centrifuge-json'],
    [Protobuf, ['centrifuge-protobuf'], 'centrifuge-protobuf'],
  ];
  for (const [encoding, subprotocols, agreed] of chosen) {
    const wire = await Wire.open(scope, spate, encoding, { subprotocols });
    assert.equal(wire.socket.protocol, agreed);
    await wire.connect();
  }
  const [error] = await once(new WebSocket(spate.url, ['other']), 'error');
  assert.equal(error.message, 'Server sent no subprotocol');
});

check('takes its own origin, and no other', async (scope) => {
  await Wire.open(scope, spate, Json, { origin: `http://${spate.address}` });
  const socket = new WebSocket(spate.url, { origin: 'http://elsewhere.example' });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  socket.terminate();
  assert.equal(response.statusCode, 403);
});

const wrongTokens = {
  'signed with another key': sign({ sub: '42' }, { key: 'another' }),
  'not signed': sign({ sub: '42' }, { algorithm: 'none' }),
  'no token at all': 'abc',
  'for a channel': tokenOf('42', { channel: 'news' }),
};
for (const [what, token] of Object.entries(wrongTokens))
  withSdk(`is gone for good with a token that is wrong: ${what}`, async (scope, sdk) => {
    const client = new Sdk(scope, spate, sdk, { token });
    client.client.connect();
    const { code, reason } = await client.event('disconnected');
    assert.deepEqual([code, reason], [3500, 'invalid token']);
    await pass(700); // many times the SDK's delay
    assert.equal(client.dials, 1);
  });

onTheWire('closes with 3500 for a wrong token', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  wire.send({ id: 1, connect: { token: wrongTokens['signed with another key'] } });
  await wire.end(3500);
});

withSdk('gets a new token for one that expired', async (scope, sdk) => {
  let asked = 0;
  const user = scope.user();
  const client = new Sdk(scope, strict, sdk, {
    token: tokenOf(user, { exp: now() - 10 }),
    getToken: async () => (asked++, tokenOf(user)),
  });
  await client.connected();
  assert.equal(asked, 1);
  assert.equal(client.dials, 2);
  assert.equal((await client.event('error')).error.code, 109);
});

onTheWire('answers 109 for an expired token, and does nothing more', async (scope, encoding) => {
  for (const times of [{ exp: now() - 1 }, { nbf: now() + 60 }]) {
    const wire = await Wire.open(scope, spate, encoding);
    wire.send(
      { id: 1, connect: { token: tokenOf('42', times) } },
      { id: 2, subscribe: { channel: 'x' } },
    );
    const { error } = await wire.reply(1);
    assert.deepEqual([error.code, error.message], [109, 'token expired']);
    wire.send({ id: 3, ping: {} });
    await wire.end(3501);
    assert.equal(wire.journal.entries.length, 1);
  }
});

onTheWire('closes with 3501 without credentials', async (scope, encoding) => {
  const wire = await Wire.open(scope, strict, encoding);
  wire.send({ id: 1, connect: {} });
  assert.match((await wire.end(3501)).reason, /credentials/);
});

withSdk('is gone for good without credentials', async (scope, sdk) => {
  const client = new Sdk(scope, strict, sdk);
  client.client.connect();
  assert.equal((await client.event('disconnected')).code, 3501);
  assert.equal(client.dials, 1);
});

onTheWire('closes with 3501 for what is no first command', async (scope, encoding) => {
  const { binary } = encoding;
  const first = [
    encoding.encode([{ id: 1, subscribe: { channel: 'news' } }]),
    encoding.encode([
      { id: 1, ping: {} },
      { id: 2, connect: {} },
    ]),
    encoding.encode([{}]),
    '',
    binary ? Buffer.from('ffffffffffffffffffff01', 'hex') : '{"id":1,"connect":{}',
    binary ? Buffer.from('05080122', 'hex') : '<html>',
  ];
  for (const frame of first) {
    const wire = await Wire.open(scope, spate, encoding);
    wire.sendRaw(frame, { binary });
    await wire.end(3501);
    assert.deepEqual(wire.journal.entries, []);
  }
});

onTheWire(
  'closes with 3501 for junk behind a good command, and for a second connect',
  async (scope, encoding) => {
    const second = [
      encoding.encode([{ id: 2, connect: {} }]),
      encoding.binary ? Buffer.from('0308', 'hex') : '{"id":2,"publish":{"channel":"a","data":}}',
      '',
      encoding.encode([{ id: 2, subscribe: {} }]),
    ];
    for (const frame of second) {
      const wire = await Wire.open(scope, spate, encoding);
      await wire.connect();
      wire.sendRaw(frame, { binary: encoding.binary });
      await wire.end(3501);
    }
  },
);

onTheWire('closes with 1009 for a message past the limit', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  wire.send({ id: 2, publish: { channel: 'news', data: 'x'.repeat(70_000) } });
  await wire.end(1009);
});

onTheWire('closes with 3502 who says nothing', async (scope, encoding) => {
  const wire = await Wire.open(scope, impatient, encoding);
  const began = performance.now();
  await wire.end(3502);
  assert.ok(performance.now() - began > 400, 'not before its time');
});

onTheWire('pings, and closes with 3012 who does not answer', async (scope, encoding) => {
  const silent = await Wire.open(scope, impatient, encoding, { answersPings: false });
  const answering = await Wire.open(scope, impatient, encoding);
  const began = performance.now();
  const { ping, pong } = await silent.connect();
  assert.deepEqual([ping, pong], [1, true]);
  await answering.connect();
  await silent.end(3012);
  assert.equal(silent.pings.entries.length, 1);
  const first = silent.pings.entries[0] - began;
  assert.ok(
    first >= pingMs / 2 - 100 && first < pingMs + 900,
    `the first ping came after ${first} ms`,
  );

  await answering.pings.take('pings', 3, () => true);
  assert.equal(answering.frames.at(-1).toString('hex'), encoding.binary ? '00' : '7b7d');
  answering.send({}); // to no ping, which is ignored
  answering.send({}, {});
  assert.ok((await answering.ask('ping')).ping);
});

withSdk('stays connected through pings', async (scope, sdk) => {
  const client = new Sdk(scope, impatient, sdk, { maxServerPingDelay: 1500 });
  await client.connected();
  await pass(3.6 * pingMs);
  assert.equal(client.client.state, 'connected');
  assert.equal(client.dials, 1);
});

for (const encoding of encodings)
  check(
    `leaves liveness to WebSocket's own pings when asked (ws, ${encoding.name})`,
    async (scope) => {
      const query = '?cf_ws_frame_ping_pong=true';
      const wire = await Wire.open(scope, impatient, encoding, { query });
      const { ping, pong } = await wire.connect();
      assert.deepEqual([ping, pong], [undefined, undefined]);
      await pass(2 * pingMs);
      assert.equal(wire.pings.entries.length, 0);
      assert.ok((await wire.ask('ping')).ping);
    },
  );

onTheWire('closes with 3504 past the connections of a user', async (scope, encoding) => {
  const token = tokenOf(scope.user());
  const first = await Wire.open(scope, strict, encoding);
  await first.connect({ token });
  const second = await Wire.open(scope, strict, encoding);
  second.send({ id: 1, connect: { token } });
  await second.end(3504);
  assert.ok((await first.ask('ping')).ping);
});

onTheWire('answers or closes for what it does not offer', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  assert.equal(await wire.refused('rpc', { method: 'sum', data: [1, 2] }), 108);
  wire.send({ send: { data: { any: 1 } } });
  await wire.end(3508);
});

onTheWire('takes a token that names no user as anonymous', async (scope, encoding) => {
  const wire = await Wire.open(scope, strict, encoding);
  assert.match((await wire.connect({ token: tokenOf('') })).client, uuid);
});
