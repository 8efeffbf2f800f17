// Frames a connection owes the server beside its messages, control frames above all: they may only
// go out between two of those, and the socket may be full.
#pragma once

#include <memory>
#include <string>

#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/worker.h"

namespace spate::bench {

class ControlQueue {
 public:
  void put(Opcode opcode, ConstBytes payload) {
    if (!frames_) frames_ = std::make_unique<std::string>();
    *frames_ += client_frame(opcode, as_text(payload), kKey);
  }
  void ping(ConstBytes payload) { put(Opcode::ping, payload); }
  void pong(ConstBytes payload) { put(Opcode::pong, payload); }
  [[nodiscard]] bool empty() const { return !frames_; }

  // True when all is gone. Not to be called while a frame is half sent. May close the connection.
  bool flush(Worker& worker, Connection& connection, std::uint64_t now) {
    const std::int64_t sent = worker.send(connection, as_bytes(*frames_), now);
    if (sent < 0) return false;
    frames_->erase(0, static_cast<std::size_t>(sent));
    if (!frames_->empty()) return false;
    frames_.reset();
    return true;
  }

 private:
  static constexpr std::uint32_t kKey = 0x6b8b4567;

  std::unique_ptr<std::string> frames_;
};

}  // namespace spate::bench
