// What may be set about clients, as plain data; settings.cc binds it to flags.
#pragma once

#include <cstdint>
#include <string>

#include "core/timer_wheel.h"

namespace spate::handlers::client {

struct ClientOptions {
  std::uint32_t ping_interval_ms = 25'000;  // 0: no pings
  std::uint32_t pong_timeout_ms = 8'000;
  std::uint32_t stale_close_ms = 10'000;        // to connect in
  std::uint32_t expired_close_ms = 25'000;      // after a connection's expiry
  std::uint32_t expired_sub_close_ms = 25'000;  // after a subscription's
  std::uint32_t channel_limit = 128;
  std::uint32_t channel_max_length = 255;
  std::uint32_t history_max_publications = 300;  // for clients' history, and for recovery
  std::uint32_t user_connection_limit = 0;       // of one worker; 0: none
  std::uint32_t connection_limit = 0;            // of all users together; 0: none
  std::uint32_t connection_rate_limit = 0;       // new ones a second; 0: none
  bool anonymous = false;                        // connect without a token
  bool anonymous_tokens = true;                  // take tokens without a user
  bool insecure = false;                         // no token, no permission: for development
  bool user_channels = false;                    // subscribe everybody to their personal channel
  std::string user_channel_namespace;            // of that
  std::string user_header;  // of a trusted proxy; names the user. Empty: none is believed
  std::uint64_t recovery_max_bytes = 512 * 1024;  // more is not recovered; half the queue's bound
  std::string version;                            // as the connect result says it
};

}  // namespace spate::handlers::client
