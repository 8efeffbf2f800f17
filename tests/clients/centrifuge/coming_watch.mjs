// Watches who joins and leaves each of some channels, from a worker that lives as long as the watch:
// what joins and leaves say must be, channel by channel, who is present in the end.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { Sdk, sdks } from './sdk.mjs';

// The inode of the server's end of a connection (proc(5), /proc/net/tcp: ports are hexadecimal).
function inodeOf(serverPort, clientPort) {
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, remote]) => local?.endsWith(`:${hex(serverPort)}`) && remote?.endsWith(`:${hex(clientPort)}`))
    ?.at(9);
}

function holds(pid, inode) {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false; // closed meanwhile
    }
  });
}

export class ComingWatch {
  #balances = new Map(); // channel -> client -> joins less leaves
  heard = 0;

  // Must come before anybody else does.
  static async start(scope, spate, channels) {
    const watch = new ComingWatch();
    const client = new Sdk(scope, spate, sdks[0]);
    watch.client = client;
    await client.connected();
    for (const channel of channels) {
      const balance = new Map();
      watch.#balances.set(channel, balance);
      const subscription = client.client.newSubscription(channel);
      const count = (change) => ({ info }) => {
        watch.heard += 1;
        balance.set(info.client, (balance.get(info.client) ?? 0) + change);
      };
      subscription.on('join', count(1)).on('leave', count(-1));
      subscription.subscribe();
      await subscription.ready(10_000);
    }
    const inode = inodeOf(Number(spate.address.split(':')[1]), client.socket._socket.localPort);
    watch.worker = spate.workers().find((pid) => holds(pid, inode));
    if (watch.worker === undefined) throw new Error('no worker has the connection of the watch');
    return watch;
  }

  id() {
    return this.client.id();
  }

  // Clients of which another thing was said than what is; `present` gives those of a channel. As many
  // as the server counts as not told are no fault.
  errors(present) {
    const found = [];
    for (const [channel, balance] of this.#balances) {
      const there = new Set(present(channel));
      for (const id of new Set([...balance.keys(), ...there])) {
        const said = balance.get(id) ?? 0;
        const right = there.has(id) ? 1 : 0;
        if (said !== right) found.push(`${channel}: ${id} is ${said} times there, not ${right}`);
      }
    }
    return found;
  }

  // What was said meanwhile would be missing.
  interrupted() {
    return this.client.count('connecting') > 1;
  }
}
