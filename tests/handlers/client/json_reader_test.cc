#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "handlers/client/json_text.h"
#include "handlers/client/reader.h"
#include "tests/guard_page.h"
#include "tests/handlers/client/commands.h"

namespace spate::handlers::client {
namespace {

using namespace std::string_literals;  // for literals with a NUL in them

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

// Where a read too far ends the test. The reader is one that others have used before.
std::string read(std::string_view frame) {
  static const std::unique_ptr<CommandReader> reader = make_json_reader();
  const test::GuardPages pages(frame.size());
  return test::read_frame(*reader, pages.copy_to_end(as_bytes(frame)));
}

struct Row {
  const char* name;
  std::string frame;
  std::string commands;
};

const Row kRead[] = {
    // What SDKs send
    {"connect", R"({"connect":{"name":"js"},"id":1})", "connect id=1 name=js"},
    {"connect and subscribe in one frame",
     R"({"connect":{"token":"JWT","data":{"hi":1},"name":"js","headers":{"X-A":"1"}},"id":1})"
     "\n"
     R"({"subscribe":{"channel":"chat:1","flag":1},"id":2})",
     R"(connect id=1 token=JWT data={"hi":1} name=js {X-A: 1} | subscribe id=2 channel=chat:1 flag=1)"},
    {"id first", R"({"id": 7, "publish": {"channel": "news", "data": [1, 2]}})",
     "publish id=7 channel=news data=[1, 2]"},
    {"recovery",
     R"({"subscribe":{"channel":"chat:1","flag":1,"recover":true,"offset":42,"epoch":"kQwRtZab"},"id":9})",
     "subscribe id=9 channel=chat:1 recover epoch=kQwRtZab offset=42 flag=1"},
    {"server-side subscriptions",
     R"({"connect":{"token":"t","subs":{"#42":{"recover":true,"offset":3,"epoch":"kQwRtZab"}}},"id":15})",
     "connect id=15 token=t [ channel=#42 recover epoch=kQwRtZab offset=3 ]"},
    {"delta", R"({"subscribe":{"channel":"d","flag":1,"delta":"fossil"},"id":2})",
     "subscribe id=2 channel=d delta=fossil flag=1"},
    {"pong", "{}", "none"},
    // Every member
    {"subscribe",
     R"({"id":1,"subscribe":{"channel":"c","token":"t","recover":true,"epoch":"e","offset":1,"data":"d",)"
     R"("positioned":true,"recoverable":true,"join_leave":true,"delta":"f","tf":{"op":"eq"},"flag":3,)"
     R"("type":4,"phase":2,"cursor":"x","limit":9,"asc":true}})",
     "subscribe id=1 channel=c token=t recover epoch=e offset=1 data=\"d\" positioned recoverable "
     "join_leave delta=f filter flag=3 type=4"},
    {"connect with all", R"({"id":1,"connect":{"version":"v","flag":1,"dict":"d","profile":"p"}})",
     "connect id=1 version=v"},
    {"unsubscribe", R"({"id":1,"unsubscribe":{"channel":"c"}})", "unsubscribe id=1 channel=c"},
    {"publish", R"({"id":1,"publish":{"channel":"c","data":null,"type":1,"key":"k"}})",
     "publish id=1 channel=c type=1"},
    {"presence", R"({"id":1,"presence":{"channel":"c"}})", "presence id=1 channel=c"},
    {"presence_stats", R"({"id":1,"presence_stats":{"channel":"c"}})",
     "presence_stats id=1 channel=c"},
    {"history", R"({"id":1,"history":{"channel":"c","limit":-1,"reverse":true}})",
     "history id=1 channel=c limit=-1 reverse"},
    {"history since", R"({"id":1,"history":{"channel":"c","since":{"offset":5,"epoch":"e"}}})",
     "history id=1 channel=c since offset=5 epoch=e"},
    {"history since the beginning", R"({"id":1,"history":{"since":{}}})", "history id=1 since"},
    {"rpc", R"({"id":1,"rpc":{"method":"m","data":0}})", "rpc id=1 data=0 method=m"},
    {"send", R"({"send":{"data":{}}})", "send data={}"},
    {"refresh", R"({"id":1,"refresh":{"token":"t"}})", "refresh id=1 token=t"},
    {"sub_refresh", R"({"id":1,"sub_refresh":{"channel":"c","token":"t","type":1,"track":[{}]}})",
     "sub_refresh id=1 channel=c token=t type=1"},
    {"ping", R"({"id":1,"ping":{}})", "ping id=1"},
    // Envelopes
    {"an id alone", R"({"id":3})", "none id=3"},
    {"several requests",
     R"({"presence":{"channel":"p"},"publish":{"channel":"a"},"rpc":{"method":"m"},"id":1})",
     "publish id=1 channel=a"},
    {"several requests, the first one first",
     R"({"id":1,"connect":{"name":"n"},"ping":{},"subscribe":{"channel":"c"}})",
     "connect id=1 name=n"},
    {"a request that is null", R"({"connect":null,"ping":{},"id":1})", "ping id=1"},
    {"null everywhere",
     R"({"id":null,"subscribe":{"channel":null,"recover":null,"offset":null,"data":null,"tf":null,"type":null}})",
     "subscribe"},
    {"null in maps", R"({"connect":{"subs":{"a":null,"b":{}},"headers":{"A":null,"B":""}}})",
     "connect [ channel=b ] {B: }"},
    {"maps that are null", R"({"connect":{"subs":null,"headers":null},"history":{"since":null}})",
     "connect"},
    {"unknown members",
     R"({"x":{"id":[{"publish":{}}]},"id":1,"y":[[]],"ping":{"id":2,"z":1e3},"w":"\n"})",
     "ping id=1"},
    {"keys are matched whole",
     R"({"ids":1,"Id":1,"i":1,"none":{},"publish":{"channe":"a","channels":"b"}})", "publish"},
    {"a key with an escape", R"({"\u0069d":5,"ping":{}})", "ping id=5"},
    {"a key twice", R"({"id":1,"id":2,"ping":{}})", "ping id=2"},
    {"a key twice, then null", R"({"id":1,"id":null,"ping":{}})", "ping id=1"},
    {"a request twice", R"({"publish":{"channel":"a","data":1},"publish":{"data":2},"id":1})",
     "publish id=1 data=2"},
    {"a map twice",
     R"({"connect":{"subs":{"a":{}},"subs":{"b":{}},"headers":{"A":"1"},"headers":{"B":"2"}}})",
     "connect [ channel=b ] {B: 2}"},
    {"a map's key twice",
     R"({"connect":{"subs":{"b":{"offset":1},"a":{},"b":{"offset":2}},"headers":{"B":"1","A":"","B":"2"}}})",
     "connect [ channel=a ] [ channel=b offset=2 ] {A: } {B: 2}"},
    {"since twice", R"({"history":{"since":{"offset":1,"epoch":"e"},"since":{"offset":2}}})",
     "history since offset=2"},
    {"a subscription's channel is its key", R"({"connect":{"subs":{"a":{"channel":"b"}}}})",
     "connect [ channel=a ]"},
    {"a payload that looks like a command",
     R"({"publish":{"data":{"id":9,"publish":{"channel":"x"},"a":[{"data":1}]},"channel":"c"},"id":1})",
     R"(publish id=1 channel=c data={"id":9,"publish":{"channel":"x"},"a":[{"data":1}]})"},
    // White space
    {"a newline at the end", "{\"id\":1}\n", "none id=1"},
    {"blank lines", "\n\n{\"id\":1}\n \t\r\n\n{\"id\":2}\n\n", "none id=1 | none id=2"},
    {"CRLF", "{\"id\":1}\r\n{\"id\":2}\r\n", "none id=1 | none id=2"},
    {"newlines between tokens",
     "{\n  \"id\" : 1 ,\n  \"publish\" :\n\n  {\n \"data\" :\r\n {\r\n \"a b\" : [ 1,\n 2 "
     "]\n}\n,\"channel\":\"c\"}\n}\n{}",
     "publish id=1 channel=c data={ \"a b\" : [ 1, 2 ]} | none"},
    // Payloads
    {"text", R"({"send":{"data":"a\u00e9\n\"\ud83d\ude00"}})",
     R"(send data="a\u00e9\n\"\ud83d\ude00")"},
    {"true", R"({"send":{"data": true }})", "send data=true"},
    {"numbers stay as they are", R"({"send":{"data":-1.50E+3}})", "send data=-1.50E+3"},
    {"empty text", R"({"send":{"data":""}})", R"(send data="")"},
    {"an array", R"({"send":{"data":[[],{},""]}})", R"(send data=[[],{},""])"},
    {"a payload twice", R"({"send":{"data":{"a":1},"data":2}})", "send data=2"},
    // Text
    {"escapes", R"({"publish":{"channel":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00"}})",
     "publish channel=\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"an escape whose tail is what it stands for", R"({"publish":{"channel":"\"\na"}})",
     "publish channel=\"\na"},
    {"UTF-8", "{\"publish\":{\"channel\":\"\xC3\xA9\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"}}",
     "publish channel=\xC3\xA9\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"},
    {"NUL, escaped", R"({"publish":{"channel":"a\u0000b"}})", "publish channel=a\0b"s},
    {"DEL", "{\"publish\":{\"channel\":\"\x7F\"}}", "publish channel=\x7F"},
    // Numbers
    {"the largest",
     R"({"id":4294967295,"subscribe":{"offset":18446744073709551615,"flag":9223372036854775807,"type":2147483647}})",
     "subscribe id=4294967295 offset=18446744073709551615 flag=9223372036854775807 "
     "type=2147483647"},
    {"the smallest",
     R"({"id":0,"subscribe":{"offset":0,"flag":-9223372036854775808,"type":-2147483648}})",
     "subscribe flag=-9223372036854775808 type=-2147483648"},
};

