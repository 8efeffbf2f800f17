// The protocol's two encodings by hand, so that what the server writes is judged by something that
// neither the server nor an SDK brought: frames to objects and back. Payloads (`json` below) are
// JSON values in both; a Buffer is sent as it is, and bytes that are not JSON come back as one.
const info = 'ClientInfo';
const schema = {
  Command: {
    id: [1, 'uint'],
    connect: [4, 'ConnectRequest'],
    subscribe: [5, 'SubscribeRequest'],
    unsubscribe: [6, 'ChannelRequest'],
    publish: [7, 'PublishRequest'],
    presence: [8, 'ChannelRequest'],
    presence_stats: [9, 'ChannelRequest'],
    history: [10, 'HistoryRequest'],
    ping: [11, 'Empty'],
    send: [12, 'Data'],
    rpc: [13, 'RpcRequest'],
    refresh: [14, 'RefreshRequest'],
    sub_refresh: [15, 'SubRefreshRequest'],
  },
  Reply: {
    id: [1, 'uint'],
    error: [2, 'Error'],
    push: [4, 'Push'],
    connect: [5, 'ConnectResult'],
    subscribe: [6, 'SubscribeResult'],
    unsubscribe: [7, 'Empty'],
    publish: [8, 'Empty'],
    presence: [9, 'PresenceResult'],
    presence_stats: [10, 'PresenceStats'],
    history: [11, 'HistoryResult'],
    ping: [12, 'Empty'],
    rpc: [13, 'Data'],
    refresh: [14, 'RefreshResult'],
    sub_refresh: [15, 'Expiry'],
  },
  Empty: {},
  Data: { data: [1, 'json'] },
  ChannelRequest: { channel: [1, 'string'] },
  ConnectRequest: {
    token: [1, 'string'],
    data: [2, 'json'],
    subs: [3, 'SubscribeRequest', 'map'],
    name: [4, 'string'],
    version: [5, 'string'],
    headers: [6, 'string', 'map'],
  },
  SubscribeRequest: {
    channel: [1, 'string'],
    token: [2, 'string'],
    recover: [3, 'bool'],
    epoch: [6, 'string'],
    offset: [7, 'uint'],
    data: [8, 'json'],
    positioned: [9, 'bool'],
    recoverable: [10, 'bool'],
    join_leave: [11, 'bool'],
    delta: [12, 'string'],
    flag: [14, 'uint'],
    type: [15, 'uint'],
  },
  PublishRequest: { channel: [1, 'string'], data: [2, 'json'] },
  HistoryRequest: {
    channel: [1, 'string'],
    limit: [7, 'int32'],
    since: [8, 'Position'],
    reverse: [9, 'bool'],
  },
  Position: { offset: [1, 'uint'], epoch: [2, 'string'] },
  RpcRequest: { data: [1, 'json'], method: [2, 'string'] },
  RefreshRequest: { token: [1, 'string'] },
  SubRefreshRequest: { channel: [1, 'string'], token: [2, 'string'] },
  Error: { code: [1, 'uint'], message: [2, 'string'], temporary: [3, 'bool'] },
  Push: {
    channel: [2, 'string'],
    pub: [4, 'Publication'],
    join: [5, 'Presence'],
    leave: [6, 'Presence'],
    unsubscribe: [7, 'Ended'],
    message: [8, 'Data'],
    subscribe: [9, 'SubscribePush'],
    disconnect: [11, 'Disconnect'],
    refresh: [12, 'Expiry'],
  },
  Presence: { info: [1, info] },
  Ended: { code: [2, 'uint'], reason: [3, 'string'] },
  Disconnect: { code: [1, 'uint'], reason: [2, 'string'] },
  Expiry: { expires: [1, 'bool'], ttl: [2, 'uint'] },
  RefreshResult: {
    client: [1, 'string'],
    version: [2, 'string'],
    expires: [3, 'bool'],
    ttl: [4, 'uint'],
  },
  SubscribePush: {
    recoverable: [1, 'bool'],
    epoch: [4, 'string'],
    offset: [5, 'uint'],
    positioned: [6, 'bool'],
    data: [7, 'json'],
  },
  Publication: {
    data: [4, 'json'],
    info: [5, info],
    offset: [6, 'uint'],
    tags: [7, 'string', 'map'],
    epoch: [14, 'string'],
  },
  ClientInfo: {
    user: [1, 'string'],
    client: [2, 'string'],
    conn_info: [3, 'json'],
    chan_info: [4, 'json'],
  },
  ConnectResult: {
    client: [1, 'string'],
    version: [2, 'string'],
    expires: [3, 'bool'],
    ttl: [4, 'uint'],
    data: [5, 'json'],
    subs: [6, 'SubscribeResult', 'map'],
    ping: [7, 'uint'],
    pong: [8, 'bool'],
    session: [9, 'string'],
    node: [10, 'string'],
  },
  SubscribeResult: {
    expires: [1, 'bool'],
    ttl: [2, 'uint'],
    recoverable: [3, 'bool'],
    epoch: [6, 'string'],
    publications: [7, 'Publication', 'list'],
    recovered: [8, 'bool'],
    offset: [9, 'uint'],
    positioned: [10, 'bool'],
    data: [11, 'json'],
    was_recovering: [12, 'bool'],
  },
  PresenceResult: { presence: [1, info, 'map'] },
  PresenceStats: { num_clients: [1, 'uint'], num_users: [2, 'uint'] },
  HistoryResult: {
    publications: [1, 'Publication', 'list'],
    epoch: [2, 'string'],
    offset: [3, 'uint'],
  },
};

