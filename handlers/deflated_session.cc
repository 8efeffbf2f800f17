#include "handlers/deflated_session.h"

namespace spate::handlers {

namespace {

SessionOptions with_rsv1(SessionOptions options) {
  options.rules.allowed_rsv = 4;
  // Stored blocks, which a compressor falls back to, are at worst a few bytes for every hundred.
  options.rules.max_compressed_bytes =
      options.rules.max_message_bytes + options.rules.max_message_bytes / 16 + 64;
  return options;
}

}  // namespace

DeflatedSession::DeflatedSession(core::ConnectionTable& table, WebSocketHandler& handler,
                                 const SessionOptions& options)
    : Session(table, handler, with_rsv1(options), options.deflation) {
  SPATE_CHECK(deflation_ != nullptr);
}

void DeflatedSession::adopt(core::Connection& connection, const codec::DeflateTerms& terms) {
  begin(connection, deflation_->adopt(terms));
}

// Without an opening handshake, as tests have it: what a client without parameters gets.
void DeflatedSession::on_open(core::Connection& connection) {
  adopt(connection, {});
}

void DeflatedSession::on_resumed(core::Connection& connection) {
  Session::on_resumed(connection);
  table_.replay(connection);
}

void DeflatedSession::on_close(core::Connection& connection, core::CloseCause cause) {
  const DeflatePeer peer = peer_of(connection);
  Session::on_close(connection, cause);  // the handler may still be told
  deflation_->release(peer);
}

// Inflated when it is whole: the worker's inflater cannot wait for the rest of a message. Until
// then the message is held compressed, and is bounded as such.
void DeflatedSession::deliver_inflated(core::Connection& connection, codec::Opcode opcode,
                                       ConstBytes payload) {
  if (connection.data<Data>().close_sent) return;
  const Deflation::Inflated inflated = deflation_->inflate(peer_of(connection), opcode, payload);
  if (inflated.no_memory)
    return fail(connection, codec::kCloseTryAgainLater, "no memory to inflate a message now");
  if (inflated.error != codec::FrameError::none) return fail(connection, inflated.error);
  deliver(connection, nullptr, opcode, inflated.message);
  deflation_->trim();
}

}  // namespace spate::handlers
