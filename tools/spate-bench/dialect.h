// What a server speaks around an echo: what it is told first, how it says that it is ready, pings
// of its own protocol, and the envelope in which each message goes out and comes back.
//
//   from the server   40{"sid":…}  42["m","payload"]  2  42["m","payload"]
//   to the judge                          payload                 payload     framed as an echo
//                                                                             server would
// So whoever judges replies need not know of it. What is in no envelope is passed over.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/spate-bench/control_queue.h"
#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/options.h"

namespace spate::bench {

class Dialect {
 public:
  Dialect(const Options& options, std::size_t connections);

  // For each of the payload sizes.
  [[nodiscard]] const std::vector<Envelope>& envelopes() const { return envelopes_; }

  // A connection begins: puts what the server is told first into `queue`. True when that makes it
  // ready.
  bool greet(std::uint32_t index, std::uint32_t id, ControlQueue& queue);

  struct Heard {
    bool good;          // false: a frame that RFC 6455 forbids
    bool ready;         // the connection has become ready
    ConstBytes frames;  // until the next call
  };
  Heard hear(std::uint32_t index, ConstBytes bytes, ControlQueue& queue);

 private:
  struct Listener;
  struct Line {
    FrameReader reader;
    std::unique_ptr<std::string> partial;  // of a message that came in pieces
    Opcode opcode = Opcode::binary;        // of the message that is coming in
    bool ready = false;
  };

  [[nodiscard]] bool payload_of(std::string_view message, std::string_view& payload) const;
  void pass_on(Opcode opcode, std::string_view payload);

  const Options& options_;
  std::vector<Envelope> envelopes_;
  std::vector<Line> lines_;  // by Connection::index
  std::string frames_;
};

}  // namespace spate::bench