// --- Protobuf: tags, varints and lengths.
function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest ? low | 128 : low);
  } while (rest);
  return Buffer.from(bytes);
}

const sized = (bytes) => Buffer.concat([varint(bytes.length), bytes]);

function write(type, message) {
  const parts = [];
  const put = (number, kind, value) => {
    const scalar = kind === 'uint' || kind === 'int32' || kind === 'bool';
    parts.push(varint((number << 3) | (scalar ? 0 : 2)));
    if (scalar) parts.push(varint(Number(value)));
    else if (kind === 'string') parts.push(sized(Buffer.from(value)));
    else if (kind === 'json') parts.push(sized(payload(value)));
    else parts.push(sized(write(kind, value)));
  };
  for (const [name, value] of Object.entries(message)) {
    const [number, kind, many] = schema[type][name];
    if (many === 'map')
      for (const [key, item] of Object.entries(value)) {
        const entry = [varint((1 << 3) | 2), sized(Buffer.from(key)), varint((2 << 3) | 2)];
        entry.push(sized(kind === 'string' ? Buffer.from(item) : write(kind, item)));
        parts.push(varint((number << 3) | 2), sized(Buffer.concat(entry)));
      }
    else if (many === 'list') for (const item of value) put(number, kind, item);
    else put(number, kind, value);
  }
  return Buffer.concat(parts);
}

const payload = (value) => (Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)));

function readVarint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    if (at >= bytes.length) throw new Error('a varint is cut short');
    const byte = bytes[at++];
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [Number(value), at];
  }
}

function cut(bytes, at) {
  const [length, begin] = readVarint(bytes, at);
  if (begin + length > bytes.length) throw new Error('a length goes beyond the message');
  return [bytes.subarray(begin, begin + length), begin + length];
}

// Calls `take` with each field's number and its value: a number or bytes.
function fields(bytes, take) {
  for (let at = 0, tag, value; at < bytes.length;) {
    [tag, at] = readVarint(bytes, at);
    if ((tag & 7) === 0) [value, at] = readVarint(bytes, at);
    else if ((tag & 7) === 2) [value, at] = cut(bytes, at);
    else throw new Error(`wire type ${tag & 7} is used nowhere in the protocol`);
    take(tag >> 3, value);
  }
}

function read(type, bytes) {
  const message = {};
  const names = new Map(Object.entries(schema[type]).map(([name, of]) => [of[0], [name, ...of]]));
  const valueOf = (kind, value) => {
    if (kind === 'uint' || kind === 'int32') return value;
    if (kind === 'bool') return value !== 0;
    if (kind === 'string') return value.toString();
    return kind === 'json' ? parsed(value) : read(kind, value);
  };
  fields(bytes, (number, value) => {
    if (!names.has(number)) throw new Error(`${type} has no field ${number}`);
    const [name, , kind, many] = names.get(number);
    if (many === 'list') (message[name] ??= []).push(valueOf(kind, value));
    else if (many === 'map') {
      const entry = [];
      fields(value, (part, of) => (entry[part] = of));
      (message[name] ??= {})[entry[1].toString()] = valueOf(kind, entry[2] ?? Buffer.alloc(0));
    } else message[name] = valueOf(kind, value);
  });
  return message;
}

function parsed(bytes) {
  try {
    return JSON.parse(bytes);
  } catch {
    return Buffer.from(bytes);
  }
}

export const Json = {
  name: 'JSON',
  binary: false,
  encode: (commands) => commands.map((command) => JSON.stringify(command)).join('\n'),
  decode(frame) {
    const lines = frame.toString().split('\n');
    if (lines.some((line) => !line.trim())) throw new Error('a line of the message is blank');
    return lines.map((line) => JSON.parse(line));
  },
};

export const Protobuf = {
  name: 'Protobuf',
  binary: true,
  subprotocols: ['centrifuge-protobuf'],
  encode: (commands) => Buffer.concat(commands.map((command) => sized(write('Command', command)))),
  decode(frame) {
    const replies = [];
    for (let at = 0, message; at < frame.length; replies.push(read('Reply', message)))
      [message, at] = cut(frame, at);
    return replies;
  },
};

export const encodings = [Json, Protobuf];
