// A hub with a namespace for each thing that clients can do, and what they show when they connect.
#pragma once

#include <gmock/gmock.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys.h"
#include "tests/handlers/client/hub_world.h"
#include "tests/handlers/client/signing.h"

namespace spate::test {

inline constexpr std::string_view kChannels = R"({
  "without_namespace": {"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
                        "allow_publish_for_subscriber": true,
                        "allow_publish_for_anonymous": true},
  "namespaces": [
    {"name": "chat", "history_size": 5, "history_ttl": "60s", "force_recovery": true,
     "presence": true, "join_leave": true, "allow_subscribe_for_client": true,
     "allow_publish_for_client": true, "allow_history_for_subscriber": true,
     "allow_presence_for_subscriber": true},
    {"name": "last", "history_size": 1, "history_ttl": "60s", "force_recovery": true,
     "force_recovery_mode": "cache", "auto_cache_recover": true,
     "allow_subscribe_for_client": true},
    {"name": "ticker", "slow_policy": "conflate", "allow_subscribe_for_client": true,
     "history_size": 5, "history_ttl": "60s", "allow_history_for_client": true},
    {"name": "quiet", "allow_subscribe_for_client": true, "allow_publish_for_client": true,
     "exclude_publisher": true},
    {"name": "closed"}
  ]})";

inline ClientOptions anonymous() {
  ClientOptions options;
  options.anonymous = true;
  options.version = "spate test";
  return options;
}

inline std::string token(const std::string& claims) {
  return HmacSigner(HubWorld::kSecret, EVP_sha256()).token(R"({"alg":"HS256"})", claims);
}
inline std::string with_token(const std::string& claims) {
  return R"({"token":")" + token(claims) + "\"}";
}
inline std::string in_seconds(std::int64_t seconds) {
  return std::to_string(core::sys::wall_seconds() + seconds);
}

class ClientTest : public testing::Test {
 protected:
  // How many were told.
  std::optional<std::uint32_t> message_all(std::string_view data,
                                           const std::vector<std::string_view>& except_clients = {},
                                           const std::vector<std::string_view>& except_users = {}) {
    std::optional<std::uint32_t> told;
    world.clients->message_all(data, except_clients, except_users,
                               [&](std::uint32_t count) { told = count; });
    return told;
  }

  HubWorld world{kChannels, anonymous()};
};

}  // namespace spate::test
