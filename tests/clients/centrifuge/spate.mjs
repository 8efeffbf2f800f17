// The real server on free ports of the loopback interface, with a configuration of its own, and
// the server API as back ends call it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, withDeadline } from './checks.mjs';
import { secret } from './token.mjs';

export const apiKey = 'key-of-the-tests';

// Every channel option that the topics need, in namespaces that say what they are for.
const open = {
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
  allow_publish_for_client: true,
  allow_publish_for_anonymous: true,
};
const readable = {
  allow_history_for_client: true,
  allow_history_for_anonymous: true,
  allow_presence_for_client: true,
  allow_presence_for_anonymous: true,
};
const kept = { ...open, ...readable, history_size: 100, history_ttl: '300s', force_recovery: true };
export const channels = {
  without_namespace: { ...open, allow_user_limited_channels: true },
  namespaces: [
    { name: 'kept', ...kept },
    {
      name: 'chaos',
      ...kept,
      history_size: 20000,
      presence: true,
      join_leave: true,
      force_push_join_leave: true,
    },
    { name: 'short', ...kept, history_size: 5 },
    { name: 'long', ...kept, history_size: 20000 },
    { name: 'brief', ...kept, history_ttl: '1s', history_meta_ttl: '2s' },
    { name: 'cache', ...kept, history_size: 1, force_recovery_mode: 'cache' },
    {
      name: 'asked',
      ...kept,
      force_recovery: false,
      allow_recovery: true,
      allow_positioning: true,
    },
    { name: 'offered', ...open, history_size: 10, history_ttl: '300s', force_positioning: true },
    {
      name: 'room',
      ...open,
      ...readable,
      presence: true,
      join_leave: true,
      force_push_join_leave: true,
    },
    { name: 'closed' },
    {
      name: 'closedkept',
      history_size: 10,
      history_ttl: '300s',
      force_recovery: true,
      presence: true,
    },
    { name: 'json', ...open, publication_data_format: 'json' },
    { name: 'objects', ...open, publication_data_format: 'json_object' },
    { name: 'bytes', ...open, publication_data_format: 'binary' },
    { name: 'quiet', ...open, exclude_publisher: true },
    { name: 'quietkept', ...kept, exclude_publisher: true },
    {
      name: 'members',
      ...open,
      allow_publish_for_client: false,
      allow_publish_for_subscriber: true,
    },
    { name: 'coded', ...open, channel_regex: '^[a-z]{3}$' },
  ],
};

const running = new Set();
process.on('exit', () => running.forEach((spate) => spate.process.kill('SIGKILL')));
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

export class Spate {
  static binary = '';
  static workers = 1; // of those that do not say
  log = '';

  // Settings under their names in the configuration file; they win over those that all share.
  static async start(settings = {}) {
    const spate = new Spate(settings);
    await spate.#listening();
    return spate;
  }

  // The last lines of what each that still runs has said.
  static logs() {
    const tail = ({ address, log }) => [
      `--- the server at ${address}`,
      ...log.split('\n').slice(-12),
    ];
    return [...running].flatMap(tail).join('\n');
  }

  static async stopAll() {
    for (const spate of running) await spate.stop();
  }

  constructor(settings) {
    this.folder = mkdtempSync(join(tmpdir(), 'spate-'));
    this.settings = {
      listen: '127.0.0.1:0',
      'internal-listen': '127.0.0.1:0',
      workers: Spate.workers,
      channels,
      'client-anonymous': true,
      'token-hmac-secret': secret,
      'api-key': apiKey,
      'drain-delay-ms': 0,
      'drain-seconds': 0,
      ...settings,
    };
    const file = join(this.folder, 'spate.json');
    writeFileSync(file, JSON.stringify(this.settings, null, 2));
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SPATE_'));
    this.process = spawn(Spate.binary, ['--config', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: Object.fromEntries(inherited),
    });
    this.process.stderr.setEncoding('utf8').on('data', (text) => (this.log += text));
    this.ended = once(this.process, 'exit');
    this.ended.catch(() => {}); // when there is no such program, #listening() says so
    running.add(this);
  }

  async #listening() {
    const address = (words) => this.log.match(`${words} (127\\.0\\.0\\.1:\\d+)`)?.[1];
    const both = () => {
      if (this.process.exitCode !== null) throw new Error(`the server ended:\n${this.log}`);
      return address('internal listener on') && address(' listening on');
    };
    await until('the server listens', both, { within: 20_000 });
    this.address = address(' listening on');
    this.internal = address('internal listener on');
    this.url = `ws://${this.address}/connection/websocket`;
  }

  // The same server again, on the same ports, once this one has ended.
  async again() {
    await this.stop();
    return Spate.start({
      ...this.settings,
      listen: this.address,
      'internal-listen': this.internal,
    });
  }

  #children(title) {
    const { pid } = this.process;
    const isOne = (child) => {
      try {
        return readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith(`spate: ${title}`);
      } catch {
        return false; // it has just ended
      }
    };
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number)
      .filter(isOne);
  }

  // Process ids of the workers that live, and of the broker's process, where there is one.
  workers() {
    return this.#children('worker');
  }

  broker() {
    return this.#children('broker')[0];
  }

  // Status and body of a call of the server API.
  async call(
    method,
    body,
    { headers = { 'X-API-Key': apiKey }, query = '', verb = 'POST', timeoutMs = 10_000 } = {},
  ) {
    const response = await fetch(`http://${this.internal}/api/${method}${query}`, {
      method: verb,
      headers,
      body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: response.status, text, json };
  }

  // The result of a call that must succeed.
  async api(method, body = {}) {
    const { status, text, json } = await this.call(method, body);
    if (status !== 200 || !json?.result) throw new Error(`${method}: ${status} ${text}`);
    return json.result;
  }

  publish(channel, data, more = {}) {
    return this.api('publish', { channel, data, ...more });
  }

  // The sum of a metric's values over its labels: those that have these.
  async metric(name, labels = {}) {
    const response = await fetch(`http://${this.internal}/metrics`, {
      signal: AbortSignal.timeout(10_000),
    });
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return (await response.text())
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((each) => line.includes(each)))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  // Tells it to leave; rejects unless it ends with success.
  async stop() {
    if (!running.delete(this)) return;
    if (this.process.exitCode === null && !this.leaving) this.process.kill('SIGTERM');
    try {
      const [code, signal] = await withDeadline('the server ends', this.ended, 20_000);
      if (code !== 0) throw new Error(`the server ended with ${code ?? signal}:\n${this.log}`);
    } finally {
      this.process.kill('SIGKILL');
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  leave() {
    this.leaving = true;
    this.process.kill('SIGTERM');
  }
}
