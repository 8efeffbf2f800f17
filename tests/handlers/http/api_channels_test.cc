// What the server API tells of channels and of the node.
#include <gmock/gmock.h>

#include "tests/handlers/http/api_fixture.h"

namespace spate::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr const char* kBadRequest = R"({"error":{"code":107,"message":"bad request"}})";
constexpr const char* kUnknownChannel = R"({"error":{"code":102,"message":"unknown channel"}})";
constexpr const char* kNotAvailable = R"({"error":{"code":108,"message":"not available"}})";

class ApiChannels : public ApiTest {};

TEST_F(ApiChannels, WithoutAFittingChannelThereIsAnError) {
  for (const char* method : {"presence", "presence_stats", "history", "history_remove"}) {
    EXPECT_EQ(call(method, "{}"), kBadRequest) << method;
    EXPECT_EQ(call(method, R"({"channel":""})"), kBadRequest) << method;
    EXPECT_EQ(call(method, R"({"channel":"nope:a"})"), kUnknownChannel) << method;
    EXPECT_EQ(call(method, R"({"channel":"a"})"), kNotAvailable) << method;
    EXPECT_EQ(call(method, R"({"channel":")" + std::string(256, 'c') + "\"}"), kBadRequest);
  }
}

TEST_F(ApiChannels, PresenceTellsWhoIsThere) {
  EXPECT_EQ(call("presence", R"({"channel":"chat:a"})"), R"({"result":{"presence":{}}})");
  EXPECT_EQ(call("presence_stats", R"({"channel":"chat:a"})"),
            R"({"result":{"num_clients":0,"num_users":0}})");
  connected("anna", "chat:a");
  EXPECT_EQ(call("presence", R"({"channel":"chat:a"})"),
            R"({"result":{"presence":{"CLIENT0":{"user":"anna","client":"CLIENT0"}}}})");
  Peer& other = connected("anna", "chat:a");
  connected("ben", "chat:b");
  EXPECT_EQ(call("presence_stats", R"({"channel":"chat:a"})"),
            R"({"result":{"num_clients":2,"num_users":1}})");
  world.end(other);
  EXPECT_EQ(call("presence_stats", R"({"channel":"chat:a"})"),
            R"({"result":{"num_clients":1,"num_users":1}})");
}

TEST_F(ApiChannels, PresenceSaysInfoThatIsNoJsonInBase64) {
  connected("anna");
  call("subscribe", R"({"user":"anna","channel":"chat:a","info":{"n":"Al"}})");
  EXPECT_EQ(call("presence", R"({"channel":"chat:a"})"),
            R"({"result":{"presence":{"CLIENT0":{"user":"anna","client":"CLIENT0",)"
            R"("chan_info":{"n":"Al"}}}}})");
  call("refresh", R"({"user":"anna","b64info":"/w=="})");
  call("unsubscribe", R"({"user":"anna","channel":"chat:a"})");
  call("subscribe", R"({"user":"anna","channel":"chat:a","b64info":"/w=="})");
  EXPECT_EQ(call("presence", R"({"channel":"chat:a"})"),
            R"({"result":{"presence":{"CLIENT0":{"user":"anna","client":"CLIENT0",)"
            R"("b64conn_info":"/w==","b64chan_info":"/w=="}}}})");
}

struct Read {
  const char* members;
  const char* offsets;  // of the publications, or the error's code
};

TEST_F(ApiChannels, HistoryIsReadByLimitPositionAndDirection) {
  for (int i = 1; i <= 7; ++i)
    call("publish", R"({"channel":"chat:a","data":)" + std::to_string(i) + "}");
  const std::string epoch(world.publish("chat:a", "8").position.epoch.text());
  const Read rows[] = {
      {"", ""},  // the position only
      {R"("limit":0)", ""},
      {R"("limit":2)", "4 5"},
      {R"("limit":100)", "4 5 6 7 8"},
      {R"("limit":-1)", "4 5 6 7 8"},
      {R"("limit":-9223372036854775808)", "4 5 6 7 8"},
      {R"("limit":9223372036854775807)", "4 5 6 7 8"},
      {R"("limit":9223372036854775808)", "107"},
      {R"("limit":1.5)", "107"},
      {R"("limit":2,"reverse":true)", "8 7"},
      {R"("limit":-1,"reverse":true)", "8 7 6 5 4"},
      {R"("limit":-1,"since":{"offset":6,"epoch":"E"})", "7 8"},
      {R"("limit":1,"since":{"offset":6,"epoch":"E"})", "7"},
      {R"("limit":-1,"since":{"offset":6,"epoch":"E"},"reverse":true)", "5 4"},
      {R"("limit":-1,"since":{"offset":0,"epoch":"E"})", "4 5 6 7 8"},
      {R"("limit":-1,"since":{})", "4 5 6 7 8"},
      {R"("limit":-1,"since":{"offset":6})", "7 8"},
      {R"("limit":-1,"since":{"offset":6,"epoch":""})", "7 8"},
      {R"("limit":-1,"since":{"offset":8,"epoch":"E"})", ""},
      {R"("limit":-1,"since":{"offset":18446744073709551615,"epoch":"E"})", ""},
      {R"("limit":-1,"since":{"offset":6,"epoch":"_"})", "112"},
      {R"("limit":-1,"since":{"offset":6,"epoch":"AAAAAAAA"})", "112"},
      {R"("limit":0,"since":{"offset":6,"epoch":"AAAAAAAA"})", "112"},
      {R"("limit":-1,"since":{"offset":0},"reverse":true)", "107"},
      {R"("limit":-1,"since":{"offset":-1})", "107"},
      {R"("limit":-1,"since":[])", "107"},
      {R"("limit":-1,"since":{"offset":7,"epoch":"_"},"since":{"offset":7})", "8"},
  };
  for (const Read& row : rows) {
    std::string body =
        std::string(R"({"channel":"chat:a")") + (*row.members != 0 ? "," : "") + row.members + "}";
    if (const std::size_t at = body.find("\"E\""); at != std::string::npos)
      body.replace(at + 1, 1, epoch);
    const std::string answer = call("history", body);
    std::string offsets;
    static const std::regex kOffset(R"re(\{"data":(\d+),"offset":(\d+)\})re");
    for (std::sregex_iterator it(answer.begin(), answer.end(), kOffset), end; it != end; ++it) {
      EXPECT_EQ((*it)[1], (*it)[2]);
      offsets += (offsets.empty() ? "" : " ") + (*it)[2].str();
    }
    static const std::regex kCode(R"re("code":(\d+))re");
    if (std::smatch code; std::regex_search(answer, code, kCode))
      offsets = code[1];
    else
      EXPECT_TRUE(answer.ends_with(R"(],"offset":8,"epoch":"EPOCH"}})")) << answer;
    EXPECT_EQ(offsets, row.offsets) << row.members;
  }
}

