// spate-cli sub against a server that plays a script.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <ctime>

#include "handlers/client/token.h"
#include "tests/tools/cli_run.h"

namespace spate::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

const std::string kSecret = "a secret of more than thirty-two bytes";
constexpr const char* kConnected =
    R"({"id":1,"connect":{"client":"c","version":"x","ping":25,"pong":true}})";

std::vector<std::string> sub(const ScriptedServer& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {"sub", "--url",
                    "ws://127.0.0.1:" + std::to_string(server.port()) + "/connection/websocket"});
  return arguments;
}

// Accepts, and gives the first message.
std::string hello_of(Peer& peer) {
  peer.shake_hands();
  return peer.read_text();
}

TEST(CliSub, PrintsPublicationsAndAnswersPings) {
  std::string hello;
  std::string pong;
  const ScriptedServer server({[&](Peer& peer) {
    hello = hello_of(peer);
    peer.send_text(std::string(kConnected) + "\n" + R"({"id":2,"subscribe":{}})" + "\n" +
                   R"({"id":3,"subscribe":{"recoverable":true,"epoch":"e","offset":41}})");
    peer.send_text("{}");
    pong = peer.read_text();
    peer.send_text(R"({"push":{"channel":"news","pub":{"data":{"t": "hi"}}}})"
                   "\n"
                   R"({"push":{"channel":"chat:1","pub":{"data":"x\u001b","offset":42}}})");
    peer.wait_for_end();
  }});
  const Finished done = spate_cli(sub(server, {"news", "chat:1", "news", "--count=2"}));
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(hello,
            R"({"id":1,"connect":{"name":"spate-cli"}})"
            "\n"
            R"({"id":2,"subscribe":{"channel":"news","positioned":true,"recoverable":true}})"
            "\n"
            R"({"id":3,"subscribe":{"channel":"chat:1","positioned":true,"recoverable":true}})");
  EXPECT_EQ(pong, "{}");
  EXPECT_THAT(done.out, MatchesRegex("[0-9:.]+ news - .\"t\": \"hi\".\n"
                                     "[0-9:.]+ chat:1 #42 \"x.u001b\"\n"));
}

TEST(CliSub, MakesATokenForTheUser) {
  std::string hello;
  const ScriptedServer server({[&](Peer& peer) {
    hello = hello_of(peer);
    peer.send_text(std::string(kConnected) + "\n" + R"({"id":2,"subscribe":{}})" + "\n" +
                   R"({"push":{"channel":"a","pub":{"data":1}}})");
    peer.wait_for_end();
  }});
  const Finished done = spate_cli(sub(server, {"a", "--count=1", "--user=42"}),
                                  {"SPATE_TOKEN_HMAC_SECRET=" + kSecret});
  EXPECT_EQ(done.status, 0) << done.err;
  const std::size_t begin = hello.find("\"token\":\"") + 9;
  handlers::client::TokenSettings settings;
  settings.hmac_secret = kSecret;
  const auto verified = handlers::client::TokenVerifier::create(settings).value()->connection(
      hello.substr(begin, hello.find('"', begin) - begin), std::time(nullptr));
  EXPECT_EQ(verified.why, "");
  EXPECT_EQ(verified.claims.user, "42");
}

