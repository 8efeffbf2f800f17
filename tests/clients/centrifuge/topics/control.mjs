// What the server API does to connections: subscribes, unsubscribes, refreshes and ends them.
import assert from 'node:assert/strict';
import { until } from '../checks.mjs';
import { Sdk, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { now, tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const spate = await Spate.start();

async function connected(scope, encoding, user) {
  const wire = await Wire.open(scope, spate, encoding);
  wire.id = (await wire.connect({ token: tokenOf(user) })).client;
  return wire;
}

withSdk('subscribes and unsubscribes every connection of a user', async (scope, sdk) => {
  const [user, channel] = [scope.user(), scope.channel('closedkept')];
  const clients = [0, 1].map(() => new Sdk(scope, spate, sdk, { token: tokenOf(user) }));
  const stranger = new Sdk(scope, spate, sdk, { token: tokenOf(scope.user()) });
  for (const client of [...clients, stranger]) await client.connected();
  await spate.publish(channel, 0);
  const subscribed = await spate.api('subscribe', {
    user,
    channel,
    data: { hello: 1 },
    info: { as: 'guest' },
  });
  assert.equal(subscribed.connections, 2);
  for (const client of clients) {
    const event = await client.event('subscribed');
    assert.deepEqual([event.channel, event.data, event.recoverable], [channel, { hello: 1 }, true]);
    assert.equal(event.streamPosition.offset, 1);
  }
  await spate.publish(channel, 1);
  for (const client of clients) assert.equal((await client.event('publication')).data, 1);
  const { presence } = await spate.api('presence', { channel });
  assert.deepEqual(
    Object.values(presence).map(({ chan_info }) => chan_info),
    [{ as: 'guest' }, { as: 'guest' }],
  );

  assert.equal((await spate.api('unsubscribe', { user, channel })).connections, 2);
  for (const client of clients) assert.equal((await client.event('unsubscribed')).channel, channel);
  await spate.publish(channel, 2);
  assert.deepEqual((await spate.api('channels', { pattern: channel })).channels, {});
  assert.equal(stranger.count('subscribed'), 0);
  for (const client of clients) assert.equal(client.count('publication'), 1);
});

onTheWire(
  'subscribes one connection of a user alone, from where it is told',
  async (scope, encoding) => {
    const [user, channel] = [scope.user(), scope.channel('closedkept')];
    const one = await connected(scope, encoding, user);
    const other = await connected(scope, encoding, user);
    const { epoch } = await spate.publish(channel, 1);
    await spate.publish(channel, 2);
    const body = { user, channel, client: one.id, recover_since: { offset: 1, epoch } };
    assert.equal((await spate.api('subscribe', body)).connections, 1);
    const pushed = await one.push('subscribe', channel);
    assert.ok(pushed.recoverable && pushed.epoch === epoch, JSON.stringify(pushed));
    assert.equal((await one.push('pub', channel)).data, 2);
    await spate.publish(channel, 3);
    assert.deepEqual(
      (await one.takePublications(channel, 2)).map(({ offset }) => offset),
      [2, 3],
    );
    assert.equal((await spate.api('subscribe', { ...body, user: 'another' })).connections, 0);
    assert.equal(
      (await spate.api('unsubscribe', { user, channel: '', client: one.id })).connections,
      1,
    );
    assert.deepEqual(await one.push('unsubscribe', channel), {
      code: 2000,
      reason: 'server unsubscribe',
    });
    assert.ok((await other.ask('ping')).ping);
    assert.equal(other.journal.all(({ push }) => push).length, 0);
  },
);

withSdk('unsubscribes for good', async (scope, sdk) => {
  const [user, channel] = [scope.user(), scope.channel()];
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  await client.connected();
  const subscription = await client.subscribed(channel);
  assert.equal((await spate.api('unsubscribe', { user, channel })).connections, 1);
  const { code, reason } = await subscription.event('unsubscribed');
  assert.deepEqual([code, reason], [2000, 'server unsubscribe']);
  assert.equal(subscription.inner.state, 'unsubscribed');
});

withSdk('disconnects a user for good, unless the code says otherwise', async (scope, sdk) => {
  const connected = async (user) => {
    const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
    await client.connected();
    return client;
  };
  const user = scope.user();
  const clients = [await connected(user), await connected(user)];
  const stranger = await connected(scope.user());
  assert.equal((await spate.api('disconnect', { user })).connections, 2);
  for (const client of clients) {
    const { code, reason } = await client.event('disconnected');
    assert.deepEqual([code, reason], [3503, 'force disconnect']);
  }
  for (const [code, returns] of [
    [4501, false],
    [4001, true],
  ]) {
    const client = await connected(user);
    const here = client.here();
    await spate.api('disconnect', { user, disconnect: { code, reason: 'as told' } });
    const event = await client.event(returns ? 'connecting' : 'disconnected', here);
    assert.deepEqual([event.code, event.reason], [code, 'as told']);
    if (returns) await client.event('connected', here);
    client.close();
    const none = async () =>
      (await spate.api('users', { users: [user] })).users[user].connections === 0;
    await until('it is gone', none);
  }
  assert.equal(stranger.count('disconnected') + stranger.count('connecting'), 1);
});

withSdk('disconnects one connection, or all but some', async (scope, sdk) => {
  const user = scope.user();
  const clients = [0, 1, 2].map(() => new Sdk(scope, spate, sdk, { token: tokenOf(user) }));
  const ids = [];
  for (const client of clients) ids.push((await client.connected()).client);
  assert.equal((await spate.api('disconnect', { user, client: ids[0] })).connections, 1);
  await clients[0].event('disconnected');
  assert.equal((await spate.api('disconnect', { user, whitelist: [ids[2]] })).connections, 1);
  await clients[1].event('disconnected');
  assert.equal((await spate.api('disconnect', { user: 'another', client: ids[2] })).connections, 0);
  assert.equal(clients[2].client.state, 'connected');
});

onTheWire('refreshes a connection, or lets it expire', async (scope, encoding) => {
  const user = scope.user();
  const wire = await Wire.open(scope, spate, encoding);
  const { client } = await wire.connect({ token: tokenOf(user) });
  await spate.api('refresh', { user, client, expire_at: now() + 100 });
  const { expires, ttl } = await wire.push('refresh');
  assert.ok(expires && ttl > 97 && ttl <= 100, `ttl is ${ttl}`);
  await spate.api('refresh', { user, expired: true });
  await wire.end(3005);
});
