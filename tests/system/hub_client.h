// The Centrifuge protocol as far as tests of a whole hub need it: a hub's process, connections that
// speak to it frame by frame, and tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/system/server_process.h"
#include "tests/system/ws_client.h"

namespace spate::tests {

inline constexpr std::string_view kTokenSecret = "0123456789abcdef0123456789abcdef";
inline constexpr std::string_view kHubPath = "/connection/websocket";

// A connection token, HS256 (RFC 7519, RFC 7515 §A.1), that does not expire.
std::string token_of(std::string_view user);

// With `channels`, the token secret above, and an internal listener that takes API calls without a
// key. `more`: further flags.
struct HubProcess {
  std::unique_ptr<ServerProcess> server;
  std::uint16_t internal_port = 0;

  // Null server when it did not come up; *why then says so.
  static HubProcess start(std::string channels, std::vector<std::string> more = {},
                          std::string* why = nullptr);
  // POST /api/<method>: the answer's body, or "STATUS <number>" when it is not 200.
  std::string api(std::string_view method, std::string_view body,
                  Deadline deadline = within(std::chrono::seconds(10))) const;
  // A metric without labels, of all workers together; 0 when there is none.
  std::uint64_t metric(std::string_view name) const;

 private:
  std::string ask(std::string_view request_line, std::string_view body, Deadline deadline) const;
};

class HubClient {
 public:
  // Upgrades and connects; null at the deadline.
  static std::unique_ptr<HubClient> connect(const HubProcess& hub, std::string_view user,
                                            Deadline deadline = within(std::chrono::seconds(10)));
  // Only upgrades.
  static std::unique_ptr<HubClient> open(const HubProcess& hub,
                                         Deadline deadline = within(std::chrono::seconds(10)));

  bool say(std::string text, Deadline deadline = within(std::chrono::seconds(10)));
  // The next message, without the server's pings; empty when none came by the deadline, or the
  // connection ended: then close_code() is set.
  std::string hear(Deadline deadline = within(std::chrono::seconds(10)));
  std::uint16_t close_code() const { return close_code_; }
  WsClient& socket() { return *socket_; }

 private:
  explicit HubClient(std::unique_ptr<WsClient> socket) : socket_(std::move(socket)) {}

  std::unique_ptr<WsClient> socket_;
  std::string pending_;  // lines of a frame that were not taken yet
  std::uint16_t close_code_ = 0;
};

}  // namespace spate::tests
