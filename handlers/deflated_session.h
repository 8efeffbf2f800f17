// A Session whose connections negotiated permessage-deflate: RSV1 marks a compressed message, which
// the handler sees inflated, and what the handler sends is compressed where that makes it smaller.
//
// A class of its own, so that a plain connection pays nothing for it.
#pragma once

#include <optional>

#include "handlers/deflation.h"
#include "handlers/session.h"

namespace spate::handlers {

// What had been received when a connection was paused stays compressed until it is resumed.
class DeflatedSession final : public Session {
 public:
  // options.deflation is not null.
  DeflatedSession(core::ConnectionTable& table, WebSocketHandler& handler,
                  const SessionOptions& options);

  // The answer to a client's offers; without one the connection is a plain Session's.
  std::optional<codec::DeflateAgreement> negotiate(const codec::ExtensionOffers& offers) {
    return deflation_->negotiate(offers);
  }
  // Takes over a connection whose 101 response, with that answer, has been written.
  void adopt(core::Connection& connection, const codec::DeflateTerms& terms);

  void on_open(core::Connection& connection) override;
  core::Kept on_bytes(core::Connection& connection, const core::ReceiveWindow& window) override;
  void on_resumed(core::Connection& connection) override;
  void on_close(core::Connection& connection, core::CloseCause cause) override;

 private:
  void deliver_inflated(core::Connection& connection, codec::Opcode opcode, ConstBytes payload);
};

}  // namespace spate::handlers
