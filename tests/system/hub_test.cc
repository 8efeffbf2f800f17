// A hub as a whole: the server API of the real binary, and clients that mean it ill. Whatever they
// send, they are told so with the right code, memory stays bounded and others are served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <span>
#include <vector>

#include "tests/system/fixture.h"
#include "tests/system/hub_client.h"
#include "tests/system/process_facts.h"

namespace spate::tests {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kRules = R"({
  "without_namespace": {"allow_subscribe_for_client": true, "allow_publish_for_subscriber": true},
  "namespaces": [{"name": "chat", "history_size": 10, "history_ttl": "60s", "presence": true,
                  "force_recovery": true, "allow_subscribe_for_client": true},
                 {"name": "long", "history_size": 1000, "history_ttl": "60s",
                  "force_recovery": true, "allow_subscribe_for_client": true}]})";

class HubSystem : public testing::Test {
 protected:
  HubSystem() {
    std::string why;
    hub = HubProcess::start(kRules, {"--workers", "1"}, &why);
    EXPECT_NE(hub.server, nullptr) << why;
  }
  ~HubSystem() override {
    if (hub.server == nullptr) return;
    EXPECT_EQ(hub.server->stop().status, 0) << hub.server->output();
  }
  std::unique_ptr<HubClient> subscribed(std::string_view user, const std::string& channel) {
    auto client = HubClient::connect(hub, user);
    EXPECT_NE(client, nullptr);
    if (client == nullptr) return nullptr;
    client->say(R"({"id":2,"subscribe":{"channel":")" + channel + "\"}}");
    EXPECT_THAT(client->hear(), StartsWith(R"({"id":2,"subscribe":{)"));
    return client;
  }
  // Somebody else is served meanwhile.
  void expect_served(HubClient& client, const std::string& channel) {
    EXPECT_THAT(hub.api("publish", R"({"channel":")" + channel + R"(","data":"still"})"),
                StartsWith(R"({"result":)"));
    EXPECT_THAT(client.hear(), HasSubstr(R"("data":"still")"));
  }

  HubProcess hub;
};

TEST_F(HubSystem, BackEndsAndClientsMeet) {
  const auto client = subscribed("anna", "chat:a");
  ASSERT_NE(client, nullptr);
  EXPECT_THAT(hub.api("publish", R"({"channel":"chat:a","data":{"t":"hi"}})"),
              StartsWith(R"({"result":{"offset":1,"epoch":")"));
  EXPECT_THAT(client->hear(),
              StartsWith(R"({"push":{"channel":"chat:a","pub":{"data":{"t":"hi"},"offset":1,)"));
  EXPECT_THAT(hub.api("presence", R"({"channel":"chat:a"})"), HasSubstr(R"("user":"anna")"));
  EXPECT_THAT(hub.api("history", R"({"channel":"chat:a","limit":-1})"),
              HasSubstr(R"("publications":[{"data":{"t":"hi"},"offset":1}])"));
  EXPECT_THAT(hub.api("info", "{}"), HasSubstr(R"("num_clients":1,"num_users":1)"));
  EXPECT_EQ(hub.api("subscribe", R"({"user":"anna","channel":"b"})"),
            R"({"result":{"connections":1}})");
  EXPECT_EQ(client->hear(), R"({"push":{"channel":"b","subscribe":{}}})");
  EXPECT_EQ(hub.api("publish", "hello"), "STATUS 400");
  EXPECT_EQ(
      hub.api("disconnect", R"({"user":"anna","disconnect":{"code":4501,"reason":"banned"}})"),
      R"({"result":{"connections":1}})");
  EXPECT_EQ(client->hear(), "");
  EXPECT_EQ(client->close_code(), 4501);
}

TEST_F(HubSystem, AReasonThatIsTooLongForACloseFrameIsCut) {
  const auto client = HubClient::connect(hub, "anna");
  ASSERT_NE(client, nullptr);
  std::string reason;
  for (int i = 0; i < 200; ++i) reason += "\xc3\xa4";
  EXPECT_EQ(hub.api("disconnect",
                    R"({"user":"anna","disconnect":{"code":4501,"reason":")" + reason + "\"}}"),
            R"({"result":{"connections":1}})");
  EXPECT_EQ(client->hear(), "");
  EXPECT_EQ(client->close_code(), 4501);
  EXPECT_EQ(client->socket().violation(), "");
}

