// What a page does with its WebSockets; chromium.mjs calls these by name.
'use strict';

const held = new Map(); // connections that outlive one call, by name

function connect(url, subprotocols = []) {
  const socket = new WebSocket(url, subprotocols);
  socket.binaryType = 'arraybuffer';
  return socket;
}

function event(socket, name) {
  return new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
}

// How a connection ends, whether or not it was ever open.
async function ending(socket) {
  const { code, reason, wasClean } = await event(socket, 'close');
  return { code, reason, wasClean };
}

async function opened(url, subprotocols) {
  const socket = connect(url, subprotocols);
  await Promise.race([
    event(socket, 'open'),
    ending(socket).then(({ code }) => {
      throw new Error(`no connection: ${code}`);
    }),
  ]);
  return socket;
}

async function echo(socket, message) {
  const reply = event(socket, 'message');
  socket.send(message);
  return (await reply).data;
}

async function echoText(url, texts) {
  const socket = await opened(url);
  for (const text of texts)
    if ((await echo(socket, text)) !== text)
      throw new Error(`another text of ${text.length} came back`);
  socket.close();
  return texts.length;
}

async function echoBinary(url, sizes) {
  const socket = await opened(url);
  for (const size of sizes) {
    const data = Uint8Array.from({ length: size }, (_, i) => i * 7);
    // As a view, a buffer and a Blob: the browser has a path for each.
    for (const form of [data, data.buffer, new Blob([data])]) {
      const reply = new Uint8Array(await echo(socket, form));
      if (reply.length !== size || reply.some((byte, i) => byte !== data[i]))
        throw new Error(`another message came back for ${size} bytes`);
    }
  }
  socket.close();
  return sizes.length;
}

async function sendInARow(url, count) {
  const socket = await opened(url);
  const padded = (i) => `${i} ${'x'.repeat(i % 100 ? i % 300 : 20000)}`;
  const messages = Array.from({ length: count }, (_, i) => padded(i));
  let next = 0;
  socket.addEventListener('message', ({ data }) => {
    if (data !== messages[next]) socket.close(4000, `wrong at ${next}`);
    else if (++next === count) socket.close();
  });
  for (const message of messages) socket.send(message);
  const { reason } = await ending(socket);
  if (reason) throw new Error(reason);
  return next;
}

async function extensions(url) {
  const socket = await opened(url);
  socket.close();
  return socket.extensions;
}

async function agreed(url, subprotocols) {
  const socket = await opened(url, subprotocols);
  socket.close();
  return socket.protocol;
}

async function closeWith(url, ...codeAndReason) {
  const socket = await opened(url);
  const end = ending(socket);
  socket.close(...codeAndReason);
  return end;
}

async function endingAfter(url, size, asText) {
  const socket = await opened(url);
  const end = ending(socket);
  socket.send(asText ? 'x'.repeat(size) : new Uint8Array(size));
  return end;
}

function refused(url) {
  return ending(connect(url));
}

// A connection that stays: held under a name, later tried or watched to its end.
async function hold(name, url) {
  const socket = await opened(url);
  held.set(name, { socket, end: ending(socket) });
}
function tryHeld(name, text) {
  return echo(held.get(name).socket, text);
}
function endOfHeld(name) {
  return held.get(name).end;
}
