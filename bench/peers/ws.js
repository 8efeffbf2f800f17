// Node ws: echo, or every message to all other connections.  ws.js echo|fanout PORT
import { WebSocketServer } from 'ws';

const [kind, port] = process.argv.slice(2);
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(port),
  backlog: 4096,
  perMessageDeflate: false,
});

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
