// A client without an SDK: npm's ws, and the protocol's messages as they are.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { Journal, check, withDeadline } from './checks.mjs';
import { encodings, Json } from './encoding.mjs';

export class Wire {
  journal = new Journal(); // replies and pushes, but no pings
  pings = new Journal();
  frames = []; // as they came
  #nextId = 1;

  static async open(scope, spate, encoding = Json, options = {}) {
    const wire = scope.add(new Wire(spate.url, encoding, options));
    await withDeadline('the connection opens', wire.opened);
    return wire;
  }

  // `query` goes behind the URL; `answersPings: false` keeps silent.
  constructor(url, encoding, { query = '', answersPings = true, subprotocols, ...options } = {}) {
    this.encoding = encoding;
    this.socket = new WebSocket(url + query, subprotocols ?? encoding.subprotocols ?? [], options);
    this.opened = once(this.socket, 'open');
    this.opened.catch(() => {});
    this.closed = once(this.socket, 'close').then(([code, reason]) => ({
      code,
      reason: reason.toString(),
    }));
    this.closed.catch(() => {});
    this.socket.on('error', () => {}); // what matters of it is in `opened` and `closed`
    this.socket.on('message', (frame, isBinary) => {
      this.frames.push(frame);
      try {
        assert.equal(isBinary, encoding.binary, 'the opcode is that of the encoding');
        for (const message of encoding.decode(frame)) this.#take(message, answersPings);
      } catch (error) {
        this.journal.add({
          broken: `${error.message} in ${frame.toString('latin1').slice(0, 200)}`,
        });
      }
    });
  }

  #take(message, answersPings) {
    if (Object.keys(message).length > 0) return this.journal.add(message);
    this.pings.add(performance.now());
    if (answersPings && this.socket.readyState === WebSocket.OPEN) this.send({});
  }

  // All in one frame.
  send(...commands) {
    this.socket.send(this.encoding.encode(commands));
  }
  // As it is; `fin` and `binary` may be given.
  sendRaw(frame, options = {}) {
    this.socket.send(frame, options);
  }

  // Sends one command and gives its reply, which may be an error.
  async ask(method, request = {}) {
    const id = this.#nextId++;
    this.send({ id, [method]: request });
    return this.reply(id);
  }
  // The result of a command that must succeed.
  async must(method, request = {}) {
    const reply = await this.ask(method, request);
    assert.ok(reply[method], `${method} answered ${JSON.stringify(reply)}`);
    return reply[method];
  }
  async refused(method, request = {}) {
    const reply = await this.ask(method, request);
    assert.ok(reply.error, `${method} answered ${JSON.stringify(reply)}`);
    assert.ok(reply.error.message, 'an error has a message');
    return reply.error.code;
  }
  connect(request = {}) {
    return this.must('connect', request);
  }

  async #found(what, matches, options) {
    const found = await this.journal.find(
      what,
      (message) => message.broken || matches(message),
      options,
    );
    if (found.broken) throw new Error(found.broken);
    return found;
  }
  reply(id) {
    return this.#found(`a reply to command ${id}`, (message) => message.id === id);
  }
  // The first push that carries `kind`, on the channel if one is given.
  async push(kind, channel, options) {
    const matches = ({ push }) =>
      push?.[kind] && (channel === undefined || push.channel === channel);
    const found = await this.#found(`push of ${kind} on ${channel}`, matches, options);
    return found.push[kind];
  }
  publications(channel) {
    return this.journal
      .all(({ push }) => push?.pub && push.channel === channel)
      .map(({ push }) => push.pub);
  }
  async takePublications(channel, count, options) {
    const matches = ({ push }) => push?.pub && push.channel === channel;
    const found = await this.journal.take(`publications on ${channel}`, count, matches, options);
    return found.map(({ push }) => push.pub);
  }

  // How the server closes it. Reasons are what SDKs can live with: neither empty, which they take
  // for a lost connection, nor JSON, which they take for advice of an older protocol.
  async end(code) {
    const closed = await withDeadline(`close ${code}`, this.closed);
    assert.equal(closed.code, code, `closed with ${closed.code} ${closed.reason}`);
    if (code >= 3000) {
      assert.ok(closed.reason.length > 0 && Buffer.byteLength(closed.reason) <= 123, closed.reason);
      assert.throws(() => JSON.parse(closed.reason), 'a reason is not JSON');
    }
    return closed;
  }

  drop() {
    this.socket.terminate();
    return this.closed;
  }
  close() {
    this.socket.terminate();
  }
}

// The check once for each encoding.
export function onTheWire(name, body) {
  for (const encoding of encodings)
    check(`${name} (ws, ${encoding.name})`, (scope) => body(scope, encoding));
}