TEST_F(HubSystem, WithoutAKeyTheApiIsClosed) {
  std::string why;
  const auto server = ServerProcess::start(
      {.flags = {"--channels", "{}", "--internal-listen", "127.0.0.1:0"}}, &why);
  ASSERT_NE(server, nullptr) << why;
  const std::string output = server->output();
  const std::size_t at = output.find("internal listener on 127.0.0.1:");
  ASSERT_NE(at, std::string::npos);
  HubProcess closed{nullptr, static_cast<std::uint16_t>(std::stoi(output.substr(at + 31)))};
  EXPECT_EQ(closed.api("info", "{}"), "STATUS 401");
}

struct Evil {
  const char* name;
  std::string message;
  std::uint16_t close;  // 0: it is answered with `answer`
  const char* answer;
};

std::string deep(std::size_t depth) {
  return R"({"id":3,"publish":{"channel":"a","data":)" + std::string(depth, '[') +
         std::string(depth, ']') + "}}";
}

TEST_F(HubSystem, EvilMessagesGetTheRightCode) {
  const auto other = subscribed("ben", "chat:b");
  ASSERT_NE(other, nullptr);
  const Evil rows[] = {
      {"junk", "junk", 3501, ""},
      {"NaN", R"({"id":3,"publish":{"channel":"a","data":NaN}})", 3501, ""},
      {"a number beyond a double", R"({"id":3,"publish":{"channel":"a","data":1e999}})", 3501, ""},
      {"half a surrogate pair", R"({"id":3,"publish":{"channel":"a","data":"\ud800"}})", 3501, ""},
      {"half a pair in a name", R"({"id":3,"subscribe":{"channel":"\udc00"}})", 3501, ""},
      {"deep", deep(500), 0, R"({"id":3,"publish":{}})"},
      {"too deep", deep(30'000), 3501, ""},
      {"a key twice", R"({"id":9,"id":3,"subscribe":{"channel":"x","channel":"nope:y"}})", 0,
       R"({"id":3,"error":{"code":102,"message":"unknown channel"}})"},
      {"a huge id", R"({"id":4294967296,"ping":{}})", 3501, ""},
      {"an id below zero", R"({"id":-1,"ping":{}})", 3501, ""},
      {"a huge offset",
       R"({"id":3,"subscribe":{"channel":"chat:c","recover":true,"offset":18446744073709551616}})",
       3501, ""},
      {"a name with a NUL", R"({"id":3,"subscribe":{"channel":"nope:\u0000"}})", 0,
       R"({"id":3,"error":{"code":102,"message":"unknown channel"}})"},
      {"a long name", R"({"id":3,"subscribe":{"channel":")" + std::string(60'000, 'c') + "\"}}", 0,
       R"({"id":3,"error":{"code":107,"message":"bad request"}})"},
      {"a name of a megabyte",
       R"({"id":3,"subscribe":{"channel":")" + std::string(1 << 20, 'c') + "\"}}", 1009, ""},
      {"not UTF-8", "{\"id\":3,\"rpc\":{\"method\":\"\xff\"}}", 1007, ""},
      {"a second connect", R"({"id":3,"connect":{}})", 3501, ""},
  };
  for (const Evil& row : rows) {
    const auto client = subscribed("eve", "a");
    ASSERT_NE(client, nullptr) << row.name;
    client->say(row.message);
    std::string heard = client->hear();
    if (heard.starts_with(R"({"push":{"channel":"a","pub":)")) heard = client->hear();
    EXPECT_EQ(heard, row.answer) << row.name;
    EXPECT_EQ(client->close_code(), row.close) << row.name;
    EXPECT_EQ(client->socket().violation(), "") << row.name;
    expect_served(*other, "chat:b");
  }
}

