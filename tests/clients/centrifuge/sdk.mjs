// The unmodified npm package, in both of its builds, and its predecessor.
import assert from 'node:assert/strict';
import { Centrifuge } from 'centrifuge';
import { Centrifuge as CentrifugeProtobuf } from 'centrifuge/build/protobuf';
import { Centrifuge as Centrifuge4 } from 'centrifuge4';
import Centrifuge4Protobuf from 'centrifuge4/build/protobuf/index.js';
import WebSocket from 'ws';
import { Journal, check } from './checks.mjs';

const json = { toData: (value) => value, ofData: (data) => data };
const protobuf = {
  toData: (value) => Buffer.from(JSON.stringify(value)),
  ofData: (data) => JSON.parse(Buffer.from(data)),
};
export const sdks = [
  { name: 'JSON', Centrifuge, ...json },
  { name: 'Protobuf', Centrifuge: CentrifugeProtobuf, ...protobuf },
];
export const olderSdks = [
  { name: 'JSON, version 4', Centrifuge: Centrifuge4, ...json },
  {
    name: 'Protobuf, version 4',
    Centrifuge: Centrifuge4Protobuf.default,
    protocol: 'protobuf',
    ...protobuf,
  },
];

const clientEvents = [
  ...['connecting', 'connected', 'disconnected', 'error', 'message'],
  ...['subscribing', 'subscribed', 'unsubscribed', 'publication', 'join', 'leave'],
];
const subscriptionEvents = clientEvents.slice(5).concat('error');

// Keeps what an SDK's object emits. Payloads become values; offsets numbers, which the Protobuf build
// of version 4 leaves as objects.
function keep(journal, emitter, events, sdk) {
  for (const event of events)
    emitter.on(event, (context) => {
      const entry = { ...context, event };
      if (context.data !== undefined && context.data !== null && context.data.length !== 0)
        entry.data = sdk.ofData(context.data);
      if (context.offset !== undefined) entry.offset = Number(context.offset);
      const { streamPosition: at } = context;
      if (at) entry.streamPosition = { ...at, offset: Number(at.offset) };
      journal.add(entry);
    });
}

const waits = {
  // The next such event; `from` is an index into the journal's entries.
  event(name, options) {
    return this.journal.find(`the event ${name}`, ({ event }) => event === name, options);
  },
  count(name) {
    return this.journal.all(({ event }) => event === name).length;
  },
  here() {
    return { from: this.journal.entries.length };
  },
};

export class Sdk {
  journal = new Journal(); // the client's events; with them those of server-side subscriptions
  dials = 0; // connections that it tried

  constructor(scope, spate, sdk, options = {}) {
    scope.add(this);
    const counter = this;
    class CountedSocket extends WebSocket {
      constructor(...given) {
        super(...given);
        counter.dials += 1;
        counter.socket = this;
      }
    }
    this.sdk = sdk;
    this.scope = scope;
    this.client = new sdk.Centrifuge(spate.url, {
      websocket: CountedSocket,
      ...(sdk.protocol && { protocol: sdk.protocol }),
      minReconnectDelay: 20,
      maxReconnectDelay: 300,
      ...options,
    });
    keep(this.journal, this.client, clientEvents, sdk);
  }

  async connected(options) {
    this.client.connect();
    return this.event('connected', options);
  }

  // Its client's id, which the server gives anew with each connection.
  id() {
    return this.journal.all(({ event }) => event === 'connected').at(-1).client;
  }

  subscription(channel, options = {}) {
    return new SdkSubscription(this, this.client.newSubscription(channel, options));
  }
  // Once the server has said yes.
  async subscribed(channel, options) {
    const subscription = this.subscription(channel, options);
    subscription.inner.subscribe();
    await subscription.event('subscribed');
    return subscription;
  }

  publish(channel, value) {
    return this.client.publish(channel, this.sdk.toData(value));
  }

  // The connection breaks, as by a network that fails; the SDK comes back by itself.
  drop() {
    this.socket.terminate();
  }
  close() {
    this.client.disconnect();
  }
}
Object.assign(Sdk.prototype, waits);

export class SdkSubscription {
  journal = new Journal();

  constructor(owner, inner) {
    this.inner = inner;
    keep(this.journal, inner, subscriptionEvents, owner.sdk);
  }
  publications() {
    return this.journal.all(({ event }) => event === 'publication');
  }
  values() {
    return this.publications().map(({ data }) => data);
  }
  takePublications(count, options) {
    return this.journal.take(
      'publications',
      count,
      ({ event }) => event === 'publication',
      options,
    );
  }
  async takeValues(count, options) {
    return (await this.takePublications(count, options)).map(({ data }) => data);
  }
}
Object.assign(SdkSubscription.prototype, waits);

// The error that an SDK's call is refused with.
export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error.code;
  }
  return assert.fail('it was not refused');
}

// The check once for each build of the SDK.
export function withSdk(name, body, { older = false } = {}) {
  for (const sdk of older ? [...sdks, ...olderSdks] : sdks)
    check(`${name} (SDK, ${sdk.name})`, (scope) => body(scope, sdk));
}