TEST(JsonReader, ReadsWhatClientsSend) {
  for (const Row& row : kRead) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(read(row.frame), row.commands);
  }
}

// What is behind a command, and what was before, changes nothing.
TEST(JsonReader, CommandsOfAFrameAreReadOneByOne) {
  for (const Row& row : kRead) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(read("{\"id\":8}\n" + row.frame + "\n{\"id\":9}"),
              "none id=8 | " + row.commands + " | none id=9");
    EXPECT_EQ(read(row.frame + "\n{]"), row.commands + " | bad");
  }
}

TEST(JsonReader, ACutFrameIsBadUnlessACommandEndsThere) {
  for (const Row& row : kRead) {
    SCOPED_TRACE(row.name);
    for (std::size_t bytes = 0; bytes < row.frame.size(); ++bytes) {
      const std::string outline = read(std::string_view(row.frame).substr(0, bytes));
      if (!outline.ends_with("bad")) {
        EXPECT_TRUE((row.commands + " | ").starts_with(outline + " | ")) << bytes << outline;
      }
    }
  }
}

struct Refused {
  const char* name;
  std::string frame;
};

const Refused kBad[] = {
    {"an empty frame", ""},
    {"a blank frame", " \r\n\n\t"},
    {"no object", "[]"},
    {"a number", "1"},
    {"text", R"("{}")"},
    {"null", "null"},
    {"true", "true"},
    {"words", "hello"},
    {"an array of commands", R"([{"id":1}])"},
    {"a byte order mark", "\xEF\xBB\xBF{}"},
    {"a NUL", "\0"s},
    {"a NUL inside", "{\0}"s},
    {"a NUL in text", "{\"publish\":{\"channel\":\"\0\"}}"s},
    // Joined by other than newlines
    {"two in a line", "{}{}"},
    {"a space between", "{} {}"},
    {"a carriage return between", "{}\r{}"},
    {"a comma between", "{},\n{}"},
    {"a NUL behind", "{}\0"s},
    {"a NUL in the next line", "{}\n\0"s},
    {"a bracket behind", "{}}"},
    // Not JSON
    {"not closed", "{"},
    {"no value", R"({"id"})"},
    {"no value behind the colon", R"({"id":})"},
    {"no colon", R"({"id" 1})"},
    {"a comma at the end", R"({"id":1,})"},
    {"single quotes", "{'id':1}"},
    {"a comment", "{/**/}"},
    {"NaN", R"({"send":{"data":NaN}})"},
    {"Infinity", R"({"send":{"data":-Infinity}})"},
    {"a leading zero", R"({"id":01})"},
    {"a plus", R"({"id":+1})"},
    {"an exponent without digits", R"({"send":{"data":1e}})"},
    {"no double holds it", R"({"send":{"data":1e309}})"},
    {"a control character", "{\"send\":{\"data\":\"\x1F\"}}"},
    {"a newline in text", "{\"send\":{\"data\":\"a\nb\"}}"},
    {"a tab in a key", "{\"\t\":1}"},
    {"an unknown escape", R"({"send":{"data":"\x41"}})"},
    {"a short escape", R"({"send":{"data":"\u12"}})"},
    {"a high surrogate alone", R"({"send":{"data":"\ud800"}})"},
    {"two high surrogates", R"({"send":{"data":"\ud800\ud800"}})"},
    {"a low surrogate alone", R"({"send":{"data":"\udc00"}})"},
    {"a low surrogate in a key", R"({"send":{"data":{"a\udfff":1}}})"},
    {"a low surrogate in an unknown key", R"({"\udfff":1})"},
    {"a low surrogate in a channel", R"({"publish":{"channel":"a\udc00"}})"},
    // Not UTF-8
    {"a stray continuation", "{\"send\":{\"data\":\"\x80\"}}"},
    {"an overlong form", "{\"send\":{\"data\":\"\xC0\x80\"}}"},
    {"an encoded surrogate", "{\"send\":{\"data\":\"\xED\xA0\x80\"}}"},
    {"beyond U+10FFFF", "{\"send\":{\"data\":\"\xF4\x90\x80\x80\"}}"},
    {"a cut character", "{\"send\":{\"data\":\"\xE2\x82\"}}"},
    {"a character cut by the end", "{}\n\xE2"},
    // Another kind than is due
    {"id: text", R"({"id":"1"})"},
    {"id: negative", R"({"id":-1})"},
    {"id: minus zero", R"({"id":-0})"},
    {"id: a fraction", R"({"id":1.0})"},
    {"id: an exponent", R"({"id":1e0})"},
    {"id: too large", R"({"id":4294967296})"},
    {"id: true", R"({"id":true})"},
    {"id: an object", R"({"id":{}})"},
    {"id: an array", R"({"id":[]})"},
    {"a request: text", R"({"connect":"a"})"},
    {"a request: a number", R"({"publish":1})"},
    {"a request: true", R"({"ping":true})"},
    {"a request: an array", R"({"connect":[]})"},
    {"offset: too large", R"({"subscribe":{"offset":18446744073709551616}})"},
    {"offset: negative", R"({"subscribe":{"offset":-1}})"},
    {"flag: too large", R"({"subscribe":{"flag":9223372036854775808}})"},
    {"type: too large", R"({"subscribe":{"type":2147483648}})"},
    {"type: too small", R"({"publish":{"type":-2147483649}})"},
    {"limit: a fraction", R"({"history":{"limit":1.5}})"},
    {"channel: a number", R"({"publish":{"channel":1}})"},
    {"channel: an object", R"({"publish":{"channel":{}}})"},
    {"channel: an array", R"({"publish":{"channel":["a"]}})"},
    {"channel: false", R"({"publish":{"channel":false}})"},
    {"recover: a number", R"({"subscribe":{"recover":1}})"},
    {"recover: text", R"({"subscribe":{"recover":"true"}})"},
    {"recover: an object", R"({"subscribe":{"recover":{}}})"},
    {"subs: an array", R"({"connect":{"subs":[]}})"},
    {"subs: text", R"({"connect":{"subs":"a"}})"},
    {"a subscription: true", R"({"connect":{"subs":{"a":true}}})"},
    {"a subscription: an array", R"({"connect":{"subs":{"a":[]}}})"},
    {"a subscription's epoch: a number", R"({"connect":{"subs":{"a":{"epoch":1}}}})"},
    {"headers: an array", R"({"connect":{"headers":["a"]}})"},
    {"a header: a number", R"({"connect":{"headers":{"A":1}}})"},
    {"a header: an object", R"({"connect":{"headers":{"A":{}}}})"},
    {"since: a number", R"({"history":{"since":1}})"},
    {"since: true", R"({"history":{"since":true}})"},
    {"in a request that another precedes", R"({"connect":{},"publish":{"channel":1}})"},
    {"in a request that another precedes, first", R"({"publish":{"channel":1},"connect":{}})"},
};

