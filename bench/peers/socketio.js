// Socket.IO over WebSocket: the event `m` back, or to all other connections.
//   socketio.js echo|fanout PORT
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const [kind, port] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  maxHttpBufferSize: 64e6,
});

// Its manual: the first request of a connection need not be kept.
io.engine.on('connection', (connection) => { connection.request = null; });
io.on('connection', (socket) => {
  socket.on('m', kind === 'echo'
    ? (data) => { socket.emit('m', data); }
    : (data) => { socket.broadcast.emit('m', data); });
});
http.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
