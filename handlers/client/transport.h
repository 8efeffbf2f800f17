// What carries a client's messages. One object serves all clients of its kind; what differs per
// client is the link: a WebSocket connection, later a stream of another kind, in tests a list of
// strings.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/timer_wheel.h"
#include "handlers/client/protocol.h"
#include "handlers/hub/channel.h"

namespace spate::handlers::client {

class Client;

// Answers and messages of this size leave at once: what the client does not take is known to the
// next command then, and is bounded by what a client may have waiting.
inline constexpr std::size_t kLargeAnswerBytes = 64 * 1024;

class ClientTransport {
 public:
  using Link = void*;

  // Runs `work`: what it sends to `link` leaves in one write.
  virtual void turn(Link link, const std::function<void()>& work) = 0;
  // Messages as a MessageWriter made them. `urgent` ones may overtake what waits.
  virtual void send(Link link, hub::Framing framing, std::string_view messages, bool urgent) = 0;
  // Pushes [from, to) of a sealed batch, by reference.
  virtual void send(Link link, hub::Framing framing, hub::PushBatch& batch, std::size_t from,
                    std::size_t to) = 0;
  // Finished bytes in the link's framing.
  virtual void send(Link link, const core::BlockRef& framed) = 0;
  // A ping of the transport's own, for clients that asked for those.
  virtual void ping(Link link) = 0;
  // When something last came from the client.
  virtual core::Tick last_heard(Link link) const = 0;
  // Something waits because the client does not read.
  virtual bool has_backlog(Link link) const = 0;
  // All that has been sent and not been taken by the kernel.
  virtual std::uint64_t unsent_bytes(Link link) const = 0;
  // Client::on_timer will be called no later than this.
  virtual void arm(Link link, core::Tick deadline) = 0;
  // Nothing is read from the client until resume(), but for what has been read already.
  virtual void pause(Link link) = 0;
  virtual void resume(Link link) = 0;
  // Sends what is queued, then the end. Client::on_end follows, at once or later.
  virtual void close(Link link, const Disconnect& why) = 0;

 protected:
  ~ClientTransport() = default;
};

}  // namespace spate::handlers::client