TEST(JsonReader, RefusesWhatIsNoCommand) {
  for (const Refused& row : kBad) {
    SCOPED_TRACE(row.name);
    const std::string outline = read(row.frame);
    EXPECT_TRUE(outline == "bad" || outline.ends_with("| bad")) << outline;
    EXPECT_EQ(read("{\"id\":1}\n{\"id\":2}"), "none id=1 | none id=2") << "afterwards";
  }
}

TEST(JsonReader, NestingIsBounded) {
  const auto frame = [](std::size_t depth) {
    return R"({"send":{"data":)" + repeat("[", depth - 2) + repeat("]", depth - 2) + "}}";
  };
  EXPECT_EQ(read(frame(kMaxJsonDepth)),
            "send data=" + repeat("[", kMaxJsonDepth - 2) + repeat("]", kMaxJsonDepth - 2));
  EXPECT_EQ(read(frame(kMaxJsonDepth + 1)), "bad");
  EXPECT_EQ(read(repeat("{\"a\":", 60000)), "bad");
  EXPECT_EQ(read(R"({"x":)" + repeat("[", 60000)), "bad");
}

// Views into the frame where that is possible: large payloads and tokens are not copied.
TEST(JsonReader, WhatIsPlainPointsIntoTheFrame) {
  const std::string frame = R"({"publish":{"channel":"plain","data":{"a":"\u0041"}}})"
                            "\n"
                            R"({"rpc":{"method":"e\u0073caped","data":[1,)"
                            "\n2]}}";
  const auto inside = [&](std::string_view text) {
    return text.data() >= frame.data() && text.data() < frame.data() + frame.size();
  };
  const auto reader = make_json_reader();
  Command first;
  Command second;
  reader->begin(as_bytes(frame));
  ASSERT_EQ(reader->next(first), ReadStatus::command);
  ASSERT_EQ(reader->next(second), ReadStatus::command);
  EXPECT_TRUE(inside(first.channel) && inside(first.data));
  EXPECT_FALSE(inside(second.rpc_method) || inside(second.data));
  EXPECT_EQ(reader->next(second), ReadStatus::end);
}

