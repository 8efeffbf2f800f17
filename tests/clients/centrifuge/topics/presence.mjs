// Who is there, who comes and goes, and what was said before.
import assert from 'node:assert/strict';
import { check, until } from '../checks.mjs';
import { encodings } from '../encoding.mjs';
import { Sdk, refusal, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const spate = await Spate.start({ 'history-max-publications': 50 });

withSdk('sees who is there, and who is no longer', async (scope, sdk) => {
  const [channel, user] = [scope.channel('room'), scope.user()];
  const token = tokenOf(user, { info: { name: 'Al' } });
  const clients = [0, 1].map(() => new Sdk(scope, spate, sdk, { token }));
  clients.push(new Sdk(scope, spate, sdk));
  const ids = [];
  const subscriptions = [];
  for (const client of clients) {
    ids.push((await client.connected()).client);
    subscriptions.push(await client.subscribed(channel));
  }
  const presence = async () => (await subscriptions[0].inner.presence()).clients;
  const stats = async () => {
    const { numClients, numUsers } = await subscriptions[0].inner.presenceStats();
    return [numClients, numUsers];
  };
  const clientsThere = await presence();
  assert.deepEqual(Object.keys(clientsThere).sort(), [...ids].sort());
  const { user: named, client, connInfo } = clientsThere[ids[1]];
  assert.deepEqual([named, client, sdk.ofData(connInfo)], [user, ids[1], { name: 'Al' }]);
  assert.equal(clientsThere[ids[2]].user, '');
  assert.deepEqual(await stats(), [3, 2]);
  assert.deepEqual(await spate.api('presence_stats', { channel }), {
    num_clients: 3,
    num_users: 2,
  });

  subscriptions[1].inner.unsubscribe();
  await until('an unsubscribed client is gone', async () => (await stats())[0] === 2);
  clients[2].drop();
  clients[2].close();
  await until('a dropped client is gone', async () => (await stats())[0] === 1);
  assert.deepEqual(Object.keys(await presence()), [ids[0]]);
});

withSdk('hears others come and go, in this order, and itself come', async (scope, sdk) => {
  const [channel, user] = [scope.channel('room'), scope.user()];
  const watcher = new Sdk(scope, spate, sdk);
  const { client: own } = await watcher.connected();
  const room = await watcher.subscribed(channel);
  assert.equal((await room.event('join')).info.client, own);

  const guest = new Sdk(scope, spate, sdk, { token: tokenOf(user) });
  const { client } = await guest.connected();
  const visits = 5;
  const subscription = await guest.subscribed(channel);
  for (let visit = 1; visit < visits; ++visit) {
    subscription.inner.unsubscribe();
    subscription.inner.subscribe();
    await subscription.journal.take('subscribed', visit + 1, ({ event }) => event === 'subscribed');
  }
  guest.close();
  const of = ({ event, info }) => (event === 'join' || event === 'leave') && info.client === client;
  const heard = await room.journal.take('comings and goings', 2 * visits, of);
  const expected = Array.from({ length: 2 * visits }, (_, i) => (i % 2 ? 'leave' : 'join'));
  assert.deepEqual(
    heard.map(({ event }) => event),
    expected,
  );
  assert.ok(heard.every(({ info }) => info.user === user));
  assert.equal(room.count('join') - 1, visits);
});

onTheWire('keeps who is there from whom it does not concern', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const cases = [
    [scope.channel(), 'presence', 108],
    [scope.channel(), 'presence_stats', 108],
    [scope.channel('closedkept'), 'presence', 103],
    [scope.channel('closedkept'), 'history', 103],
    [scope.channel(), 'history', 108],
    ['nowhere:x', 'presence', 102],
    ['nowhere:x', 'history', 102],
  ];
  for (const [channel, method, code] of cases)
    assert.equal(await wire.refused(method, { channel }), code, `${method} of ${channel}`);
  const empty = scope.channel('room');
  const { presence = {} } = await wire.must('presence', { channel: empty });
  assert.deepEqual(presence, {});
  const { num_clients = 0, num_users = 0 } = await wire.must('presence_stats', { channel: empty });
  assert.deepEqual([num_clients, num_users], [0, 0]);
});

const offsets = ({ publications = [] }) => publications.map(({ offset }) => offset);

withSdk('pages through history, forward and back', async (scope, sdk) => {
  const channel = scope.channel('kept');
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  const subscription = await client.subscribed(channel);
  for (let n = 1; n <= 7; ++n) await spate.publish(channel, n, { tags: { n: `${n}` } });
  const history = (options) => subscription.inner.history(options);

  const position = await history({});
  assert.deepEqual([offsets(position), position.offset], [[], 7]);
  const { epoch } = position;
  const since = (offset) => ({ offset, epoch });
  const cases = [
    [{ limit: -1 }, [1, 2, 3, 4, 5, 6, 7]],
    [{ limit: 3 }, [1, 2, 3]],
    [{ limit: 3, since: since(3) }, [4, 5, 6]],
    [{ limit: 3, since: since(6) }, [7]],
    [{ limit: 3, since: since(7) }, []],
    [{ limit: 3, since: since(70) }, []],
    [{ limit: 0, since: since(1) }, []],
    [{ limit: 3, reverse: true }, [7, 6, 5]],
    [{ limit: 3, since: since(5), reverse: true }, [4, 3, 2]],
    [{ limit: 3, since: since(1), reverse: true }, []],
  ];
  for (const [options, expected] of cases) {
    const page = await history(options);
    assert.deepEqual(offsets(page), expected, JSON.stringify(options));
    assert.deepEqual([page.offset, page.epoch], [7, epoch]);
    for (const { data, offset, tags } of page.publications)
      assert.deepEqual([sdk.ofData(data), tags], [offset, { n: `${offset}` }]);
  }
  assert.equal(await refusal(history({ limit: 1, since: since(0), reverse: true })), 107);
});

onTheWire(
  'begins at the oldest that is kept, and gives no more than the limit',
  async (scope, encoding) => {
    const channel = scope.channel('kept');
    const wire = await Wire.open(scope, spate, encoding);
    await wire.connect();
    for (let n = 1; n <= 105; ++n) await spate.publish(channel, n);
    const first = await wire.must('history', { channel, limit: -1 });
    assert.deepEqual(
      offsets(first),
      Array.from({ length: 50 }, (_, i) => i + 6),
    );
    const { epoch } = first;
    const early = await wire.must('history', { channel, limit: 2, since: { offset: 2, epoch } });
    assert.deepEqual(offsets(early), [6, 7]);
    const all = await spate.api('history', { channel, limit: -1 });
    assert.equal(all.publications.length, 100); // back ends may have all
  },
);

for (const encoding of encodings)
  check(
    `forgets publications after their time, and keeps the position (ws, ${encoding.name})`,
    async (scope) => {
      const channel = scope.channel('brief');
      const wire = await Wire.open(scope, spate, encoding);
      await wire.connect();
      const { offset, epoch } = await spate.publish(channel, 1);
      const left = async () =>
        (await wire.must('history', { channel, limit: -1 })).publications ?? [];
      await until('it is forgotten', async () => (await left()).length === 0, { every: 200 });
      assert.deepEqual(await spate.publish(channel, 2), { offset: offset + 1, epoch });
    },
  );
