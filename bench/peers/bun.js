// Bun, whose sockets are µWebSockets': echo, or every message to all other connections.
//   bun.js echo|fanout PORT [--deflate] [--certificate FILE --key FILE]
import { parseArgs } from 'node:util';

const { values: flags, positionals: [kind, port] } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    certificate: { type: 'string' }, key: { type: 'string' }, deflate: { type: 'boolean' },
  },
});
const everyone = 'everyone';

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  tls: flags.certificate && { cert: Bun.file(flags.certificate), key: Bun.file(flags.key) },
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response('a WebSocket, please', { status: 426 });
  },
  websocket: {
    // Shared compressors keep no context; their level cannot be chosen.
    perMessageDeflate: flags.deflate ? { compress: 'shared', decompress: 'shared' } : false,
    idleTimeout: 0,
    maxPayloadLength: 64 * 1024 * 1024,
    open(socket) {
      if (kind === 'fanout') socket.subscribe(everyone);
    },
    message: kind === 'echo'
      ? (socket, message) => { socket.send(message, flags.deflate); }
      : (socket, message) => { socket.publish(everyone, message); },
  },
});
