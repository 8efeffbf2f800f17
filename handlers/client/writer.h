// Replies and pushes as bytes. One writer an encoding serves everybody: it keeps nothing.
//
// Each call appends one message to `out`, framed: JSON behind a newline when `out` is not empty,
// Protobuf behind its length. What `out` then holds may be sent in one WebSocket message. What is
// zero or empty is left out, but for what clients count on; a payload that is not empty is written
// as it is. One that is not JSON, or not on one line, is the caller's to keep from JSON clients.
// Text is UTF-8. Allocates only where `out` must grow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "handlers/client/protocol.h"

namespace spate::handlers::client {

class MessageWriter {
 public:
  virtual ~MessageWriter() = default;

  // --- Replies.
  virtual void error(std::string& out, std::uint32_t id, const Error& error) = 0;
  virtual void connected(std::string& out, std::uint32_t id, const ConnectResult& result,
                         std::span<const ConnectedSubscription> subs) = 0;
  virtual void subscribed(std::string& out, std::uint32_t id, const SubscribeResult& result) = 0;
  // unsubscribe, publish and ping, whose results are empty objects.
  virtual void done(std::string& out, std::uint32_t id, Method method) = 0;
  virtual void presence(std::string& out, std::uint32_t id,
                        std::span<const hub::PresenceEntry> entries) = 0;
  virtual void presence_stats(std::string& out, std::uint32_t id,
                              const hub::PresenceStats& stats) = 0;
  virtual void history(std::string& out, std::uint32_t id,
                       std::span<const hub::KeptPublication> publications, StreamPosition top) = 0;
  virtual void rpc(std::string& out, std::uint32_t id, std::string_view data) = 0;
  // refresh or sub_refresh.
  virtual void refreshed(std::string& out, std::uint32_t id, Method method,
                         const Expiry& expiry) = 0;

  // --- Pushes.
  virtual void ping(std::string& out) = 0;
  // `epoch` is written when it is one: with the first publication of a stream.
  virtual void publication(std::string& out, std::string_view channel,
                           const Publication& publication, hub::Epoch epoch) = 0;
  virtual void join(std::string& out, std::string_view channel, const ClientInfo& info) = 0;
  virtual void leave(std::string& out, std::string_view channel, const ClientInfo& info) = 0;
  virtual void subscribe(std::string& out, std::string_view channel,
                         const SubscribeResult& result) = 0;
  virtual void unsubscribe(std::string& out, std::string_view channel, const Unsubscribed& why) = 0;
  virtual void message(std::string& out, std::string_view data) = 0;
  virtual void disconnect(std::string& out, const Disconnect& why) = 0;
  virtual void refresh(std::string& out, const Expiry& expiry) = 0;
};

// They live as long as the process.
MessageWriter& json_writer();
MessageWriter& protobuf_writer();
inline MessageWriter& writer_of(Encoding encoding) {
  return encoding == Encoding::json ? json_writer() : protobuf_writer();
}

}  // namespace spate::handlers::client