// Two drops: the first is recovered from, the second is not.
TEST(CliSub, RecoversAfterADropAndSaysWhenItCouldNot) {
  std::vector<std::string> hellos;
  const ScriptedServer server(
      {[&](Peer& peer) {
         hellos.push_back(hello_of(peer));
         peer.send_text(std::string(kConnected) + "\n" +
                        R"({"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":41}})");
         peer.send_text(R"({"push":{"channel":"a","pub":{"data":42,"offset":42}}})");
       },
       [&](Peer& peer) {
         hellos.push_back(hello_of(peer));
         peer.send_text(
             R"({"id":3,"connect":{"client":"d"}})"
             "\n"
             R"({"id":4,"subscribe":{"recoverable":true,"epoch":"e","offset":42,"was_recovering":true,)"
             R"("recovered":true,"publications":[{"data":43,"offset":43},{"data":44,"offset":44}]}})");
         peer.send_close(3001, "shutdown");
         peer.wait_for_end();
       },
       [&](Peer& peer) {
         hellos.push_back(hello_of(peer));
         peer.send_text(
             R"({"id":5,"connect":{"client":"e"}})"
             "\n"
             R"({"id":6,"subscribe":{"recoverable":true,"epoch":"f","offset":7,"was_recovering":true}})"
             "\n"
             R"({"push":{"channel":"a","pub":{"data":8,"offset":8}}})");
         peer.wait_for_end();
       }});
  const Finished done = spate_cli(sub(server, {"a", "--count=4"}));
  EXPECT_EQ(done.status, 0) << done.err;
  ASSERT_EQ(hellos.size(), 3u);
  EXPECT_THAT(hellos[0], Not(HasSubstr("\"recover\":")));
  EXPECT_THAT(hellos[1], HasSubstr(R"("recover":true,"offset":42,"epoch":"e")"));
  EXPECT_THAT(hellos[2], HasSubstr(R"("recover":true,"offset":44,"epoch":"e")"));
  EXPECT_THAT(done.out, MatchesRegex("[0-9:.]+ a #42 42\n"
                                     "[0-9:.]+ a recovered from #42\n"
                                     "[0-9:.]+ a #43 43\n"
                                     "[0-9:.]+ a #44 44\n"
                                     "[0-9:.]+ a recovery failed: the position was #44, it goes on "
                                     "from #7, what is between may be lost\n"
                                     "[0-9:.]+ a #8 8\n"));
  EXPECT_THAT(done.err, ContainsRegex("the connection ended; again in [0-9]+ ms\n"));
  EXPECT_THAT(done.err, HasSubstr("3001 shutdown; again in "));
}

TEST(CliSub, SubscribesAgainWhenTheServerSaysSo) {
  std::string again;
  const ScriptedServer server({[&](Peer& peer) {
    hello_of(peer);
    peer.send_text(
        std::string(kConnected) + "\n" +
        R"({"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":5}})" + "\n" +
        R"({"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}})");
    again = peer.read_text();
    peer.send_text(
        R"({"id":3,"subscribe":{"recoverable":true,"epoch":"e","offset":5,)"
        R"("was_recovering":true,"recovered":true,"publications":[{"data":6,"offset":6}]}})");
    peer.wait_for_end();
  }});
  const Finished done = spate_cli(sub(server, {"a", "--count=1", "--json", "--join-leave"}));
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(again, R"({"id":3,"subscribe":{"channel":"a","positioned":true,"recoverable":true,)"
                   R"("join_leave":true,"recover":true,"offset":5,"epoch":"e"}})");
  EXPECT_THAT(done.out,
              MatchesRegex(R"(.{1}"time":[0-9]+,"channel":"a","recovered":true,"since":5.)"
                           "\n"
                           R"(.{1}"time":[0-9]+,"channel":"a","offset":6,"data":6.)"
                           "\n"));
}

TEST(CliSub, JoinsAndLeaves) {
  const ScriptedServer server({[&](Peer& peer) {
    hello_of(peer);
    peer.send_text(
        std::string(kConnected) + "\n" + R"({"id":2,"subscribe":{}})" + "\n" +
        R"({"push":{"channel":"a","join":{"info":{"user":"42","client":"c","conn_info":{"n":1}}}}})" +
        "\n" + R"({"push":{"channel":"a","leave":{"info":{"user":"42","client":"c"}}}})" + "\n" +
        R"({"push":{"channel":"a","pub":{"data":1}}})");
    peer.wait_for_end();
  }});
  const Finished done = spate_cli(sub(server, {"a", "--count=1", "--join-leave"}));
  EXPECT_THAT(done.out, HasSubstr(" a join user 42 client c conn_info {\"n\":1}\n"));
  EXPECT_THAT(done.out, HasSubstr(" a leave user 42 client c\n"));
}

TEST(CliSub, AnExpiredTokenIsMadeAnew) {
  std::vector<std::string> hellos;
  const ScriptedServer server(
      {[&](Peer& peer) {
         hellos.push_back(hello_of(peer));
         peer.send_text(std::string(kConnected) + "\n" + R"({"id":2,"subscribe":{}})");
         peer.send_close(3005, "connection expired");
         peer.wait_for_end();
       },
       [&](Peer& peer) {
         hellos.push_back(hello_of(peer));
         peer.send_text(R"({"id":3,"error":{"code":109,"message":"token expired"}})");
         peer.wait_for_end();
       },
       [&](Peer& peer) {
         hellos.push_back(hello_of(peer));
         peer.send_text(R"({"id":5,"connect":{}})"
                        "\n"
                        R"({"push":{"channel":"a","pub":{"data":1}}})");
         peer.wait_for_end();
       }});
  const Finished done =
      spate_cli(sub(server, {"a", "--count=1", "--user=42", "--hmac-secret", kSecret}));
  EXPECT_EQ(done.status, 0) << done.err;
  ASSERT_EQ(hellos.size(), 3u);
  for (const std::string& hello : hellos) EXPECT_THAT(hello, HasSubstr("\"token\":\"eyJ"));
}

