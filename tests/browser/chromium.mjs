// Chromium as a client: pages with WebSockets, without a screen. What is printed, and for whom: see
// ../clients/run. Every line of the browser's console is printed too; only a refused connection may
// cause one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const { chromium } = createRequire(new URL('../clients/', import.meta.url))('playwright-core');

const [first, second, third] = process.argv.slice(2);
const firstEcho = `${first}/echo`;
const secondEcho = `${second}/echo`;
const thirdEcho = `${third}/echo`;
const sizes = [0, 1, 125, 126, 65535, 65536];
const limitBytes = 65536;

// Serves the page's files from a port of its own, and so under an origin of its own. Passes
// connections at /first on to the first server, as a proxy in front of it would.
async function serveFiles() {
  const types = { '.html': 'text/html', '.js': 'text/javascript' };
  const server = http.createServer(async (request, response) => {
    try {
      const file = new URL(`.${request.url}`, import.meta.url);
      const content = await readFile(file);
      response.setHeader('Content-Type', `${types[path.extname(file.pathname)]}; charset=utf-8`);
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.on('upgrade', (request, downstream) => {
    const { hostname, port } = new URL(first);
    const upstream = net.connect(port, hostname);
    const fields = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      fields.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}\r\n`);
    upstream.write(`GET /echo HTTP/1.1\r\n${fields.join('')}\r\n`);
    upstream.pipe(downstream).pipe(upstream);
    for (const [one, other] of [
      [upstream, downstream],
      [downstream, upstream],
    ])
      one.on('error', () => other.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const profile = await mkdtemp(path.join(os.tmpdir(), 'spate-chromium-'));
const files = await serveFiles();
const filesPort = files.address().port;
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

const consoleLines = [];
function onConsole(line) {
  console.log(`console: ${line}`);
  consoleLines.push(line);
}
browser.on('console', (message) => {
  // Browsers ask every server for its icon, when they like; Spate has none.
  if (!message.location().url.endsWith('/favicon.ico'))
    onConsole(`${message.type()}: ${message.text()}`);
});
browser.on('weberror', (error) => onConsole(`uncaught: ${error.error()}`));

async function nextConsoleLine() {
  while (consoleLines.length === 0) await browser.waitForEvent('console', { timeout: 10_000 });
  return consoleLines.shift();
}

async function open(url) {
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}

const page = await open(`http://127.0.0.1:${filesPort}/page.html`);
const call = (name, ...parameters) =>
  page.evaluate(([name, parameters]) => globalThis[name](...parameters), [name, parameters]);

// The status of a refusal stands nowhere but on the console.
async function refused(page, url, status) {
  const end = await page.evaluate((url) => refused(url), url);
  assert.deepEqual(end, { code: 1006, reason: '', wasClean: false });
  assert.equal(
    await nextConsoleLine(),
    `error: WebSocket connection to '${url}' failed: ` +
      `Error during WebSocket handshake: Unexpected response code: ${status}`,
  );
}

// Connects with a handshake and never says another word, so it is closed for its silence.
async function closedForSilence() {
  const { hostname, port, host } = new URL(second);
  const socket = net.connect(port, hostname);
  socket.write(
    `GET /echo HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
}

const checks = {
  async 'echoes text'() {
    const texts = sizes.map((size) => 'abcdefghijklm'.repeat(size / 13 + 1).slice(0, size));
    assert.equal(await call('echoText', secondEcho, texts), sizes.length);
  },

  async 'echoes binary'() {
    assert.equal(await call('echoBinary', secondEcho, sizes), sizes.length);
  },

  async 'echoes text that is not ASCII'() {
    const texts = ['Grüße, Jürgen', '日本語のテキスト', '🦀🚀🇫🇷', '\0 \u{10ffff} \x7f', 'é'.repeat(32768)];
    assert.equal(await call('echoText', secondEcho, texts), texts.length);
  },

  async 'gets many messages back in order'() {
    assert.equal(await call('sendInARow', secondEcho, 2000), 2000);
  },

  async "answers the server's pings"() {
    await call('hold', 'pinged', secondEcho);
    await closedForSilence(); // so by now this one would have been closed too
    assert.equal(await call('tryHeld', 'pinged', 'still here'), 'still here');
  },

  async 'agrees on a subprotocol'() {
    const url = `ws://127.0.0.1:${filesPort}/first`;
    assert.equal(await call('agreed', url, ['chat.v1', 'chat.v2']), 'chat.v2');
    assert.equal(await call('agreed', url, ['chat.v1', 'other']), 'chat.v1');
  },

  async 'closes with a code and gets it back'() {
    for (const code of [1000, 3000, 4001])
      assert.deepEqual(await call('closeWith', secondEcho, code, 'bye'), {
        code,
        reason: '',
        wasClean: true,
      });
  },

  async 'closes without a code'() {
    const end = await call('closeWith', secondEcho);
    assert.deepEqual(end, { code: 1005, reason: '', wasClean: true });
  },

  async 'is closed with 1009 past the limit'() {
    for (const [size, asText] of [
      [limitBytes + 1, true],
      [limitBytes + 1, false],
      [2 ** 20, false],
    ])
      assert.equal((await call('endingAfter', secondEcho, size, asText)).code, 1009);
  },

  async 'is refused with 404 at an unknown path'() {
    await refused(page, `${second}/nothing`, 404);
    await refused(page, `${second}/`, 404);
  },

  async 'is refused with 403 from another origin'() {
    await refused(page, firstEcho, 403); // another port
    const elsewhere = await open(`http://localhost:${filesPort}/page.html`);
    await refused(elsewhere, secondEcho, 403); // not among the allowed
    await elsewhere.close();
  },

  async 'is welcome from its own and from an allowed origin'() {
    // Its own: a proxy serves both page and WebSocket, or the page is the server's.
    assert.equal(await call('echoText', `ws://127.0.0.1:${filesPort}/first`, ['welcome']), 1);
    const own = await open(`${first.replace('ws:', 'http:')}/health`);
    const script = await readFile(new URL('page.js', import.meta.url), 'utf8');
    await own.addScriptTag({ content: script });
    assert.equal(await own.evaluate((url) => echoText(url, ['welcome']), firstEcho), 1);
    await own.close();
    assert.equal(await call('echoText', secondEcho, ['welcome']), 1);
  },

  // A browser speaks version 13 only. What it shows at the endpoint's address is a 426 too.
  async 'is refused with 426 for another version'() {
    const address = firstEcho.replace('ws:', 'http:');
    const visitor = await browser.newPage();
    const response = await visitor.goto(address);
    assert.equal(response.status(), 426);
    assert.equal(response.headers()['sec-websocket-version'], '13');
    assert.match(await visitor.innerText('body'), /WebSocket/);
    await visitor.close();
    assert.match(await nextConsoleLine(), /status of 426/);
  },

  async 'compresses'() {
    assert.match(await call('extensions', thirdEcho), /permessage-deflate/);
    const words = (size) => '{"id":17,"name":"user"},'.repeat(size / 24 + 1).slice(0, size);
    const texts = [0, 1, 100, 1000, 65535, 65536, 131072].map(words);
    texts.push(...texts, 'é'.repeat(65536), '日本語🚀'.repeat(5000));
    assert.equal(await call('echoText', thirdEcho, texts), texts.length);
    const binary = [0, 1, 1000, 1000, 131072, 70000];
    assert.equal(await call('echoBinary', thirdEcho, binary), binary.length);
    assert.equal(await call('sendInARow', thirdEcho, 2000), 2000);
  },

  async 'is told 1001 when the server leaves'() {
    await call('hold', 'left', `ws://127.0.0.1:${filesPort}/first`);
    const end = call('endOfHeld', 'left');
    console.log('leave');
    const { code, wasClean } = await end;
    assert.deepEqual({ code, wasClean }, { code: 1001, wasClean: true });
  },
};

// A check that waits for what never comes must fail by name.
async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing came for 20 s')), 20_000);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

try {
  console.log(`Chromium ${browser.browser()?.version() ?? ''}`);
  for (const [name, check] of Object.entries(checks)) {
    try {
      await inTime(check());
      await page.evaluate('0'); // what was on its way to the console is there
      assert.equal(consoleLines.join('\n'), '', 'nothing more on the console');
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}: ${error.message}`);
      process.exitCode = 1;
      consoleLines.length = 0;
    }
  }
} finally {
  await browser.close();
  files.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
