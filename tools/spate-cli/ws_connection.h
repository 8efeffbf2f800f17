// A WebSocket connection as a client holds it (RFC 6455), one at a time: every call waits, with a
// deadline, and can be ended by a signal.
#pragma once

#include <csignal>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "tools/spate-bench/frames.h"

namespace spate::cli {

// ws://HOST[:PORT][/PATH]
struct WsUrl {
  std::string host;  // an IPv6 address without its brackets
  std::string port = "80";
  std::string authority;  // for the Host header
  std::string path = "/";
};
core::Result<WsUrl> parse_ws_url(std::string_view url);

class WsConnection {
 public:
  // Connects and shakes hands. `waiting` is the signal mask while it waits. The error is a phrase.
  static core::Result<std::unique_ptr<WsConnection>> open(const WsUrl& url,
                                                          const sigset_t& waiting);
  ~WsConnection();
  WsConnection(const WsConnection&) = delete;
  WsConnection& operator=(const WsConnection&) = delete;

  // False: the connection is gone.
  bool send_text(std::string_view text);

  enum class Got : std::uint8_t { message, closed, timed_out, interrupted };
  // The next whole message, pings answered on the way. At most kMaxMessageBytes, or it is closed.
  Got receive(std::string& message, std::int64_t timeout_ms);

  // Why it is closed: the server's code and reason; 1006 and a phrase when it said none (RFC 6455
  // §7.1.5).
  std::uint16_t close_code() const { return close_code_; }
  const std::string& close_reason() const { return close_reason_; }

  // Says goodbye; does not wait for the answer.
  void close();

 private:
  explicit WsConnection(const sigset_t& waiting) : waiting_(waiting) {}
  std::string connect(const WsUrl& url);
  std::string shake_hands(const WsUrl& url);
  enum class Waited : std::uint8_t { ready, timed_out, interrupted };
  Waited wait(short events, std::int64_t deadline_ms) const;
  bool send_bytes(std::string_view bytes);
  bool send_frame(bench::Opcode opcode, std::string_view payload);
  void fail(std::string reason);

  // What FrameReader tells.
  friend class bench::FrameReader;
  void message_begin(bench::Opcode) {}
  void message_bytes(ConstBytes bytes);
  void message_end();
  void control(bench::Opcode opcode, ConstBytes payload);

  const sigset_t waiting_;
  int fd_ = -1;
  std::uint64_t seed_ = 0;
  bench::FrameReader frames_;
  std::string partial_;
  std::deque<std::string> whole_;  // messages that wait for receive()
  bool closed_ = false;
  std::uint16_t close_code_ = 1006;
  std::string close_reason_;
};

}  // namespace spate::cli