struct Refusal {
  const char* name;
  std::function<void(Peer&)> script;
  const char* error;
};

TEST(CliSub, WhatIsRefusedForGoodIsNotTriedAgain) {
  const Refusal rows[] = {
      {"close code",
       [](Peer& peer) {
         peer.send_close(3500, "invalid token");
         peer.wait_for_end();
       },
       "the connection is closed: 3500 invalid token\n"},
      {"connect error",
       [](Peer& peer) {
         peer.send_text(R"({"id":1,"error":{"code":101,"message":"unauthorized"}})");
         peer.wait_for_end();
       },
       "the server refuses the connection: 101 unauthorized\n"},
      {"expired, and no key for another",
       [](Peer& peer) {
         peer.send_text(R"({"id":1,"error":{"code":109,"message":"token expired"}})");
         peer.wait_for_end();
       },
       "the server refuses the connection: 109 token expired\n"},
      {"the last channel",
       [](Peer& peer) {
         peer.send_text(std::string(kConnected) + "\n" +
                        R"({"id":2,"error":{"code":103,"message":"permission denied"}})");
         peer.wait_for_end();
       },
       "spate-cli: a: 103 permission denied\nspate-cli: no channel is left\n"},
      {"unsubscribed",
       [](Peer& peer) {
         peer.send_text(
             std::string(kConnected) + "\n" + R"({"id":2,"subscribe":{}})" + "\n" +
             R"({"push":{"channel":"a","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}})");
         peer.wait_for_end();
       },
       "spate-cli: a: the server ends the subscription: 2000 server unsubscribe\n"},
      {"no JSON, at the first connection",
       [](Peer& peer) {
         peer.send_text("<html>");
         peer.wait_for_end();
       },
       "the server sends what is no JSON object\n"},
  };
  for (const Refusal& row : rows) {
    const ScriptedServer server({[&](Peer& peer) {
      hello_of(peer);
      row.script(peer);
    }});
    const Finished done = spate_cli(sub(server, {"a", "--token=x"}));
    EXPECT_EQ(done.status, 1) << row.name;
    EXPECT_THAT(done.err, HasSubstr(row.error)) << row.name;
  }
}

TEST(CliSub, ARefusedHandshakeIsToldWithItsStatus) {
  const ScriptedServer server({[&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    peer.wait_for_end();
  }});
  const Finished done = spate_cli(sub(server, {"a"}));
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("the handshake is refused: HTTP/1.1 403 Forbidden\n"));
}

TEST(CliSub, ASignalEndsItInOrder) {
  const ScriptedServer server({[&](Peer& peer) {
    hello_of(peer);
    peer.send_text(std::string(kConnected) + "\n" + R"({"id":2,"subscribe":{}})" + "\n" +
                   R"({"push":{"channel":"a","pub":{"data":1}}})");
    peer.wait_for_end();
  }});
  Running running(sub(server, {"a"}));
  running.wait_for(" a - 1\n");
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().status, 0);
}

TEST(CliSub, Mistakes) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"sub", "a", "--url=http://a"}, "--url=http://a: no ws://HOST:PORT/PATH; write one"},
      {{"sub", "a", "--url=wss://a"}, "no TLS here"},
      {{"sub", "a", "--url=ws://[::1"}, "no ] behind the address"},
      {{"sub", "a", "--url=ws://:1/"}, "no host or no port"},
      {{"sub", "a", "--url=ws://a b/"}, "has a byte that no URL has"},
      {{"sub", "a", "--user=42"}, "--user=42: nothing to sign a token with"},
      {{"sub"}, "CHANNEL"},
  };
  for (const auto& [arguments, expected] : rows) {
    const Finished done = spate_cli(arguments);
    EXPECT_EQ(done.status, 2);
    EXPECT_THAT(done.err, HasSubstr(expected));
  }
}

}  // namespace
}  // namespace spate::cli
