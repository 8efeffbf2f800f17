// The server API in front of a hub: requests as bytes of HTTP, answers with what is random in them
// named.
//
//   EXPECT_EQ(call("publish", R"({"channel":"chat:a","data":1})"),
//             R"({"result":{"offset":1,"epoch":"EPOCH"}})");
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <string>

#include "handlers/http/api.h"
#include "handlers/http/http_protocol.h"
#include "tests/handlers/client/hub_world.h"

namespace spate::test {

constexpr std::string_view kApiChannels = R"({
  "without_namespace": {"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true},
  "namespaces": [
    {"name": "chat", "history_size": 5, "history_ttl": "60s", "force_recovery": true,
     "presence": true, "join_leave": true, "allow_subscribe_for_client": true},
    {"name": "json", "publication_data_format": "json"},
    {"name": "object", "publication_data_format": "json_object"},
    {"name": "bytes", "publication_data_format": "binary"}
  ]})";

inline ClientOptions with_anonymous_clients() {
  ClientOptions options;
  options.anonymous = true;
  options.ping_interval_ms = 0;  // nobody here answers them
  return options;
}

class ApiTest : public testing::Test {
 protected:
  static constexpr const char* kKey = "X-API-Key: the+key\r\n";

  explicit ApiTest(bool insecure = false, std::string key = "the+key") {
    handlers::Api::mount(
        routes, std::make_shared<handlers::Api>(*world.clients, world.workers,
                                                handlers::ApiOptions{.key = std::move(key),
                                                                     .insecure = insecure,
                                                                     .node_id = "the-node",
                                                                     .node_name = "here",
                                                                     .version = "spate test"}));
  }
  // The table outlives what serves its connections, and would tell it of their end.
  ~ApiTest() override {
    loop.table.for_each([this](core::Connection& each) { loop.table.abort(each); });
  }

  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
  };
  // `target` is what stands behind /api/.
  Answer ask(const std::string& target, const std::string& body, const std::string& fields = kKey,
             const std::string& http_method = "POST") {
    Wire& wire = loop.connect(http);
    wire.to_server = http_method + " /api/" + target + " HTTP/1.1\r\nHost: x\r\n" + fields +
                     "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    loop.settle();
    world.settle();  // the broker answers
    loop.settle();
    const std::size_t end = wire.to_client.find("\r\n\r\n");
    if (!wire.to_client.starts_with("HTTP/1.1 ") || end == std::string::npos) return {};
    return {std::stoi(wire.to_client.substr(9)), wire.to_client.substr(0, end),
            named(wire.to_client.substr(end + 4))};
  }
  // The body of an answer with 200.
  std::string call(const std::string& method, const std::string& body) {
    const Answer answer = ask(method, body);
    EXPECT_EQ(answer.status, 200) << method << " " << body;
    EXPECT_NE(answer.head.find("\r\nContent-Type: application/json\r\n"), std::string::npos);
    EXPECT_TRUE(handlers::client::is_json(answer.body)) << answer.body;
    return answer.body;
  }
  // Epochs are EPOCH; a client's id is its number among the peers: CLIENT0, CLIENT1, …
  std::string named(std::string text) const {
    static const std::regex kEpoch(R"re("epoch":"[^"]+")re");
    text = std::regex_replace(text, kEpoch, R"("epoch":"EPOCH")");
    for (std::size_t i = 0; i < world.peers.size(); ++i) {
      if (world.peers[i].client == nullptr) continue;
      const std::string id = id_of(world.peers[i]);
      for (std::size_t at = text.find(id); at != std::string::npos; at = text.find(id, at))
        text.replace(at, id.size(), "CLIENT" + std::to_string(i));
    }
    return text;
  }
  static std::string id_of(const Peer& peer) {
    const hub::ClientId::Text id = peer.client->id().text();
    return std::string(hub::view(id));
  }
  static std::string error(int code, const std::string& message) {
    return R"({"error":{"code":)" + std::to_string(code) + R"(,"message":")" + message + "\"}}";
  }
  // A client that has been told all it is going to be.
  Peer& connected(std::string_view user, std::string_view channel = {}) {
    Peer& peer = world.connect(user);
    if (!channel.empty()) world.subscribe(peer, channel);
    peer.take();
    return peer;
  }

  HubWorld world{kApiChannels, with_anonymous_clients()};
  MemoryLoop loop{{.read_ring_bytes = 64 * 1024}};
  handlers::Routes routes{loop.table, {}};
  handlers::HttpProtocol http{loop.table, routes, {.handshake_timeout = core::ticks_of_ms(60'000)}};
};

}  // namespace spate::test