// What had to be decoded lives as long as the frame's other text: all of it until begin().
TEST(JsonReader, TextLivesUntilTheNextFrame) {
  std::string frame;
  for (int i = 0; i < 1000; ++i)
    frame += "{\"id\":" + std::to_string(i) + ",\"publish\":{\"channel\":\"\\u0063" +
             std::to_string(i) + "\",\"data\":[\n" + std::to_string(i) + "]}}\n";
  const auto reader = make_json_reader();
  std::vector<Command> commands(1);
  reader->begin(as_bytes(frame));
  while (reader->next(commands.back()) == ReadStatus::command) commands.emplace_back();
  ASSERT_EQ(commands.size(), 1001U);
  for (std::size_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(commands[i].channel, "c" + std::to_string(i));
    ASSERT_EQ(commands[i].data, "[" + std::to_string(i) + "]");
  }
}

TEST(JsonReader, AFrameOfManyCommandsIsRead) {
  const auto reader = make_json_reader();
  std::string frame = repeat("{}\n", 30000);
  Command command;
  reader->begin(as_bytes(frame));
  std::size_t commands = 0;
  while (reader->next(command) == ReadStatus::command) ++commands;
  EXPECT_EQ(commands, 30000U);
}

// Ten times as much of the same must not take a hundred times as long. What is slow for other
// reasons is slow for both.
TEST(JsonReader, TimeGrowsWithTheFrameAndNotWithItsSquare) {
  const auto reader = make_json_reader();
  const auto entries = [](std::size_t count) {
    std::string frame = R"({"connect":{"subs":{)";
    for (std::size_t i = 0; i < count; ++i)
      frame += "\"" + std::to_string(i % (count / 2)) + "\":{},";
    frame += R"("x":{}},"headers":{)";
    for (std::size_t i = 0; i < count; ++i) frame += "\"" + std::to_string(i) + "\":\"\",";
    return frame + R"("x":""}}})";
  };
  const auto seconds = [&](const std::string& frame) {
    double best = 1e9;
    for (int run = 0; run < 5; ++run) {
      const std::clock_t start = std::clock();
      Command command;
      reader->begin(as_bytes(frame));
      while (reader->next(command) == ReadStatus::command) {
      }
      best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    return best;
  };
  const auto expect_linear = [&](const char* what, const auto& frame) {
    const double small = seconds(frame(2000));
    EXPECT_LT(seconds(frame(20000)), 40 * small + 1e-3) << what;
  };
  expect_linear("commands", [](std::size_t n) { return repeat("{}\n", n); });
  expect_linear("blank lines", [](std::size_t n) { return repeat("\n", 10 * n) + "{}"; });
  expect_linear("map entries", entries);
  expect_linear("members",
                [](std::size_t n) { return "{" + repeat("\"id\":1,", n) + "\"id\":1}"; });
  expect_linear("white space in members", [](std::size_t n) {
    return "{\"id\"" + repeat(" ", n) + ":" + repeat(" ", n) + "1}";
  });
  expect_linear("line ends in a payload",
                [](std::size_t n) { return R"({"send":{"data":[)" + repeat("0,\n", n) + "0]}}"; });
  expect_linear("escaped text", [](std::size_t n) {
    return R"({"publish":{"channel":")" + repeat("\\u0041", n) + "\"}}";
  });
}

}  // namespace
}  // namespace spate::handlers::client
