// Tokens for channels, tokens that run out, and channels that come with the connection.
import assert from 'node:assert/strict';
import { check, until } from '../checks.mjs';
import { encodings } from '../encoding.mjs';
import { Sdk, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { now, sign, tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const [spate, personal] = await Promise.all([
  Spate.start({
    'client-expired-close-ms': 500,
    'client-expired-sub-close-ms': 500,
    'history-max-publications': 100,
  }),
  Spate.start({ 'user-channels': true }),
]);

const forChannel = (user, channel, claims = {}) => tokenOf(user, { channel, ...claims });
const inSeconds = (seconds) => ({ exp: now() + seconds });

withSdk('subscribes with a token to what is closed otherwise', async (scope, sdk) => {
  const user = scope.user();
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  await client.connected();
  const hidden = `$${scope.channel('closed')}`;
  for (const channel of [scope.channel('closed'), hidden, scope.channel('closedkept')]) {
    const subscription = await client.subscribed(channel, { token: forChannel(user, channel) });
    await spate.publish(channel, 1);
    assert.deepEqual(await subscription.takeValues(1), [1]);
  }
});

withSdk('gets a new channel token for one that expired', async (scope, sdk) => {
  const [user, channel] = [scope.user(), scope.channel('closed')];
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  await client.connected();
  const asked = [];
  const subscription = client.subscription(channel, {
    token: forChannel(user, channel, { exp: now() - 5 }),
    minResubscribeDelay: 10,
    maxResubscribeDelay: 50,
    getToken: async ({ channel: of }) => (asked.push(of), forChannel(user, channel)),
  });
  subscription.inner.subscribe();
  await subscription.event('subscribed');
  assert.deepEqual(asked, [channel]);
  assert.equal((await subscription.event('error')).error.code, 109);
});

onTheWire('refuses tokens for channels that are not right', async (scope, encoding) => {
  const [user, channel] = [scope.user(), scope.channel('closed')];
  const connected = async () => {
    const wire = await Wire.open(scope, spate, encoding);
    const { client } = await wire.connect({ token: tokenOf(user) });
    return [wire, client];
  };
  const [wire, client] = await connected();
  const errors = [
    [forChannel(user, channel, { exp: now() - 5 }), 109],
    [sign({ sub: user, channel }, { key: 'another' }), 103],
    ['abc', 103],
    [undefined, 103],
  ];
  for (const [token, code] of errors)
    assert.equal(await wire.refused('subscribe', token ? { channel, token } : { channel }), code);
  assert.equal(await wire.refused('subscribe', { channel: `$${channel}` }), 103);
  await wire.must('subscribe', { channel, token: forChannel(user, channel, { client }) });

  const another = [
    forChannel(user, `${channel}x`),
    forChannel(`${user}x`, channel),
    forChannel(user, channel, { client: 'another' }),
  ];
  for (const token of another) {
    const [closed] = await connected();
    closed.send({ id: 9, subscribe: { channel, token } });
    await closed.end(3500);
  }
});

withSdk('renews a channel token before it runs out', async (scope, sdk) => {
  const [user, channel] = [scope.user(), scope.channel('closed')];
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  await client.connected();
  let asked = 0;
  const token = forChannel(user, channel, inSeconds(2));
  const getToken = async () => (
    asked++,
    forChannel(user, channel, inSeconds(asked === 1 ? 2 : 600))
  );
  const subscription = await client.subscribed(channel, { token, getToken });
  await until('it was renewed twice', () => asked === 2);
  const gone = now() + 2;
  await until('the old ones have run out', () => now() > gone);
  assert.equal(subscription.count('subscribing') + subscription.count('unsubscribed'), 1);
  await spate.publish(channel, 1);
  assert.deepEqual(await subscription.takeValues(1), [1]);
});

onTheWire('ends a subscription whose token ran out with 2501', async (scope, encoding) => {
  const [user, channel] = [scope.user(), scope.channel('closed')];
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect({ token: tokenOf(user) });
  const token = forChannel(user, channel, inSeconds(2));
  const { expires, ttl } = await wire.must('subscribe', { channel, token });
  assert.equal(expires, true);
  assert.ok(ttl === 1 || ttl === 2, `ttl is ${ttl}`);
  assert.deepEqual(await wire.push('unsubscribe', channel), {
    code: 2501,
    reason: 'subscription expired',
  });
  await wire.must('subscribe', { channel, token: forChannel(user, channel) });
});

withSdk('subscribes again when its token ran out', async (scope, sdk) => {
  const [user, channel] = [scope.user(), scope.channel('closedkept')];
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  await client.connected();
  // The first renewal is answered after the end.
  let asked = 0;
  let late;
  const getToken = () => {
    if (++asked === 1) return new Promise((resolve) => (late = resolve));
    return forChannel(user, channel);
  };
  const token = forChannel(user, channel, inSeconds(1));
  const subscription = await client.subscribed(channel, { token, getToken });
  const here = subscription.here();
  const { code } = await subscription.event('subscribing', here);
  assert.equal(code, 2501);
  late?.('');
  await subscription.event('subscribed', here);
});

onTheWire('answers sub_refresh', async (scope, encoding) => {
  const [user, channel] = [scope.user(), scope.channel('closed')];
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect({ token: tokenOf(user) });
  const fresh = (exp) => forChannel(user, channel, { exp });
  assert.equal(await wire.refused('sub_refresh', { channel, token: fresh(now() + 60) }), 103);
  await wire.must('subscribe', { channel, token: fresh(now() + 600) });
  const { expires, ttl } = await wire.must('sub_refresh', { channel, token: fresh(now() + 60) });
  assert.ok(expires && ttl > 57 && ttl <= 60, `ttl is ${ttl}`);
  assert.equal(await wire.refused('sub_refresh', { channel, token: '' }), 107);
  assert.equal(await wire.refused('sub_refresh', { channel, token: fresh(now() - 60) }), 109);
  wire.send({ id: 90, sub_refresh: { channel, token: forChannel(user, `${channel}x`) } });
  await wire.end(3500);
});

withSdk('renews its own token before it runs out', async (scope, sdk) => {
  const user = scope.user();
  let asked = 0;
  const client = new Sdk(scope, spate, sdk, {
    token: tokenOf(user, inSeconds(2)),
    getToken: async () => (asked++, tokenOf(user, inSeconds(asked === 1 ? 2 : 600))),
  });
  await client.connected();
  await until('it was renewed twice', () => asked === 2);
  const gone = now() + 2;
  await until('the old ones have run out', () => now() > gone);
  assert.equal(client.dials, 1);
  assert.equal(client.client.state, 'connected');
});

onTheWire('closes with 3005 when a token ran out', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const { expires, ttl } = await wire.connect({ token: tokenOf(scope.user(), inSeconds(2)) });
  assert.equal(expires, true);
  assert.ok(ttl === 1 || ttl === 2, `ttl is ${ttl}`);
  await wire.end(3005);
});

onTheWire('answers refresh', async (scope, encoding) => {
  const user = scope.user();
  const open = async (claims) => {
    const wire = await Wire.open(scope, spate, encoding);
    await wire.connect({ token: tokenOf(user, claims) });
    return wire;
  };
  const wire = await open();
  const { expires, ttl } = await wire.must('refresh', {
    token: tokenOf(user, { exp: now() + 60 }),
  });
  assert.ok(expires && ttl > 57 && ttl <= 60, `ttl is ${ttl}`);
  assert.deepEqual(await wire.must('refresh', { token: tokenOf(user, { expire_at: 0 }) }), {});
  const ends = [
    [tokenOf(user, { exp: now() - 1 }), 3005],
    ['', 3501],
    ['abc', 3500],
    [tokenOf(`${user}x`), 3500],
  ];
  for (const [token, code] of ends) {
    const closed = await open();
    closed.send({ id: 9, refresh: { token } });
    await closed.end(code);
  }
  const anonymous = await Wire.open(scope, spate, encoding);
  await anonymous.connect();
  anonymous.send({ id: 9, refresh: { token: tokenOf(user) } });
  await anonymous.end(3501);
});

withSdk('gets channels with its token, and recovers them', async (scope, sdk) => {
  const [user, channel, plain] = [scope.user(), scope.channel('closedkept'), scope.channel()];
  const token = tokenOf(user, { channels: [channel, plain] });
  const client = new Sdk(scope, spate, sdk, { token });
  await client.connected();
  await client.journal.take('server-side subscriptions', 2, ({ event }) => event === 'subscribed');
  const values = () =>
    client.journal.all(({ event }) => event === 'publication').map(({ data }) => data);
  await spate.publish(channel, 1);
  await spate.publish(plain, 'a');
  await until('both came', () => values().length === 2);
  client.client.disconnect();
  await spate.publish(channel, 2);
  await spate.publish(plain, 'lost');
  const here = client.here();
  client.client.connect();
  const of = ({ event, channel: on }) => event === 'subscribed' && on === channel;
  const again = await client.journal.find('the subscription', of, here);
  assert.deepEqual([again.wasRecovering, again.recovered], [true, true]);
  await spate.publish(channel, 3);
  await until('all came', () => values().length === 4);
  assert.deepEqual(values().sort(), [1, 2, 3, 'a']);
});

onTheWire('takes options of a subscription out of the token', async (scope, encoding) => {
  const [user, channel] = [scope.user(), scope.channel('closedkept')];
  const override = { force_recovery: { value: false }, force_positioning: { value: false } };
  const subs = { [channel]: { data: { welcome: 1 }, info: { as: 'guest' }, override } };
  const wire = await Wire.open(scope, spate, encoding);
  const { client, subs: given } = await wire.connect({ token: tokenOf(user, { subs }) });
  assert.deepEqual(given[channel].data, { welcome: 1 });
  assert.deepEqual([given[channel].recoverable, given[channel].positioned], [undefined, undefined]);
  const { presence } = await spate.api('presence', { channel });
  assert.deepEqual(presence[client].chan_info, { as: 'guest' });
});

onTheWire('subscribes from the start to what it asks for and may have', async (scope, encoding) => {
  const [open, kept, closed] = [scope.channel(), scope.channel('kept'), scope.channel('closed')];
  const { epoch } = await spate.publish(kept, 1);
  const wire = await Wire.open(scope, spate, encoding);
  const since = { recover: true, epoch };
  const { subs } = await wire.connect({ subs: { [open]: {}, [closed]: {}, [kept]: since } });
  assert.deepEqual(Object.keys(subs).sort(), [open, kept].sort());
  assert.deepEqual(subs[open], {});
  assert.deepEqual(
    subs[kept].publications.map(({ data }) => data),
    [1],
  );
  await spate.publish(kept, 2);
  assert.equal((await wire.push('pub', kept)).data, 2);
  const unknown = await Wire.open(scope, spate, encoding);
  unknown.send({ id: 1, connect: { subs: { 'nowhere:x': {} } } });
  await unknown.end(3501);
});

onTheWire('closes with 3505 past the channels of a connection', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const names = Array.from({ length: 129 }, () => scope.channel());
  wire.send({ id: 1, connect: { token: tokenOf(scope.user(), { channels: names }) } });
  await wire.end(3505);
});