TEST_F(ApiChannels, HistoryOfAChannelThatNobodyKnewBeginsIt) {
  EXPECT_EQ(call("history", R"({"channel":"chat:new","limit":-1})"),
            R"({"result":{"publications":[],"offset":0,"epoch":"EPOCH"}})");
}

TEST_F(ApiChannels, HistoryShowsAllOfAPublication) {
  call("publish", R"({"channel":"chat:a","b64data":"/w==","tags":{"k":"v","j":""}})");
  EXPECT_EQ(call("history", R"({"channel":"chat:a","limit":-1})"),
            R"({"result":{"publications":[{"b64data":"/w==","offset":1,"tags":{"j":"","k":"v"}}],)"
            R"("offset":1,"epoch":"EPOCH"}})");
}

// As deep as a client's command may be, and as any other part of the server takes it.
TEST_F(ApiChannels, APayloadMayBeAsDeepAsAClients) {
  const auto deep = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  call("publish", R"({"channel":"chat:a","data":)" + deep(500) + "}");
  EXPECT_EQ(call("history", R"({"channel":"chat:a","limit":-1})"),
            R"({"result":{"publications":[{"data":)" + deep(500) +
                R"(,"offset":1}],"offset":1,"epoch":"EPOCH"}})");
  const Answer refused = ask("publish", R"({"channel":"chat:a","data":)" + deep(512) + "}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, testing::HasSubstr("at most 512 levels deep"));
}

TEST_F(ApiChannels, RemovedHistoryKeepsItsPosition) {
  call("publish", R"({"channel":"chat:a","data":1})");
  EXPECT_EQ(call("history_remove", R"({"channel":"chat:a"})"), R"({"result":{}})");
  EXPECT_EQ(call("history", R"({"channel":"chat:a","limit":-1})"),
            R"({"result":{"publications":[],"offset":1,"epoch":"EPOCH"}})");
  EXPECT_EQ(call("publish", R"({"channel":"chat:a","data":1})"),
            R"({"result":{"offset":2,"epoch":"EPOCH"}})");
  EXPECT_EQ(call("history_remove", R"({"channel":"chat:nothing"})"), R"({"result":{}})");
}

TEST_F(ApiChannels, ChannelsAreThoseWithSubscribers) {
  EXPECT_EQ(call("channels", "{}"), R"({"result":{"channels":{}}})");
  connected("anna", "room1");
  connected("ben", "room1");
  Peer& leaving = connected("eve", "room2");
  EXPECT_EQ(call("channels", R"({"pattern":"*1"})"),
            R"({"result":{"channels":{"room1":{"num_clients":2}}}})");
  EXPECT_EQ(call("channels", R"({"pattern":"room[2-9]"})"),
            R"({"result":{"channels":{"room2":{"num_clients":1}}}})");
  EXPECT_EQ(call("channels", R"({"pattern":"other*"})"), R"({"result":{"channels":{}}})");
  EXPECT_EQ(call("channels", R"({"pattern":"room1\u0000"})"), R"({"result":{"channels":{}}})");
  world.end(leaving);
  EXPECT_EQ(call("channels", "{}"), R"({"result":{"channels":{"room1":{"num_clients":2}}}})");
  EXPECT_EQ(call("channels", R"({"pattern":")" + std::string(513, '*') + "\"}"), kBadRequest);
  EXPECT_EQ(call("channels", R"({"pattern":1})"), kBadRequest);
}

TEST_F(ApiChannels, InfoCounts) {
  connected("anna", "a");
  connected("anna", "a");
  connected("", "b");
  world.open();
  EXPECT_THAT(call("info", "{}"),
              MatchesRegex(R"(\{"result":\{"nodes":\[\{"uid":"the-node","name":"here",)"
                           R"("version":"spate test","num_clients":3,"num_users":2,)"
                           R"("num_channels":2,"num_subs":3,"uptime":[0-9]+\}\]\}\})"));
}

}  // namespace
}  // namespace spate::test
