// What a topic is made of: checks by name, run side by side, each within a deadline; and how they
// wait: for a condition, never for a time that should be long enough.
import { setTimeout as sleep } from 'node:timers/promises';

const waitLimitMs = 12_000;
const checkLimitMs = 60_000;
const atOnce = 12;
const registered = [];

export function check(name, body) {
  registered.push({ name, body });
}

// Time itself as what a check needs: for what must not happen, or must expire.
export const pass = (ms) => sleep(ms);

// The first truthy value that `probe` gives.
export async function until(what, probe, { within = waitLimitMs, every = 10 } = {}) {
  const deadline = performance.now() + within;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(every);
  }
}

export function withDeadline(what, promise, within = waitLimitMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never: ${what}`)), within);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// What happened, in order. Whoever waits for something that came already gets it.
export class Journal {
  entries = [];
  #waiting = new Set();

  add(entry) {
    this.entries.push(entry);
    for (const waiter of this.#waiting) waiter();
  }

  all(matches) {
    return this.entries.filter(matches);
  }

  // The first that matches, from the given index on.
  find(what, matches, { from = 0, within } = {}) {
    const found = () => this.entries.find((entry, index) => index >= from && matches(entry));
    return this.#once(what, found, within);
  }

  // The first `count` that match, once there are so many.
  take(what, count, matches, { within } = {}) {
    const found = () => {
      const matching = this.all(matches);
      return matching.length >= count && matching.slice(0, count);
    };
    return this.#once(`${what}, ${count} of them`, found, within);
  }

  async #once(what, probe, within) {
    let waiter;
    const found = new Promise((resolve) => {
      waiter = () => {
        const value = probe();
        if (value) resolve(value);
      };
      this.#waiting.add(waiter);
      waiter();
    });
    try {
      return await withDeadline(what, found, within);
    } catch (error) {
      const last = this.entries.slice(-4).map((entry) => show(entry));
      throw new Error(`${error.message}; the last of ${this.entries.length}: ${last.join(' ')}`);
    } finally {
      this.#waiting.delete(waiter);
    }
  }
}

export const show = (value) => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 240 ? `${text.slice(0, 240)}…` : text;
};

// What one check opened, and names that no other check uses.
let names = 0;
export class Scope {
  #closables = [];

  add(closable) {
    this.#closables.push(closable);
    return closable;
  }
  channel(namespace) {
    const name = `c${++names}`;
    return namespace ? `${namespace}:${name}` : name;
  }
  user() {
    return `user-${++names}`;
  }
  async end() {
    for (const closable of this.#closables.reverse()) await closable.close();
  }
}

// Runs what was registered and says how it went; whether all is well.
export async function runChecks(only) {
  const chosen = registered.filter(({ name }) => !only || name.match(only));
  const waiting = [...chosen];
  const failed = [];
  const runner = async () => {
    for (let next; (next = waiting.shift());) {
      const scope = new Scope();
      const began = performance.now();
      try {
        await withDeadline('the end of the check', next.body(scope), checkLimitMs);
        const took = Math.round(performance.now() - began);
        console.log(`ok ${next.name}${took > 5000 ? ` (${took} ms)` : ''}`);
      } catch (error) {
        failed.push(next.name);
        const where = error.stack?.match(/topics\/\w+\.mjs:\d+/)?.[0] ?? '';
        const why = String(error.message).replaceAll(/\s*\n\s*/g, ' | ');
        console.log(`not ok ${next.name}: ${why} ${where && `(${where})`}`);
      }
      await scope.end();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runner));
  console.log(`${chosen.length - failed.length} of ${chosen.length} checks passed`);
  return chosen.length > 0 && failed.length === 0;
}
