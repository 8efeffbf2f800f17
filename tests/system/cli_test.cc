// spate-cli and the real server, as somebody has them who tries both out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <csignal>

#include "tests/system/process_facts.h"
#include "tests/system/server_process.h"
#include "tests/tools/cli_run.h"

namespace spate::tests {
namespace {

using cli::Finished;
using cli::Running;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;

const std::string kSecret = "a secret of more than thirty-two bytes";
constexpr const char* kChannels = R"({"namespaces": [{"name": "chat", "presence": true,
  "history_size": 100, "history_ttl": "300s", "force_recovery": true, "join_leave": true,
  "allow_subscribe_for_client": true, "allow_presence_for_subscriber": true}]})";

Deadline soon() {
  return within(std::chrono::seconds(10));
}

class Cli : public testing::Test {
 protected:
  void SetUp() override { start(1); }
  void start(int workers) {
    std::string why;
    server_ = ServerProcess::start(
        {.flags = {"--workers=" + std::to_string(workers), "--channels", kChannels, "--api-key=K"},
         .environment = {{"SPATE_TOKEN_HMAC_SECRET", kSecret}}},
        &why);
    ASSERT_NE(server_, nullptr) << why;
    constexpr std::string_view kInternal = "internal listener on 127.0.0.1:";
    ASSERT_TRUE(server_->wait_for_output(std::string(kInternal), soon()));
    const std::string all = server_->output();
    const char* const digits = all.data() + all.find(kInternal) + kInternal.size();
    std::uint16_t port = 0;
    ASSERT_EQ(std::from_chars(digits, all.data() + all.size(), port).ec, std::errc());
    api_ = "--api=http://127.0.0.1:" + std::to_string(port);
    ASSERT_TRUE(server_->wait_for_output("ready: " + std::to_string(workers), soon()));
  }

  Finished api(std::vector<std::string> arguments) const {
    arguments.push_back(api_);
    return cli::spate_cli(std::move(arguments), {"SPATE_API_KEY=K"});
  }
  // Until the command succeeds with this in what it prints.
  void wait_until(const std::vector<std::string>& arguments, const std::string& text) const {
    const Deadline deadline = soon();
    for (;;) {
      const Finished done = api(arguments);
      if (done.status == 0 && done.out.find(text) != std::string::npos) return;
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << done.out << done.err;
    }
  }
  std::vector<std::string> sub(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"sub", "--url=ws://127.0.0.1:" + std::to_string(server_->port()) +
                                 "/connection/websocket"});
    return arguments;
  }

  std::unique_ptr<ServerProcess> server_;

 private:
  std::string api_;
};

TEST_F(Cli, FromATokenToADisconnect) {
  Running subscriber(sub({"chat:1", "--user=42", "--info", R"({"name": "Al"})"}),
                     {"SPATE_TOKEN_HMAC_SECRET=" + kSecret});
  wait_until({"presence", "chat:1"}, "user 42  {\"name\": \"Al\"}\n1 client\n");
  EXPECT_THAT(api({"pub", "chat:1", R"({"text": "hi"})"}).out,
              MatchesRegex("published\noffset 1, epoch .+\n"));
  subscriber.wait_for(" chat:1 #1 {\"text\": \"hi\"}\n");
  EXPECT_THAT(api({"history", "chat:1"}).out,
              MatchesRegex("#1  .\"text\": \"hi\".\noffset 1, epoch .+\n"));
  EXPECT_EQ(api({"channels", "chat:*"}).out, "chat:1  1\n1 channel\n");
  EXPECT_THAT(api({"info"}).out, ContainsRegex("\nnum_clients  1\n"));
  EXPECT_EQ(api({"disconnect", "42"}).out, "disconnected  connections 1\n");
  const Finished done = subscriber.finish();
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("the connection is closed: 3503 force disconnect\n"));
}

TEST_F(Cli, WhatAKilledWorkerMissedIsRecovered) {
  Running subscriber(sub({"chat:1", "--user=42", "--count=2"}),
                     {"SPATE_TOKEN_HMAC_SECRET=" + kSecret});
  wait_until({"presence", "chat:1"}, "1 client\n");
  EXPECT_EQ(api({"pub", "chat:1", "1"}).status, 0);
  subscriber.wait_for(" chat:1 #1 1\n");
  const std::vector<pid_t> processes = process_tree(server_->pid());
  ASSERT_EQ(processes.size(), 2u);
  ASSERT_EQ(kill(processes[1], SIGKILL), 0);
  wait_until({"pub", "chat:1", "2"}, "offset 2, ");
  const Finished done = subscriber.finish();
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.out, HasSubstr(" chat:1 recovered from #1\n"));
  EXPECT_THAT(done.out, HasSubstr(" chat:1 #2 2\n"));
}

TEST_F(Cli, TheBusIsShownAlsoWithoutABroker) {
  EXPECT_THAT(api({"bus"}).err, HasSubstr("not available"));  // one worker has none
  start(2);
  EXPECT_EQ(api({"pub", "chat:1", "1"}).status, 0);
  wait_until({"bus"}, "broker  generation 1, ");
  EXPECT_THAT(api({"bus"}).out, ContainsRegex("\n1 +1 +alive "));
  EXPECT_THAT(api({"bus", "--json"}).out, HasSubstr(R"("requests_unread":0)"));
  const std::vector<pid_t> processes = process_tree(server_->pid());
  ASSERT_EQ(processes.size(), 4u);
  pid_t broker = 0;
  for (const pid_t pid : processes)
    if (command_line(pid).starts_with("spate: broker")) broker = pid;
  ASSERT_NE(broker, 0);
  ASSERT_EQ(kill(broker, SIGSTOP), 0);
  EXPECT_THAT(api({"bus"}).out, HasSubstr("generation 1, "));
  ASSERT_EQ(kill(broker, SIGKILL), 0);
  wait_until({"bus"}, "broker  generation 2, ");
  wait_until({"history", "chat:1"}, "#1  1");
}

TEST_F(Cli, Refusals) {
  const Finished forged = cli::spate_cli(sub({"chat:1", "--user=42", "--hmac-secret=another"}));
  EXPECT_EQ(forged.status, 1);
  EXPECT_THAT(forged.err, HasSubstr("the connection is closed: 3500 invalid token\n"));
  const Finished unknown = cli::spate_cli(sub({"other:1", "--user=42", "--hmac-secret", kSecret}));
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("other:1: 102 unknown channel\n"));
  const Finished anonymous = cli::spate_cli(sub({"chat:1"}));
  EXPECT_EQ(anonymous.status, 1);
  EXPECT_THAT(anonymous.err, HasSubstr("3501 bad request: no credentials\n"));
  EXPECT_THAT(api({"pub", "other:1", "1"}).err, HasSubstr("the server says 102: unknown channel"));
  EXPECT_THAT(api({"info", "--api-key=wrong"}).err, HasSubstr("refuses the API key (401)"));
}

}  // namespace
}  // namespace spate::tests
