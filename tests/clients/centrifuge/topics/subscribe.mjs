// Subscribing and unsubscribing: what is refused, and for how long that holds.
import assert from 'node:assert/strict';
import { Sdk, refusal, withSdk } from '../sdk.mjs';
import { Spate } from '../spate.mjs';
import { tokenOf } from '../token.mjs';
import { Wire, onTheWire } from '../wire.mjs';

const spate = await Spate.start();

onTheWire('refuses what may not be subscribed to', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const user = scope.user();
  await wire.connect({ token: tokenOf(user) });
  const channel = scope.channel();
  await wire.must('subscribe', { channel });
  const refusals = [
    [{ channel }, 105],
    [{ channel: 'nowhere:x' }, 102],
    [{ channel: scope.channel('closed') }, 103],
    [{ channel: `$${scope.channel()}` }, 103],
    [{ channel: `dialog#${user}x` }, 103],
    [{ channel: 'x'.repeat(256) }, 107],
    [{ channel: 'grüße' }, 107],
    [{ channel: 'coded:abcd' }, 107],
    [{ channel: scope.channel(), type: 1 }, 103],
    [{ channel: scope.channel(), type: 4 }, 108],
  ];
  for (const [request, code] of refusals)
    assert.equal(await wire.refused('subscribe', request), code, JSON.stringify(request));
  await wire.must('subscribe', { channel: 'x'.repeat(255) });
  await wire.must('subscribe', { channel: `dialog#7,${user}` });
  await wire.must('subscribe', { channel: 'coded:abc', flag: 1 + 2 + 4096 });
  wire.send({ id: 99, subscribe: { channel: '' } });
  await wire.end(3501);
});

withSdk('is unsubscribed for good from what is refused', async (scope, sdk) => {
  const client = new Sdk(scope, spate, sdk);
  await client.connected();
  for (const [channel, code] of [
    ['nowhere:x', 102],
    [scope.channel('closed'), 103],
  ]) {
    const subscription = client.subscription(channel);
    subscription.inner.subscribe();
    assert.equal((await subscription.event('unsubscribed')).code, code);
    assert.equal(await refusal(client.publish(channel, 1)), code);
  }
});

onTheWire('lets 128 channels a connection be, and refuses one more', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  await wire.connect();
  const wanted = Array.from({ length: 129 }, (_, i) => ({
    id: i + 10,
    subscribe: { channel: scope.channel() },
  }));
  wire.send(...wanted);
  assert.equal((await wire.reply(138)).error.code, 106);
  assert.ok(wire.journal.entries.slice(1, 129).every(({ subscribe }) => subscribe));
  await wire.must('unsubscribe', { channel: wanted[0].subscribe.channel });
  await wire.must('subscribe', wanted[128].subscribe);
});

onTheWire('answers every unsubscribe, and sends nothing more', async (scope, encoding) => {
  const wire = await Wire.open(scope, spate, encoding);
  const [gone, stays] = [scope.channel(), scope.channel()];
  await wire.connect();
  assert.deepEqual(await wire.must('unsubscribe', { channel: gone }), {});
  for (const channel of [gone, stays]) await wire.must('subscribe', { channel });
  assert.deepEqual(await wire.must('unsubscribe', { channel: gone }), {});
  await spate.publish(gone, 1);
  await spate.publish(stays, 2);
  assert.equal((await wire.push('pub')).data, 2);
  assert.deepEqual(wire.publications(gone), []);
});
