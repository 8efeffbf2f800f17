// npm's ws as a client. What is printed, and for whom: see run.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';

const [first, second, third] = process.argv.slice(2);
const sizes = [0, 1, 125, 126, 65535, 65536];
const limitBytes = 65536;
const pings = 20; // more than the server sends to one that does not answer

function connect({ url = first, path = '/echo', subprotocols = [], ...options } = {}) {
  return new WebSocket(url + path, subprotocols, options);
}

async function opened(options) {
  const socket = connect(options);
  await once(socket, 'open');
  return socket;
}

async function echoes(socket, message) {
  const reply = once(socket, 'message');
  socket.send(message);
  const [data, isBinary] = await reply;
  assert.equal(isBinary, typeof message !== 'string');
  assert.ok(data.equals(Buffer.from(message)), `another message of ${data.length} bytes came back`);
}

async function closedCode(socket) {
  const [code] = await once(socket, 'close');
  return code;
}

async function refusalOf(options) {
  const socket = connect(options);
  socket.on('error', () => {}); // abort() below ends in one
  const [, response] = await once(socket, 'unexpected-response');
  socket.terminate();
  return response;
}

async function closedWith(code, send) {
  const socket = await opened();
  const closed = closedCode(socket);
  send(socket);
  assert.equal(await closed, code);
}

const letters = (size) => 'abcdefghijklm'.repeat(size / 13 + 1).slice(0, size);
const padded = (i) => `${i} ${'x'.repeat(i % 100 ? i % 300 : 20000)}`;
const pattern = (size) => Buffer.from({ length: size }, (_, i) => (i * 7) % 256);

// A message of the kind that applications send, or, now and then, a long or an incompressible one.
function mixedMessage(i) {
  if (i % 250 === 249) return words(131072);
  if (i % 50 === 49) return pattern(1 + (i % 3000)).map((byte, at) => byte ^ ((at * at * i) >> 3));
  return words(1 + ((i * 37) % 1500));
}
const words = (size) =>
  Array.from({ length: size / 20 + 1 }, (_, i) => `{"id":${i % 97},"name":"user"},`)
    .join('')
    .slice(0, size);

async function exchangesCompressed(perMessageDeflate) {
  const socket = await opened({ url: third, perMessageDeflate: { threshold: 0, ...perMessageDeflate } });
  assert.match(socket.extensions, /permessage-deflate/);
  const messages = Array.from({ length: 1000 }, (_, i) => mixedMessage(i));
  let next = 0;
  socket.on('message', (data, isBinary) => {
    const message = messages[next++];
    assert.equal(isBinary, typeof message !== 'string');
    assert.ok(data.equals(Buffer.from(message)), `message ${next - 1} came back as another`);
    if (next === messages.length) socket.close();
  });
  for (const message of messages) socket.send(message);
  await once(socket, 'close');
  assert.equal(next, messages.length);
}

