#include <gtest/gtest.h>

#include <string>

#include "handlers/client/client.pb.h"
#include "handlers/client/reader.h"
#include "tests/guard_page.h"
#include "tests/handlers/client/commands.h"

namespace spate::handlers::client {
namespace {

namespace proto = centrifugal::centrifuge::protocol;
using namespace std::string_literals;  // for literals with a NUL in them

// Where a read too far ends the test. The reader is one that others have used before.
std::string read(std::string_view frame) {
  static const std::unique_ptr<CommandReader> reader = make_protobuf_reader();
  const test::GuardPages pages(frame.size());
  return test::read_frame(*reader, pages.copy_to_end(as_bytes(frame)));
}

std::string bytes(std::string_view hex) {
  std::string out;
  int half = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (half >= 0) out.push_back(static_cast<char>(half << 4 | digit));
    half = half >= 0 ? -1 : digit;
  }
  return out;
}

struct Row {
  const char* name;
  std::string frame;
  std::string commands;
};

const Row kWire[] = {
    {"connect and subscribe in one frame",
     bytes("14 0801 2210 0a0154 12077b2264223a317d 22026a73 0a 0802 2a06 0a026368 7001"),
     R"(connect id=1 token=T data={"d":1} name=js | subscribe id=2 channel=ch flag=1)"},
    {"pong", bytes("00"), "none"},
    {"pongs", bytes("00 00 00"), "none | none | none"},
    {"an id alone", bytes("02 0803"), "none id=3"},
    {"a length of more bytes than it needs", bytes("8280808000 0803"), "none id=3"},
    {"several requests", bytes("0b 0801 3a00 4203 0a0170 2200"), "connect id=1"},
    {"ping comes last", bytes("06 5a00 6200 2001"), "send"},
    {"unknown fields: a varint, text, four bytes",
     bytes("11 0801 f80101 fa0101ff 5a00 e50700000000"), "ping id=1"},
    {"what comes twice is merged", bytes("0d 3a03 0a0161 3a06 120131 0a0162"),
     "publish channel=b data=1"},
    {"a known number of another type is unknown", bytes("05 0a0131 0803"), "none id=3"},
};

TEST(ProtobufReader, ReadsTheWire) {
  for (const Row& row : kWire) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(read(row.frame), row.commands);
  }
}

struct Refused {
  const char* name;
  std::string frame;
};

const Refused kBad[] = {
    {"an empty frame", ""},
    {"a length alone", bytes("01")},
    {"a length above what is there", bytes("03 0803")},
    {"a length that is cut", bytes("80")},
    {"a length that does not end", bytes("ffffffffffffffffffff01")},
    {"a length of six bytes", bytes("828080808000 0803")},
    {"a length of gigabytes", bytes("ffffffff0f 0803")},
    {"a length of 34 bits", bytes("ffffffff3f 0803")},
    {"JSON", R"({"id":1})"},
    {"a field cut", bytes("01 08")},
    {"a field longer than its message", bytes("04 2a03 0a01 61")},
    {"number zero", bytes("02 0001")},
    {"an end without a group", bytes("01 0c")},
    {"a group without an end", bytes("02 a307")},
    {"wire type 6", bytes("02 0e01")},
    {"a varint of eleven bytes", bytes("0c 08 ffffffffffffffffffff01")},
    {"text that is not UTF-8", bytes("06 0801 3203 0a01 ff")},
    {"a map's key that is not UTF-8", bytes("0b 0801 2207 1a05 0a01ff 1200")},
};

TEST(ProtobufReader, RefusesWhatIsNoCommand) {
  for (const Refused& row : kBad) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(read(row.frame), "bad");
    EXPECT_EQ(read(bytes("00") + row.frame), row.frame.empty() ? "none" : "none | bad");
    EXPECT_EQ(read(bytes("02 0801")), "none id=1") << "afterwards";
  }
}

struct Generated {
  void (*build)(proto::Command& command);
  std::string command;
};