withSdk('comes back with the channels of its new token', async (scope, sdk) => {
  const [user, first, second] = [scope.user(), scope.channel(), scope.channel()];
  let channels = [first];
  const getToken = async () => tokenOf(user, { channels, ...inSeconds(channels[1] ? 600 : 2) });
  const client = new Sdk(scope, spate, sdk, { getToken });
  await client.connected();
  channels = [first, second];
  const here = client.here();
  assert.equal((await client.event('connecting', here)).code, 3010);
  await client.journal.find(
    'the new channel',
    (of) => of.event === 'subscribed' && of.channel === second,
  );
});

onTheWire('refuses channels of a token whose namespace is unknown', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const token = tokenOf(scope.user(), { channels: ['nowhere:x'] });
  assert.equal(await wire.refused('connect', { token }), 102);
});

for (const encoding of encodings)
  check(
    `gives every user a channel of their own where that is on (ws, ${encoding.name})`,
    async (scope) => {
      const user = scope.user();
      const wire = await Wire.open(scope, personal, encoding);
      const { subs } = await wire.connect({ token: tokenOf(user) });
      assert.deepEqual(Object.keys(subs), [`#${user}`]);
      await personal.publish(`#${user}`, 1);
      assert.equal((await wire.push('pub', `#${user}`)).data, 1);
      const anonymous = await Wire.open(scope, personal, encoding);
      assert.deepEqual((await anonymous.connect()).subs ?? {}, {});
    },
  );
