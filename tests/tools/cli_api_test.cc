// What spate-cli asks the HTTP API, and what it makes of the answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/tools/cli_run.h"

namespace spate::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Exchange {
  std::string request;
  Finished done;
};

std::string response_of(std::string_view body, std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + std::string(body);
}

// Runs against a server that gives one response.
Exchange one_call(std::vector<std::string> arguments, const std::string& response,
                  std::vector<std::string> environment = {}) {
  Exchange out;
  const ScriptedServer server({[&](Peer& peer) {
    out.request = peer.read_request();
    peer.write(response);
  }});
  arguments.push_back("--api=http://127.0.0.1:" + std::to_string(server.port()));
  out.done = spate_cli(std::move(arguments), std::move(environment));
  return out;
}

struct Row {
  std::vector<std::string> arguments;
  const char* path;
  const char* body;
  const char* result;
  const char* printed;
};

TEST(CliApi, TheKeyIsInTheServersConfigurationFile) {
  const std::string path = testing::TempDir() + "cli_api_config.json";
  std::ofstream(path) << R"({"channels": {}, "api-key": "from the file"})";
  const std::string good = response_of(R"({"result":{}})");
  EXPECT_THAT(one_call({"pub", "news", "1", "--config=" + path}, good).request,
              HasSubstr("X-API-Key: from the file\r\n"));
  EXPECT_THAT(one_call({"pub", "news", "1", "--config=" + path, "--api-key=mine"}, good).request,
              HasSubstr("X-API-Key: mine\r\n"));
  std::ofstream(path) << "{}";
  const Finished without = spate_cli({"pub", "news", "1", "--config=" + path});
  EXPECT_EQ(without.status, 2);
  EXPECT_THAT(without.err, HasSubstr("no api-key in it; give --api-key"));
}

TEST(CliApi, EveryCommand) {
  const Row rows[] = {
      {{"pub", "news", R"({"t": "hi"})"},
       "publish",
       R"({"channel":"news","data":{"t": "hi"}})",
       R"({"offset":43,"epoch":"kQ"})",
       "published\noffset 43, epoch kQ\n"},
      {{"pub", "a\"b", "good morning"},
       "publish",
       R"({"channel":"a\"b","data":"good morning"})",
       "{}",
       "published\n"},
      {{"presence", "chat:1"},
       "presence",
       R"({"channel":"chat:1"})",
       R"({"presence":{"c1":{"client":"c1","user":"42","conn_info":{"n":1}},"c2":{"client":"c2","user":""}}})",
       "c1  user 42  {\"n\":1}\nc2  user (anonymous)\n2 clients\n"},
      {{"history", "chat:1"},
       "history",
       R"({"channel":"chat:1","limit":10})",
       R"({"publications":[{"data":{"n": 1},"offset":7},{"data":"x","offset":8},{"b64data":"/w==","offset":9}],"epoch":"kQ","offset":9})",
       "#7  {\"n\": 1}\n#8  \"x\"\n#9  base64 /w==\noffset 9, epoch kQ\n"},
      {{"history", "chat:1", "--limit=-1", "--since=7:kQ", "--reverse"},
       "history",
       R"({"channel":"chat:1","limit":-1,"reverse":true,"since":{"offset":7,"epoch":"kQ"}})",
       R"({"publications":[],"epoch":"kQ","offset":8})",
       "offset 8, epoch kQ\n"},
      {{"history", "chat:1", "--since=7", "--limit", "3"},
       "history",
       R"({"channel":"chat:1","limit":3,"since":{"offset":7,"epoch":""}})",
       R"({"epoch":"kQ"})",
       "offset 0, epoch kQ\n"},
      {{"info"},
       "info",
       "{}",
       R"({"nodes":[{"uid":"u","name":"n1","num_clients":3,"uptime":7200}]})",
       "uid  u\nname  n1\nnum_clients  3\nuptime  7200 (2 hours)\n"},
      {{"channels"},
       "channels",
       "{}",
       R"({"channels":{"chat:1":{"num_clients":3}}})",
       "chat:1  3\n1 channel\n"},
      {{"channels", "chat:*"}, "channels", R"({"pattern":"chat:*"})", "{}", "0 channels\n"},
      {{"disconnect", "42"},
       "disconnect",
       R"({"user":"42"})",
       R"({"num_connections":2})",
       "disconnected  num_connections 2\n"},
  };
  for (const Row& row : rows) {
    const std::string answer = R"({"result":)" + std::string(row.result) + "}";
    auto arguments = row.arguments;
    arguments.push_back("--api-key=K");
    const Exchange people = one_call(arguments, response_of(answer));
    EXPECT_THAT(people.request, StartsWith("POST /api/" + std::string(row.path) + " HTTP/1.1\r\n"));
    EXPECT_THAT(people.request, HasSubstr("\r\nX-API-Key: K\r\n"));
    EXPECT_THAT(people.request, HasSubstr("\r\nContent-Type: application/json\r\n"));
    EXPECT_THAT(people.request, EndsWith("\r\n\r\n" + std::string(row.body)));
    EXPECT_EQ(people.done.out, row.printed) << row.path;
    EXPECT_EQ(people.done.status, 0) << people.done.err;

    arguments.push_back("--json");
    EXPECT_EQ(one_call(arguments, response_of(answer)).done.out, std::string(row.result) + "\n");
  }
}

