// Node ws: echo, or every message to all other connections.
//   ws.js echo|fanout PORT [--deflate] [--certificate FILE --key FILE]
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const { values: flags, positionals: [kind, port] } = parseArgs({
  allowPositionals: true,
  options: {
    certificate: { type: 'string' }, key: { type: 'string' }, deflate: { type: 'boolean' },
  },
});
const http = flags.certificate
  ? createTlsServer({ cert: readFileSync(flags.certificate), key: readFileSync(flags.key) })
  : createServer();
const server = new WebSocketServer({
  server: http,
  perMessageDeflate: flags.deflate && {
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    threshold: 0,
    zlibDeflateOptions: { level: 3 },
  },
});
http.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });

server.on('connection', (socket) => {
  // A connection that breaks is closed; nothing more is to be done about it.
  socket.on('error', () => {});
  if (kind === 'echo') {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    return;
  }
  socket.on('message', (data, binary) => {
    for (const other of server.clients) if (other !== socket) other.send(data, { binary });
  });
});
