#include "handlers/client/websocket_endpoint.h"

#include "codec/frame.h"
#include "core/sys.h"
#include "handlers/outgoing_message.h"
#include "handlers/session.h"

namespace spate::handlers::client {

using core::Connection;

namespace {

constexpr std::string_view kJsonProtocol = "centrifuge-json";
constexpr std::string_view kProtobufProtocol = "centrifuge-protobuf";

codec::Opcode opcode_of(hub::Framing framing) {
  return framing == hub::Framing::websocket_json ? codec::Opcode::text : codec::Opcode::binary;
}

Encoding encoding_of(hub::Framing framing) {
  return framing == hub::Framing::websocket_json ? Encoding::json : Encoding::protobuf;
}

void append_frame(std::string& out, codec::Opcode opcode, std::string_view payload) {
  std::array<std::byte, codec::kMaxServerHeaderBytes> header;
  const std::size_t bytes = codec::build_server_header(header.data(), opcode, payload.size());
  out.append(reinterpret_cast<const char*>(header.data()), bytes).append(payload);
}

// Of a frame that append_frame() made.
ConstBytes payload_of(ConstBytes frame) {
  const auto length = static_cast<std::uint8_t>(frame[1]);
  return frame.subspan(length == 127 ? 10 : length == 126 ? 4 : 2);
}

Connection& connection_of(ClientTransport::Link link) {
  return *static_cast<Connection*>(link);
}

Session& session_of(Connection& connection) {
  return *static_cast<Session*>(connection.protocol);
}

// Whether a query string has `pair`, as it stands.
bool has_parameter(std::string_view query, std::string_view pair) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    if (query.substr(0, end) == pair) return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

}  // namespace

// --- Frames for many.

bool WebSocketEncoder::publication(hub::Framing framing, std::string& out, std::string_view channel,
                                   const Publication& publication, hub::Epoch epoch) {
  const Encoding encoding = encoding_of(framing);
  Publication fitting = publication;
  if (encoding == Encoding::json) {
    if (!is_json(publication.data)) return false;
    fitting.data = one_line(publication.data, line_);
  }
  if (fitting.info) fitting.info = fit(*fitting.info, encoding);
  message_.clear();
  writer_of(encoding).publication(message_, channel, fitting, epoch);
  append_frame(out, opcode_of(framing), message_);
  return true;
}

void WebSocketEncoder::join(hub::Framing framing, std::string& out, std::string_view channel,
                            const ClientInfo& info) {
  message_.clear();
  writer_of(encoding_of(framing)).join(message_, channel, fit(info, encoding_of(framing)));
  append_frame(out, opcode_of(framing), message_);
}

void WebSocketEncoder::leave(hub::Framing framing, std::string& out, std::string_view channel,
                             const ClientInfo& info) {
  message_.clear();
  writer_of(encoding_of(framing)).leave(message_, channel, fit(info, encoding_of(framing)));
  append_frame(out, opcode_of(framing), message_);
}

// --- One client.

void WebSocketTransport::turn(Link link, const std::function<void()>& work) {
  table_.with(connection_of(link), work);
}

void WebSocketTransport::send(Link link, hub::Framing framing, std::string_view messages,
                              bool urgent) {
  Connection& connection = connection_of(link);
  if (!urgent || !table_.has_backlog(connection)) {
    session_of(connection).send(connection, opcode_of(framing), as_bytes(messages));
    if (messages.size() >= kLargeAnswerBytes) (void)table_.flush_now(connection);
    return;
  }
  frame_.clear();
  append_frame(frame_, opcode_of(framing), messages);
  table_.write_urgent(connection, as_bytes(frame_));
}

void WebSocketTransport::send(Link link, hub::Framing framing, hub::PushBatch& batch,
                              std::size_t from, std::size_t to) {
  Connection& connection = connection_of(link);
  Session& session = session_of(connection);
  const auto at = static_cast<std::size_t>(framing);
  if (!session.compresses())
    return session.send_frames(connection, batch.blocks[at], batch.bytes_of(framing, from, to),
                               to - from);
  auto& messages = batch.messages[at];
  messages.resize(batch.pushes.size());
  for (std::size_t i = from; i < to; ++i) {
    if (messages[i] == nullptr) {
      const ConstBytes frame = batch.bytes_of(framing, i, i + 1);
      messages[i] = std::make_unique<OutgoingMessage>(opcode_of(framing), payload_of(frame));
    }
    session.send(connection, *messages[i]);
  }
}

void WebSocketTransport::send(Link link, const core::BlockRef& framed) {
  session_of(connection_of(link)).send_frames(connection_of(link), framed);
}

void WebSocketTransport::ping(Link link) {
  session_of(connection_of(link)).ping(connection_of(link));
}

core::Tick WebSocketTransport::last_heard(Link link) const {
  return connection_of(link).last_rx;
}

bool WebSocketTransport::has_backlog(Link link) const {
  return table_.has_backlog(connection_of(link));
}

std::uint64_t WebSocketTransport::unsent_bytes(Link link) const {
  return table_.unsent_bytes(connection_of(link));
}

void WebSocketTransport::arm(Link link, core::Tick deadline) {
  table_.arm(connection_of(link), deadline);
}

void WebSocketTransport::pause(Link link) {
  table_.pause_reading(connection_of(link));
}

void WebSocketTransport::resume(Link link) {
  table_.resume_reading(connection_of(link));
}

void WebSocketTransport::close(Link link, const Disconnect& why) {
  session_of(connection_of(link)).close(connection_of(link), why.code, why.reason);
}

// --- The endpoint.

Admission WebSocketEndpoint::admit(const UpgradeRequest& request) {
  if (const auto remedy = clients_.turn_away(core::sys::monotonic_ns()))
    return Admission::refuse(503, *remedy);
  origin_ = {};
  Admission admission;
  bool protobuf = has_parameter(request.head.query, "format=protobuf") ||
                  has_parameter(request.head.query, "cf_protocol=protobuf");
  codec::SubprotocolOffers offers = request.handshake.offers;
  for (auto name = offers.next(); !name.empty(); name = offers.next()) {
    if (name == kProtobufProtocol) {
      protobuf = true;
      admission.subprotocol = kProtobufProtocol;
      break;
    }
    if (name == kJsonProtocol) admission.subprotocol = kJsonProtocol;
  }
  if (protobuf) origin_.framing = hub::Framing::websocket_protobuf;
  origin_.frame_pings = has_parameter(request.head.query, "cf_ws_frame_ping_pong=true");
  user_.clear();
  if (!user_header_.empty())
    if (const codec::HttpHeader* const header = request.head.find(user_header_))
      user_ = header->value;
  return admission;
}

void WebSocketEndpoint::on_open(WebSocket& socket) {
  origin_.user = user_;
  socket.user() = &clients_.open(transport_, &socket.connection(), origin_);
}

void WebSocketEndpoint::on_message(WebSocket& socket, const Message& message) {
  static_cast<Client*>(socket.user())->on_frame(message.payload);
}

core::Tick WebSocketEndpoint::on_timer(WebSocket& socket, core::Tick now) {
  auto* const client = static_cast<Client*>(socket.user());
  return client == nullptr ? core::kNoDeadline : client->on_timer(now);
}

void WebSocketEndpoint::on_drained(WebSocket& socket) {
  if (auto* const client = static_cast<Client*>(socket.user())) client->on_drained();
}

codec::CloseCode WebSocketEndpoint::on_drain(WebSocket&) {
  return kDisconnectShutdown.code;
}

void WebSocketEndpoint::on_close(WebSocket& socket, codec::CloseCode, std::string_view) {
  if (auto* const client = static_cast<Client*>(std::exchange(socket.user(), nullptr)))
    client->on_end();
}

}  // namespace spate::handlers::client
