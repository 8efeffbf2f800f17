// Any body to any method of the server API, over a hub with three clients. The first byte names the
// method. Whatever comes: an answer is JSON, a second reading of the body makes the same call, what
// clients of JSON hear is JSON on one line, and nobody is left in a channel that is gone.
#include <string>
#include <string_view>

#include "handlers/client/json_text.h"
#include "handlers/client/reader.h"
#include "handlers/http/api.h"
#include "tests/codec/http_outline.h"
#include "tests/handlers/client/hub_world.h"

namespace {

using namespace spate;
using handlers::Api;
using handlers::ApiRequest;
using test::ExactBlock;
using test::HubWorld;
using test::Peer;

constexpr std::string_view kMethods[] = {
    "publish",        "broadcast", "broadcast_all", "subscribe",      "unsubscribe",
    "disconnect",     "refresh",   "presence",      "presence_stats", "history",
    "history_remove", "channels",  "info",          "users",          "batch"};

constexpr std::string_view kChannels = R"({
  "without_namespace": {"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true},
  "namespaces": [
    {"name": "chat", "history_size": 3, "history_ttl": "60s", "force_recovery": true,
     "presence": true, "join_leave": true, "force_push_join_leave": true,
     "allow_subscribe_for_client": true},
    {"name": "bytes", "publication_data_format": "binary"}
  ]})";

test::ClientOptions anonymous() {
  test::ClientOptions options;
  options.anonymous = true;
  return options;
}

void check_answer(const handlers::client::Error& error, const std::string& answer) {
  if (!error) SPATE_CHECK(handlers::client::is_json(answer));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view method = kMethods[data[0] % std::size(kMethods)];
  const ExactBlock body({reinterpret_cast<const char*>(data) + 1, size - 1});

  HubWorld world(kChannels, anonymous());
  for (const char* user : {"anna", "ben", ""}) {
    Peer& peer = world.connect(user);
    world.subscribe(peer, "a");
    world.subscribe(peer, "chat:a");
    peer.take();
  }
  world.publish("chat:a", "1");
  Api api(*world.clients, world.workers, {});

  for (int times = 0; times < 2; ++times) {
    int answers = 0;
    const auto call = std::make_shared<handlers::ApiCall>(
        std::string(as_text(body.bytes())),
        [&](const handlers::client::Error& error, const std::string& answer) {
          ++answers;
          check_answer(error, answer);
        });
    if (call->parse() != ApiRequest::Parsed::ok) break;
    api.run(Api::find(method), call);
    SPATE_CHECK(answers == 1);
    world.settle();
  }
  std::size_t subscriptions = 0;
  world.hub.for_each_channel([&](const test::hub::Channel& channel) {
    SPATE_CHECK(!channel.subscribers.empty());
    subscriptions += channel.subscribers.size();
  });
  SPATE_CHECK(subscriptions == world.clients->subscription_count());
  for (Peer& peer : world.peers) {
    for (const std::string& message : peer.take())
      SPATE_CHECK(handlers::client::is_one_line(message) && handlers::client::is_json(message));
  }
  world.advance_ms(50);
  return 0;
}
