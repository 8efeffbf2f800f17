// Replays the samples of docs/protocol.md, each on a server of its own, so that the page stays true.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { check, show, until, withDeadline } from '../checks.mjs';
import { Json, Protobuf } from '../encoding.mjs';
import { Spate } from '../spate.mjs';
import { now, sign } from '../token.mjs';
import { Wire } from '../wire.mjs';

const page = readFileSync(new URL('../../../../docs/protocol.md', import.meta.url), 'utf8');
const blocks = (kind) =>
  [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, of]) => of === kind)
    .map(([, , text]) => text);
const [settings, claims] = blocks('json').map((text) => JSON.parse(text));
const key = settings['token-hmac-secret'];
const tokenNamed = (name) => sign({ exp: now() + 300, ...claims[name] }, { key });

// Whether a message is what the page says. Text with … is bound to what is met first.
function matches(expected, actual, bound, name) {
  if (name === 'ttl') return actual === expected || actual === expected - 1; // a second may have passed
  if (typeof expected === 'string' && expected.includes('…')) {
    const [begin] = expected.split('…');
    if (name === 'version') return typeof actual === 'string' && actual.startsWith(begin);
    if (!bound.has(expected)) bound.set(expected, actual);
    return bound.get(expected) === actual;
  }
  if (expected === null || typeof expected !== 'object') return actual === expected;
  if (actual === null || typeof actual !== 'object') return false;
  const keys = Object.keys(expected).map((of) => (bound.has(of) ? [of, bound.get(of)] : [of, of]));
  return (
    Array.isArray(expected) === Array.isArray(actual) &&
    Object.keys(actual).length === keys.length &&
    keys.every(([of, real]) => real in actual && matches(expected[of], actual[real], bound, of))
  );
}

const fillIn = (text, bound) => {
  for (const [placeholder, value] of bound) text = text.replaceAll(placeholder, value);
  return text.replace(/"token":"([A-Z]+)"/, (_, name) => `"token":"${tokenNamed(name)}"`);
};

// The lines of a block, those of one side together.
function* steps(block) {
  let together;
  for (const line of block.trim().split('\n')) {
    const [, kind, text] =
      line.match(/^(→|←|⇒|⇐|--) (.*)$/) ?? assert.fail(`what is this: ${line}`);
    if (kind === together?.kind) together.texts.push(text);
    else {
      if (together) yield together;
      together = { kind, texts: [text] };
    }
  }
  yield together;
}

class Replay {
  bound = new Map();
  #seen = 0; // messages of this connection
  #pings = 0;
  #clean = true; // whether this connection must still connect

  constructor(scope, spate, block) {
    Object.assign(this, { scope, spate, block });
    this.answersPings = !block.includes('\n← {}\n');
  }

  async #open(connects) {
    this.wire = await Wire.open(this.scope, this.spate, Json, { answersPings: this.answersPings });
    this.#seen = this.#pings = 0;
    this.#clean = false;
    if (connects) return;
    await this.wire.connect();
    this.#seen = 1;
  }

  async '→'(texts) {
    if (this.#clean) await this.#open(texts[0].startsWith('{"connect"'));
    this.wire.sendRaw(texts.map((text) => fillIn(text, this.bound)).join('\n'));
  }

  async '←'(texts) {
    if (texts[0].startsWith('close ')) {
      const [, code, reason] = texts[0].match(/^close (\d+) (.*)$/);
      return assert.equal((await this.wire.end(Number(code))).reason, reason);
    }
    const pings = texts.filter((text) => text === '{}').length;
    if (pings) await this.wire.pings.take('pings', (this.#pings += pings), () => true);
    const expected = texts.filter((text) => text !== '{}').map((text) => JSON.parse(text));
    const all = await this.wire.journal.take(
      `messages, such as ${texts.at(-1)}`,
      this.#seen + expected.length,
      () => true,
    );
    const actual = all.slice(this.#seen);
    this.#seen = all.length;
    for (let i = 0; i < expected.length; ++i) {
      // A publication and the reply to who published it come in either order.
      const published = [actual[i], actual[i + 1]].some((message) => message?.publish);
      if (published && !expected[i].publish !== !actual[i].publish)
        [actual[i], actual[i + 1]] = [actual[i + 1], actual[i]];
      assert.ok(
        matches(expected[i], actual[i], this.bound),
        `${show(expected[i])} on the page, came ${show(actual[i])}`,
      );
    }
  }

  async '⇒'([text]) {
    const [, method, body] = text.match(/^POST \/api\/(\w+) (.*)$/);
    const headers = { 'X-API-Key': settings['api-key'] };
    this.answer = await this.spate.call(method, fillIn(body, this.bound), { headers });
  }

  async '⇐'([text]) {
    const { json } = this.answer;
    assert.ok(
      matches(JSON.parse(text), json, this.bound),
      `${text} on the page, came ${show(json)}`,
    );
  }

  async '--'() {
    await this.wire.drop();
    this.#clean = true;
  }
}

blocks('wire').forEach((block, i) =>
  check(
    `sample ${i + 1} of docs/protocol.md: ${block.trim().split('\n')[0].slice(0, 70)}`,
    async (scope) => {
      const spate = await Spate.start(settings);
      const replay = new Replay(scope, spate, block);
      for (const { kind, texts } of steps(block)) await replay[kind](texts);
      await replay.wire?.drop();
      await spate.stop();
    },
  ),
);

blocks('bytes').forEach((block) =>
  check('the sample of bytes in docs/protocol.md', async (scope) => {
    const spate = await Spate.start(settings);
    const wire = await Wire.open(scope, spate, Protobuf);
    const bytes = (text) => Buffer.from(text.replaceAll(/[^0-9a-f]/g, ''), 'hex');
    for (const { kind, texts } of steps(block)) {
      const end = bytes(texts[0]);
      if (kind === '→') wire.sendRaw(end, { binary: true });
      else
        await until('these bytes', () =>
          Buffer.concat(wire.frames).subarray(-end.length).equals(end),
        );
    }
    await withDeadline('the replies', wire.reply(2));
    await wire.drop();
    await spate.stop();
  }),
);
