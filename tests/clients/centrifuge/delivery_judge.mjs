// Judges what publishers were told against what subscribers received.
//
// A log holds
//   acknowledged  {channel, publisher, number, offset, epoch}: by the server API, in any order; a
//                 publisher numbers its publications 1, 2, … and waits for each
//   received      for each subscriber and channel, in order, {publisher, number, offset}
//   subscribed    {subscriber, channel, epoch, wasRecovering, recovered}: what each was told when it
//                 came, and whenever it came back
// Subscribers came before the first publication. The faults, in words; none when every acknowledged
// publication was received by every subscriber once and in order.
export function judge({ acknowledged, received, subscribed }) {
  const faults = [];
  const nameOf = ({ publisher, number }) => `${publisher} ${number}`;

  for (const { subscriber, channel, wasRecovering, recovered } of subscribed)
    if (wasRecovering && !recovered)
      faults.push(`${subscriber} ${channel}: was told that it missed some`);

  const epochs = new Map();
  for (const { channel, epoch } of [...acknowledged, ...subscribed]) {
    const first = epochs.get(channel) ?? epochs.set(channel, epoch).get(channel);
    if (epoch !== first) faults.push(`${channel}: the epoch changed from ${first} to ${epoch}`);
  }

  const placed = new Map(); // channel -> offset -> name
  for (const { channel, offset, ...publication } of acknowledged) {
    const offsets = placed.get(channel) ?? placed.set(channel, new Map()).get(channel);
    const name = nameOf(publication);
    if (offsets.has(offset))
      faults.push(`${channel}: ${offsets.get(offset)} and ${name} are both at ${offset}`);
    offsets.set(offset, name);
  }

  for (const { subscriber, channel, publications } of received) {
    const offsets = placed.get(channel) ?? new Map();
    const seen = new Set();
    const lastOf = new Map();
    let last = 0;
    const fault = (what) => faults.push(`${subscriber} ${channel}: ${what}`);
    for (const publication of publications) {
      const { publisher, number, offset } = publication;
      const name = nameOf(publication);
      if (offset > last + 1) fault(`a hole: ${offset} follows ${last}`);
      if (offset <= last) fault(`out of order: ${offset} follows ${last}`);
      if (seen.has(name)) fault(`doubled: ${name}`);
      if (number <= (lastOf.get(publisher) ?? 0)) fault(`out of order: ${name}`);
      if (!offsets.has(offset)) fault(`never acknowledged: ${name} at ${offset}`);
      else if (offsets.get(offset) !== name)
        fault(`${name} where ${offsets.get(offset)} was acknowledged`);
      seen.add(name);
      lastOf.set(publisher, number);
      last = offset;
    }
    for (const [offset, name] of offsets) if (!seen.has(name)) fault(`lost: ${name} at ${offset}`);
  }
  return faults;
}

// --- Does the judge see what is wrong? Each of these harms a copy of a log without faults.
const harms = [
  [/lost/, 'one is lost', ({ received }) => received[1].publications.splice(2, 1)],
  [/lost/, 'the last is lost', ({ received }) => received[0].publications.pop()],
  [/lost/, 'all are lost', ({ received }) => (received[0].publications = [])],
  [/doubled/, 'one comes twice', ({ received }) => repeat(received[1].publications, 2)],
  [
    /doubled/,
    'one is published twice',
    ({ acknowledged, received }) => {
      const { channel } = received[0];
      for (const { publications } of received.filter((of) => of.channel === channel)) {
        const [first] = publications;
        publications.push({ ...first, offset: publications.at(-1).offset + 1 });
      }
      const end = received[0].publications.at(-1);
      acknowledged.push({
        ...end,
        channel,
        epoch: acknowledged.find((of) => of.channel === channel).epoch,
      });
    },
  ],
  [/out of order/, 'two change places', ({ received }) => swap(received[1].publications, 1, 2)],
  [
    /where .* was acknowledged/,
    'two change places, under each other’s offsets',
    ({ received }) => {
      const { publications } = received[0];
      swap(publications, 1, 2);
      [publications[1].offset, publications[2].offset] = [
        publications[2].offset,
        publications[1].offset,
      ];
    },
  ],
  [
    /hole/,
    'an offset is left out',
    ({ received }) => received[0].publications.slice(2).forEach((of) => of.offset++),
  ],
  [
    /never acknowledged/,
    'one comes from nowhere',
    ({ received }) => extend(received[0].publications),
  ],
  [
    /are both at/,
    'two are acknowledged at one offset',
    ({ acknowledged }) => (acknowledged[1].offset = otherOffset(acknowledged)),
  ],
  [
    /was told/,
    'one comes back without recovery',
    ({ subscribed }) => Object.assign(subscribed.at(-1), { wasRecovering: true, recovered: false }),
  ],
  [/epoch/, 'a stream begins anew', ({ subscribed }) => (subscribed.at(-1).epoch = 'AnotherX')],
  [
    /epoch/,
    'another stream acknowledges',
    ({ acknowledged }) => (acknowledged.at(-1).epoch = 'AnotherX'),
  ],
];

const repeat = (list, at) => list.splice(at, 0, { ...list[at] });
const swap = (list, a, b) => ([list[a], list[b]] = [list[b], list[a]]);
const extend = (list) =>
  list.push({ publisher: 'nobody', number: 1, offset: list.at(-1).offset + 1 });
const otherOffset = (list) =>
  list.find((of) => of !== list[1] && of.channel === list[1].channel).offset;

// Whether the judge finds nothing in the log, and each harm that is done to a copy; says each.
export function tryJudge(log, say = console.log) {
  let good = true;
  const tell = (well, what) => {
    good &&= well;
    say(`${well ? 'ok' : 'not ok'} the judge sees that ${what}`);
  };
  tell(judge(log).length === 0, 'all is well');
  for (const [words, what, harm] of harms) {
    const copy = structuredClone(log);
    harm(copy);
    tell(
      judge(copy).some((fault) => words.test(fault)),
      what,
    );
  }
  return good;
}

// Two publishers to two channels with two subscribers, one of which came back once.
export function soundLog() {
  const log = { acknowledged: [], received: [], subscribed: [] };
  for (const channel of ['a', 'b']) {
    const publications = [];
    for (let offset = 1; offset <= 8; ++offset) {
      const [publisher, number] = [`p${offset % 2}`, Math.ceil(offset / 2)];
      publications.push({ publisher, number, offset });
      log.acknowledged.push({ channel, publisher, number, offset, epoch: 'EpochOf' + channel });
    }
    for (const subscriber of ['s0', 's1']) {
      log.received.push({ subscriber, channel, publications: structuredClone(publications) });
      log.subscribed.push({
        subscriber,
        channel,
        epoch: 'EpochOf' + channel,
        wasRecovering: false,
        recovered: false,
      });
    }
  }
  log.subscribed.push({
    subscriber: 's1',
    channel: 'b',
    epoch: 'EpochOfb',
    wasRecovering: true,
    recovered: true,
  });
  return log;
}