// A million names, a thousand a frame: the first few are subscribed to, the rest is refused.
TEST_F(HubSystem, AMillionSubscriptionsAreRefusedAtTheLimit) {
  constexpr std::uint32_t kNames = 1'000'000;
  constexpr std::uint32_t kNamesPerFrame = 1000;
  constexpr std::uint32_t kLimit = 128;
  const auto other = subscribed("ben", "chat:b");
  const auto eve = HubClient::connect(hub, "eve", within(seconds(10)));
  ASSERT_NE(eve, nullptr);
  const std::size_t before = owned_bytes(hub.server->pid());
  std::uint32_t subscribed = 0;
  std::uint32_t refused = 0;
  const Deadline deadline = within(seconds(100));
  for (std::uint32_t name = 0; name < kNames;) {
    std::string frame;
    for (std::uint32_t i = 0; i < kNamesPerFrame; ++i, ++name)
      frame += R"({"id":)" + std::to_string(name + 2) + R"(,"subscribe":{"channel":"n)" +
               std::to_string(name) + "\"}}\n";
    ASSERT_TRUE(eve->say(std::move(frame), deadline));
    while (subscribed + refused < name) {
      const auto answers = eve->socket().receive(deadline);
      ASSERT_TRUE(answers.has_value()) << name;
      ASSERT_EQ(answers->opcode, kText) << answers->payload;
      for (std::size_t at = 0; at < answers->payload.size();) {
        const std::size_t end = std::min(answers->payload.find('\n', at), answers->payload.size());
        const std::string line = answers->payload.substr(at, end - at);
        at = end + 1;
        subscribed += line.ends_with(R"("subscribe":{}})") ? 1 : 0;
        refused += line.find(R"("error":{"code":106,)") != std::string::npos ? 1 : 0;
        ASSERT_TRUE(line != "{}" || eve->say("{}", deadline));
      }
    }
  }
  EXPECT_EQ(subscribed, kLimit);
  EXPECT_EQ(refused, kNames - kLimit);
  EXPECT_LT(owned_bytes(hub.server->pid()), before + (4u << 20));
  expect_served(*other, "chat:b");
  EXPECT_THAT(hub.api("info", "{}"), HasSubstr(R"("num_channels":129,"num_subs":129)"));
}

// It asks for far more than it reads: what waits for it is bounded, and then it is ended.
TEST_F(HubSystem, AClientThatDoesNotReadIsEnded) {
  const auto other = subscribed("ben", "chat:b");
  const auto eve = subscribed("eve", "a");
  ASSERT_NE(eve, nullptr);
  const std::size_t before = owned_bytes(hub.server->pid());
  const std::string publish = R"({"channel":"a","data":")" + std::string(50'000, 'd') + "\"}";
  // More than sockets and queue hold together.
  EXPECT_TRUE(eventually(
      [&] {
        EXPECT_EQ(hub.api("publish", publish), R"({"result":{}})");
        return hub.api("users", R"({"users":["eve"]})").find(R"("connections":0)") !=
               std::string::npos;
      },
      within(seconds(60))));
  EXPECT_LT(owned_bytes(hub.server->pid()), before + (8u << 20));
  expect_served(*other, "chat:b");
}

// --- Two workers and the broker's process.

class HubProcesses : public HubSystem {
 protected:
  HubProcesses() {
    hub.server->stop();
    std::string why;
    hub = HubProcess::start(kRules, {"--workers", "2"}, &why);
    EXPECT_NE(hub.server, nullptr) << why;
  }
  pid_t broker() const {
    for (const pid_t pid : process_tree(hub.server->pid()))
      if (command_line(pid).starts_with("spate: broker")) return pid;
    return 0;
  }
};

