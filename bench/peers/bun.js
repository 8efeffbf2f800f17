// Bun, whose sockets are µWebSockets': echo, or every message to all other connections.
//   bun.js echo|fanout PORT
const [kind, port] = process.argv.slice(2);
const everyone = 'everyone';

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response('a WebSocket, please', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    maxPayloadLength: 64 * 1024 * 1024,
    open(socket) {
      if (kind === 'fanout') socket.subscribe(everyone);
    },
    message: kind === 'echo'
      ? (socket, message) => { socket.send(message); }
      : (socket, message) => { socket.publish(everyone, message); },
  },
});