const Generated kGenerated[] = {
    {[](proto::Command& c) {
       proto::ConnectRequest& connect = *c.mutable_connect();
       connect.set_token("t");
       connect.set_data("\xFF\n");
       connect.set_name("n");
       connect.set_version("v");
       connect.set_flag(1);
       proto::SubscribeRequest& sub = (*connect.mutable_subs())["b"];
       sub.set_recover(true);
       sub.set_offset(3);
       sub.set_epoch("e");
       sub.set_channel("not the key");
       (*connect.mutable_subs())["a"];
       (*connect.mutable_headers())["B"] = "2";
       (*connect.mutable_headers())["A"];
     },
     "connect id=7 token=t data=\xFF\n [ channel=a ] [ channel=b recover epoch=e offset=3 ] name=n "
     "version=v {A: } {B: 2}"},
    {[](proto::Command& c) {
       proto::SubscribeRequest& subscribe = *c.mutable_subscribe();
       subscribe.set_channel("c");
       subscribe.set_token("t");
       subscribe.set_recover(true);
       subscribe.set_epoch("e");
       subscribe.set_offset(18446744073709551615U);
       subscribe.set_data("d");
       subscribe.set_positioned(true);
       subscribe.set_recoverable(true);
       subscribe.set_join_leave(true);
       subscribe.set_delta("f");
       subscribe.mutable_tf()->add_nodes()->set_op("eq");
       subscribe.set_flag(-1);
       subscribe.set_type(-2);
       subscribe.set_phase(2);
       subscribe.set_cursor("x");
       subscribe.set_limit(5);
       subscribe.set_asc(true);
     },
     "subscribe id=7 channel=c token=t recover epoch=e offset=18446744073709551615 data=d "
     "positioned "
     "recoverable join_leave delta=f filter flag=-1 type=-2"},
    {[](proto::Command& c) { c.mutable_unsubscribe()->set_channel("c"); },
     "unsubscribe id=7 channel=c"},
    {[](proto::Command& c) {
       c.mutable_publish()->set_channel("c");
       c.mutable_publish()->set_data(std::string(70000, 'x'));
       c.mutable_publish()->set_type(1);
       c.mutable_publish()->set_key("k");
     },
     "publish id=7 channel=c data=" + std::string(70000, 'x') + " type=1"},
    {[](proto::Command& c) { c.mutable_presence()->set_channel("c"); }, "presence id=7 channel=c"},
    {[](proto::Command& c) { c.mutable_presence_stats()->set_channel("c"); },
     "presence_stats id=7 channel=c"},
    {[](proto::Command& c) {
       c.mutable_history()->set_channel("c");
       c.mutable_history()->set_limit(-1);
       c.mutable_history()->set_reverse(true);
       c.mutable_history()->mutable_since()->set_offset(5);
       c.mutable_history()->mutable_since()->set_epoch("e");
     },
     "history id=7 channel=c limit=-1 since offset=5 epoch=e reverse"},
    {[](proto::Command& c) { c.mutable_history()->mutable_since(); }, "history id=7 since"},
    {[](proto::Command& c) {
       c.mutable_rpc()->set_data("d");
       c.mutable_rpc()->set_method("m");
     },
     "rpc id=7 data=d method=m"},
    {[](proto::Command& c) { c.mutable_send()->set_data("d"); }, "send id=7 data=d"},
    {[](proto::Command& c) { c.mutable_refresh()->set_token("t"); }, "refresh id=7 token=t"},
    {[](proto::Command& c) {
       c.mutable_sub_refresh()->set_channel("c");
       c.mutable_sub_refresh()->set_token("t");
       c.mutable_sub_refresh()->set_type(1);
       c.mutable_sub_refresh()->add_track()->add_items()->set_key("k");
     },
     "sub_refresh id=7 channel=c token=t type=1"},
    {[](proto::Command& c) { c.mutable_ping(); }, "ping id=7"},
};

void append(std::string& frame, const proto::Command& command) {
  std::size_t length = command.ByteSizeLong();
  for (; length >= 0x80; length >>= 7) frame.push_back(static_cast<char>(length | 0x80));
  frame.push_back(static_cast<char>(length));
  frame += command.SerializeAsString();
}

TEST(ProtobufReader, ReadsWhatGeneratedCodeWrites) {
  std::string all;
  std::string commands;
  for (const Generated& row : kGenerated) {
    proto::Command command;
    command.set_id(7);
    row.build(command);
    std::string frame;
    append(frame, command);
    EXPECT_EQ(read(frame), row.command);
    EXPECT_EQ(read(frame.substr(0, frame.size() - 1)), "bad");
    all += frame;
    commands += (commands.empty() ? "" : " | ") + row.command;
  }
  EXPECT_EQ(read(all), commands);
}

// Of several the first in the order of Method; every pair, either way round on the wire.
TEST(ProtobufReader, TheFirstRequestInTheDocumentedOrderCounts) {
  for (std::size_t first = 0; first < std::size(kGenerated); ++first) {
    for (std::size_t second = first + 1; second < std::size(kGenerated); ++second) {
      proto::Command a;
      proto::Command b;
      a.set_id(7);
      kGenerated[first].build(a);
      kGenerated[second].build(b);
      std::string frame;
      proto::Command both = b;
      both.MergeFrom(a);
      append(frame, both);
      const std::string expected = read(frame);
      const std::string method(kGenerated[first].command, 0, kGenerated[first].command.find(' '));
      EXPECT_TRUE(expected.starts_with(method + " ")) << expected;
    }
  }
}

TEST(ProtobufReader, AFrameOfManyCommandsIsRead) {
  std::string frame;
  for (int i = 0; i < 20000; ++i) frame += bytes("02 3a00");
  const auto reader = make_protobuf_reader();
  Command command;
  for (int run = 0; run < 3; ++run) {
    std::size_t commands = 0;
    reader->begin(as_bytes(frame));
    while (reader->next(command) == ReadStatus::command)
      commands += command.method == Method::publish;
    EXPECT_EQ(commands, 20000U);
  }
}

// Nested deeper than the library follows: refused, and not followed.
TEST(ProtobufReader, NestingIsBounded) {
  std::string filter;
  proto::FilterNode node;
  for (int depth = 0; depth < 1000; ++depth) {
    proto::FilterNode outer;
    *outer.add_nodes() = node;
    node = outer;
    if (depth > 120) break;
  }
  proto::Command command;
  *command.mutable_subscribe()->mutable_tf() = node;
  std::string frame;
  append(frame, command);
  EXPECT_EQ(read(frame), "bad");
}

}  // namespace
}  // namespace spate::handlers::client