TEST_F(HubProcesses, NoConnectionIsLostWithTheBroker) {
  std::vector<std::unique_ptr<HubClient>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(subscribed("anna", "chat:a"));
  const pid_t first = broker();
  ASSERT_NE(first, 0);
  for (int round = 1; round <= 3; ++round) {
    ASSERT_EQ(kill(broker(), SIGKILL), 0);
    const std::string published =
        hub.api("publish", R"({"channel":"chat:a","data":)" + std::to_string(round) + "}");
    EXPECT_THAT(published, StartsWith(R"({"result":{"offset":)" + std::to_string(round)));
    for (const auto& client : clients)
      EXPECT_THAT(client->hear(), HasSubstr("\"data\":" + std::to_string(round)));
  }
  EXPECT_TRUE(eventually([&] {
    return hub.api("presence_stats", R"({"channel":"chat:a"})") ==
           R"({"result":{"num_clients":8,"num_users":1}})";
  }));
  EXPECT_NE(broker(), first);
}

// One of two workers stands still while more is published than the bus holds. What has history
// comes late and whole, over the connection that was there; of what has none, what was lost is
// counted.
TEST_F(HubProcesses, AWorkerThatWasLappedCatchesUp) {
  hub.server->stop();
  hub = HubProcess::start(kRules, {"--workers", "2", "--outbox-bytes", "64M"});
  ASSERT_NE(hub.server, nullptr);
  std::vector<std::unique_ptr<HubClient>> kept, passing;
  for (int i = 0; i < 8; ++i) kept.push_back(subscribed("anna", "long:a"));
  for (int i = 0; i < 8; ++i) passing.push_back(subscribed("bert", "b"));
  // A worker counts what it lost from the first event that it has seen.
  hub.api("publish", R"({"channel":"b","data":"first"})");
  for (const auto& client : passing) EXPECT_THAT(client->hear(), HasSubstr("first"));
  pid_t still = 0;
  for (const pid_t pid : process_tree(hub.server->pid()))
    if (command_line(pid).starts_with("spate: worker")) still = pid;
  ASSERT_EQ(kill(still, SIGSTOP), 0);
  constexpr int kPublications = 120;  // 24 MB, three times the bus
  const std::string pad(100'000, 'x');
  for (int i = 1; i <= kPublications; ++i)
    for (const char* const channel : {"long:a", "b"})
      ASSERT_THAT(
          hub.api("publish", R"({"channel":")" + std::string(channel) + R"(","data":{"n":)" +
                                 std::to_string(i) + R"(,"pad":")" + pad + "\"}}"),
          StartsWith(R"({"result":)"));
  ASSERT_EQ(kill(still, SIGCONT), 0);
  for (const auto& client : kept)
    for (int i = 1; i <= kPublications; ++i)
      ASSERT_THAT(client->hear().substr(0, 80), HasSubstr("\"n\":" + std::to_string(i) + ","));
  EXPECT_GE(hub.metric("spate_bus_laps_total"), 1u);
  EXPECT_THAT(hub.api("publish", R"({"channel":"b","data":"last"})"), StartsWith(R"({"result":)"));
  for (const auto& client : passing) {
    int heard = 0;
    for (std::string line; line.find("\"last\"") == std::string::npos; ++heard) {
      line = client->hear();
      ASSERT_FALSE(line.empty()) << "ended with " << client->close_code();
    }
    EXPECT_LE(heard, kPublications + 1);
  }
  // How many were lost shows when the next one has come.
  EXPECT_GT(hub.metric("spate_bus_events_lost_total"), 0u);
}

TEST_F(HubProcesses, NothingIsLeftOfThemWithoutTheMaster) {
  std::vector<pid_t> processes;
  ASSERT_TRUE(eventually([&] {
    processes = process_tree(hub.server->pid());
    return processes.size() == 4;
  }));
  ASSERT_EQ(kill(processes[0], SIGKILL), 0);
  EXPECT_TRUE(eventually([&] {
    return std::ranges::none_of(std::span(processes).subspan(1),
                                [](pid_t pid) { return !command_line(pid).empty(); });
  }));
  hub.server.reset();
}

}  // namespace
}  // namespace spate::tests
