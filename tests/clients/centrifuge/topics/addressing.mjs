// Whom a message reaches: a user, one connection, many channels, everybody, everybody but some; and
// who is online.
import assert from 'node:assert/strict';
import { check, until } from '../checks.mjs';
import { encodings } from '../encoding.mjs';
import { Sdk, withSdk } from '../sdk.mjs';
import { Spate, channels } from '../spate.mjs';
import { tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const watched = {
  ...channels,
  namespaces: [
    ...channels.namespaces,
    {
      name: 'presence',
      history_size: 100,
      history_ttl: '60s',
      force_recovery: true,
      allow_subscribe_for_client: true,
      allow_subscribe_for_anonymous: true,
    },
  ],
};
const graceMs = 400;
const [spate, ...alone] = await Promise.all([
  Spate.start({
    'user-channels': true,
    channels: watched,
    'presence-events': 'presence:events',
    'presence-grace-ms': graceMs,
  }),
  ...encodings.map(() => Spate.start()),
]);

async function connected(scope, encoding, user, server = spate) {
  const wire = await Wire.open(scope, server, encoding);
  wire.id = (await wire.connect(user ? { token: tokenOf(user) } : {})).client;
  return wire;
}
const dataOn = (wire, channel) => wire.publications(channel).map(({ data }) => data);

withSdk('reaches every connection of a user', async (scope, sdk) => {
  const user = scope.user();
  const clients = [0, 1].map(() => new Sdk(scope, spate, sdk, { token: tokenOf(user) }));
  const stranger = new Sdk(scope, spate, sdk, { token: tokenOf(scope.user()) });
  for (const client of [...clients, stranger]) await client.connected();
  await spate.publish(`#${user}`, { to: user });
  for (const client of clients)
    assert.deepEqual((await client.event('publication')).data, { to: user });
  assert.equal(stranger.count('publication'), 0);
});

onTheWire('reaches one connection alone', async (scope, encoding) => {
  const user = scope.user();
  const [one, other] = [
    await connected(scope, encoding, user),
    await connected(scope, encoding, user),
  ];
  const channel = scope.channel('closed');
  assert.equal((await spate.api('subscribe', { user, client: one.id, channel })).connections, 1);
  await one.push('subscribe', channel);
  await spate.publish(channel, 'for one');
  await spate.publish(`#${user}`, 'for both');
  assert.equal((await one.push('pub', channel)).data, 'for one');
  assert.equal((await other.push('pub', `#${user}`)).data, 'for both');
  assert.deepEqual(dataOn(other, channel), []);
});

withSdk('reaches many channels with one call', async (scope, sdk) => {
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const names = Array.from({ length: 100 }, () => scope.channel());
  const subscriptions = await Promise.all(names.map((name) => client.subscribed(name)));
  const untold = await client.subscribed(scope.channel());
  const { responses } = await spate.api('broadcast', { channels: names, data: { n: 1 } });
  assert.equal(responses.length, names.length);
  for (const subscription of subscriptions)
    assert.deepEqual(await subscription.takeValues(1), [{ n: 1 }]);
  assert.deepEqual(untold.values(), []);
});

encodings.forEach((encoding, i) =>
  check(`reaches everybody, or everybody but some (ws, ${encoding.name})`, async (scope) => {
    const [user, excluded] = [scope.user(), scope.user()];
    const server = alone[i];
    const wires = [];
    for (const name of [undefined, user, user, excluded])
      wires.push(await connected(scope, encoding, name, server));
    const tell = (body) => server.api('broadcast_all', body);
    assert.equal((await tell({ data: { n: 1 } })).clients, 4);
    assert.equal((await tell({ data: { n: 2 }, exclude_clients: [wires[1].id] })).clients, 3);
    assert.equal((await tell({ data: { n: 3 }, exclude_users: [excluded, 'nobody'] })).clients, 3);
    assert.equal((await tell({ data: { n: 4 } })).clients, 4);
    const expected = [
      [1, 2, 3, 4],
      [1, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 4],
    ];
    for (const [at, wire] of wires.entries()) {
      const isMessage = ({ push }) => push?.message;
      const messages = await wire.journal.take('messages', expected[at].length, isMessage);
      assert.deepEqual(
        messages.map(({ push }) => push.message.data.n),
        expected[at],
      );
    }
    assert.equal((await server.call('broadcast_all', {})).json.error.code, 107);
  }),
);

withSdk('gets what everybody gets', async (scope, sdk) => {
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(scope.user()) });
  await client.connected();
  const text = scope.channel(); // a text that nobody else sends
  await spate.api('broadcast_all', { data: { text } });
  await client.journal.find(
    'the message',
    ({ event, data }) => event === 'message' && data.text === text,
  );
});