const checks = {
  async 'echoes text'() {
    const socket = await opened();
    for (const size of sizes) await echoes(socket, letters(size));
    socket.close();
  },

  async 'echoes binary'() {
    const socket = await opened();
    for (const size of sizes) await echoes(socket, pattern(size));
    socket.close();
  },

  async 'echoes text that is not ASCII'() {
    const socket = await opened();
    const texts = ['Grüße, Jürgen', '日本語のテキスト', '🦀🚀🇫🇷', '\0 \u{10ffff} \x7f', 'é'.repeat(32768)];
    for (const text of texts) await echoes(socket, text);
    socket.close();
  },

  async 'gets many messages back in order'() {
    const socket = await opened();
    const messages = Array.from({ length: 2000 }, (_, i) => padded(i));
    const replies = [];
    socket.on('message', (data) => {
      replies.push(data.toString());
      if (replies.length === messages.length) socket.close();
    });
    for (const message of messages) socket.send(message);
    await once(socket, 'close');
    assert.deepEqual(replies, messages);
  },

  async 'sends a message in fragments'() {
    const socket = await opened();
    let reply = once(socket, 'message');
    for (const part of ['frag', '', 'men']) socket.send(part, { fin: false });
    socket.ping(); // may come between them (RFC 6455 §5.4)
    socket.send('ts äö', { fin: true });
    assert.equal((await reply)[0].toString(), 'fragments äö');

    reply = once(socket, 'message');
    const whole = pattern(60000);
    for (let at = 0; at < whole.length; at += 300)
      socket.send(whole.subarray(at, at + 300), { fin: at + 300 === whole.length });
    assert.ok((await reply)[0].equals(whole));
    socket.close();
  },

  async 'gets a pong for its ping'() {
    const socket = await opened();
    for (const payload of [Buffer.alloc(0), Buffer.from('here?'), pattern(125)]) {
      const pong = once(socket, 'pong');
      socket.ping(payload);
      assert.deepEqual((await pong)[0], payload);
    }
    socket.close();
  },

  async "answers the server's pings"() {
    const socket = await opened({ url: second });
    for (let i = 0; i < pings; ++i) await once(socket, 'ping');
    await echoes(socket, 'still here');
    socket.close();
  },

  async 'agrees on a subprotocol'() {
    for (const [subprotocols, agreed] of [
      [['chat.v1', 'chat.v2'], 'chat.v2'],
      [['chat.v1', 'other'], 'chat.v1'],
    ]) {
      const socket = await opened({ subprotocols });
      assert.equal(socket.protocol, agreed);
      socket.close();
    }
    // ws itself takes no connection on which none of its subprotocols is spoken.
    const [error] = await once(connect({ subprotocols: ['other'] }), 'error');
    assert.equal(error.message, 'Server sent no subprotocol');
  },

  async 'closes with a code and gets it back'() {
    for (const code of [1000, 3000, 4001])
      await closedWith(code, (socket) => socket.close(code, 'bye'));
  },

  async 'closes without a code'() {
    await closedWith(1005, (socket) => socket.close());
  },

  async 'is closed with 1009 past the limit'() {
    await closedWith(1009, (socket) => socket.send('x'.repeat(limitBytes + 1)));
    await closedWith(1009, (socket) => socket.send(pattern(2 ** 20)));
    await closedWith(1009, (socket) => {
      socket.send('x'.repeat(limitBytes), { fin: false });
      socket.send('x');
    });
  },

  async 'is closed with 1007 for bad text'() {
    for (const bytes of [[0x63, 0xe9], [0xed, 0xa0, 0x80], [0xff], [0xf0, 0x9f]])
      await closedWith(1007, (socket) => socket.send(Buffer.from(bytes), { binary: false }));
  },

  async 'is refused with 404 at an unknown path'() {
    for (const path of ['/nothing', '/', '/echo/x'])
      assert.equal((await refusalOf({ path })).statusCode, 404);
  },

  async 'is refused with 403 from another origin'() {
    for (const origin of ['http://elsewhere.example', 'http://127.0.0.1', 'null'])
      assert.equal((await refusalOf({ origin })).statusCode, 403);
    const lookalike = { url: second, origin: 'https://example.com.evil.test' };
    assert.equal((await refusalOf(lookalike)).statusCode, 403);
  },

  async 'is welcome from its own and from an allowed origin'() {
    for (const [url, origin] of [
      [first, first.replace('ws:', 'http:')],
      [second, 'http://127.0.0.1:1234'],
      [second, 'https://app.example.com'],
    ]) {
      const socket = await opened({ url, origin });
      await echoes(socket, 'welcome');
      socket.close();
    }
  },

  async 'is refused with 426 for another version'() {
    const response = await refusalOf({ protocolVersion: 8 });
    assert.equal(response.statusCode, 426);
    assert.equal(response.headers['sec-websocket-version'], '13');
  },

  async 'compresses'() {
    for (const serverNoContextTakeover of [false, true])
      for (const clientNoContextTakeover of [false, true])
        for (const serverMaxWindowBits of [undefined, 9, 12, 15])
          for (const clientMaxWindowBits of [undefined, 9, 12, 15])
            await exchangesCompressed({
              serverNoContextTakeover,
              clientNoContextTakeover,
              serverMaxWindowBits,
              clientMaxWindowBits,
            });
    // What the server cannot do is declined, and the connection goes on without.
    const socket = await opened({ url: third, perMessageDeflate: { serverMaxWindowBits: 8 } });
    assert.equal(socket.extensions, '');
    await echoes(socket, words(1000));
    socket.close();
  },

  async 'is told 1001 when the server leaves'() {
    const socket = await opened();
    await echoes(socket, 'before');
    const closed = closedCode(socket);
    console.log('leave');
    assert.equal(await closed, 1001);
  },
};

// A check that waits for what never comes must fail by name.
async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it took over a minute')), 60_000);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

for (const [name, check] of Object.entries(checks)) {
  try {
    await inTime(check());
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
process.exit(); // also when a failed check left a connection open