TEST(CliApi, TheKeyMayComeFromTheEnvironment) {
  EXPECT_THAT(one_call({"info"}, response_of(R"({"result":{}})"), {"SPATE_API_KEY=E"}).request,
              HasSubstr("\r\nX-API-Key: E\r\n"));
  EXPECT_THAT(
      one_call({"info", "--api-key=F"}, response_of(R"({"result":{}})"), {"SPATE_API_KEY=E"})
          .request,
      HasSubstr("\r\nX-API-Key: F\r\n"));
  EXPECT_THAT(one_call({"info"}, response_of(R"({"result":{}})")).request,
              Not(HasSubstr("X-API-Key")));
}

TEST(CliApi, TheKeyDoesNotGoToAProxy) {
  const Exchange direct =
      one_call({"info", "--api-key=K"}, response_of(R"({"result":{}})"),
               {"http_proxy=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1"});
  EXPECT_EQ(direct.done.status, 0) << direct.done.err;
}

TEST(CliApi, ControlCharactersDoNotReachTheTerminal) {
  const Exchange evil = one_call(
      {"presence", "a"}, response_of(R"({"result":{"presence":{"c":{"user":"\u001b[2J"}}}})"));
  EXPECT_EQ(evil.done.out, "c  user \\x1b[2J\n1 client\n");
}

TEST(CliApi, RefusalsAreOneLine) {
  const std::pair<std::string, const char*> rows[] = {
      {response_of("", "401 Unauthorized"),
       "the server refuses the API key (401); give --api-key or set SPATE_API_KEY"},
      {response_of("", "404 Not Found"), "no API at this address (404)"},
      {response_of("boom\n", "500 Oops"), "the server answers with status 500: boom\\n"},
      {response_of(R"({"error":{"code":102,"message":"unknown channel"}})"),
       "the server says 102: unknown channel"},
      {response_of("<html>"), "the answer is none of a Spate server: <html>"},
      {response_of("{}"), "the answer is none of a Spate server: {}"},
      {"", "is the server running there? --api says where"},
  };
  for (const auto& [response, expected] : rows) {
    const Exchange refused = one_call({"pub", "a", "1"}, response);
    EXPECT_EQ(refused.done.status, 1);
    EXPECT_EQ(refused.done.out, "");
    EXPECT_THAT(refused.done.err, HasSubstr(expected));
    EXPECT_EQ(std::count(refused.done.err.begin(), refused.done.err.end(), '\n'), 1);
  }
}

TEST(CliApi, Mistakes) {
  const Finished since = spate_cli({"history", "a", "--since=x"});
  EXPECT_EQ(since.status, 2);
  EXPECT_THAT(since.err, HasSubstr("--since=x: no position; write OFFSET or OFFSET:EPOCH"));
  EXPECT_EQ(spate_cli({"history"}).status, 2);
  EXPECT_EQ(spate_cli({"history", "a", "--limit=-2"}).status, 2);
  EXPECT_THAT(spate_cli({"info", "--api=ftp://a"}).err, HasSubstr("no address of the API"));
}

}  // namespace
}  // namespace spate::cli