onTheWire(
  'leaves out connections and users that a publication is not for',
  async (scope, encoding) => {
    const [user, excluded] = [scope.user(), scope.user()];
    for (const channel of [scope.channel(), scope.channel('kept')]) {
      const first = await connected(scope, encoding, user);
      const second = await connected(scope, encoding, user);
      const third = await connected(scope, encoding, excluded);
      for (const wire of [first, second, third]) await wire.must('subscribe', { channel });
      await spate.publish(channel, 1);
      await spate.publish(channel, 2, { exclude_clients: [first.id, 'nobody'] });
      await spate.publish(channel, 3, { exclude_users: [excluded] });
      await spate.publish(channel, 4);
      const expected = [
        [1, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 4],
      ];
      for (const [i, wire] of [first, second, third].entries()) {
        await wire.takePublications(channel, expected[i].length);
        assert.deepEqual(dataOn(wire, channel), expected[i]);
        assert.equal(wire.journal.all(({ push }) => push?.unsubscribe).length, 0);
      }
    }
  },
);

withSdk('leaves users out of what they recover, too', async (scope, sdk) => {
  const [user, channel] = [scope.user(), scope.channel('kept')];
  const client = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  const { client: id } = await client.connected();
  const subscription = await client.subscribed(channel);
  await spate.publish(channel, 1);
  await subscription.takeValues(1);
  const here = subscription.here();
  client.client.disconnect();
  await spate.publish(channel, 2, { exclude_users: [user] });
  await spate.publish(channel, 3);
  await spate.publish(channel, 4, { exclude_clients: [id] }); // which is no more
  await spate.publish(channel, 5, { exclude_users: [user] });
  client.client.connect();
  const again = await subscription.event('subscribed', here);
  assert.deepEqual([again.wasRecovering, again.recovered], [true, true]);
  await spate.publish(channel, 6);
  assert.deepEqual(await subscription.takeValues(4), [1, 3, 4, 6]);
  assert.equal(subscription.count('subscribing'), 2);
  assert.equal((await spate.api('history', { channel, limit: -1 })).publications.length, 6);
});

withSdk('says who comes online and goes offline', async (scope, sdk) => {
  const user = scope.user();
  const watcher = new Sdk(scope, spate, sdk);
  await watcher.connected();
  const events = await watcher.subscribed('presence:events');
  const of = () => events.values().filter((event) => event.user === user);
  const status = async () => (await spate.api('users', { users: [user, 'nobody'] })).users;
  assert.equal((await status())[user].online, false);

  const clients = [0, 1].map(() => new Sdk(scope, spate, sdk, { token: tokenOf(user) }));
  const { client: id } = await clients[0].connected();
  await clients[1].connected();
  await until('it is online', () => of().length === 1);
  const { event, client, node, time } = of()[0];
  assert.deepEqual([event, client], ['online', id]);
  assert.ok(node && Math.abs(time - Date.now()) < 60_000, `${node} ${time}`);
  const { [user]: online, nobody } = await status();
  assert.deepEqual([online.online, online.connections], [true, 2]);
  assert.ok(Math.abs(online.since - Date.now()) < 60_000);
  assert.deepEqual([nobody.online, nobody.connections], [false, 0]);

  clients[0].close();
  await until('one is left', async () => (await status())[user].connections === 1);
  clients[1].drop(); // and comes back within the grace time
  await clients[1].journal.take('connected', 2, (entry) => entry.event === 'connected');
  clients[1].close();
  const left = performance.now();
  await until('it is offline', () => of().length > 1);
  assert.ok(performance.now() - left > graceMs - 100, 'not before the grace time');
  assert.deepEqual(
    of().map((entry) => entry.event),
    ['online', 'offline'],
  );
  assert.equal((await status())[user].online, false);
});
