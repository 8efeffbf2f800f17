// Every message in both encodings: JSON to the letter, Protobuf to the byte as generated code
// writes it.
#include "handlers/client/writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "handlers/client/client.pb.h"
#include "handlers/client/reader.h"

namespace spate::handlers::client {
namespace {

namespace proto = centrifugal::centrifuge::protocol;

hub::Epoch epoch(std::string_view letters) {
  SPATE_CHECK(letters.size() == hub::Epoch::kLetters);
  return hub::Epoch::of_packed(load<std::uint64_t>(as_bytes(letters).data()));
}

const StreamPosition kPosition{41, epoch("kQwRtZab")};
const ClientInfo kAl{"42", "aa-1", R"({"name":"Al"})", {}};
const ClientInfo kAnonymous{{}, "bb-2", {}, "[1]"};

// The length that precedes a message, by the library.
std::string framed(const proto::Reply& reply) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // maps in the order of their keys
    coded.WriteVarint32(static_cast<std::uint32_t>(reply.ByteSizeLong()));
    reply.SerializeWithCachedSizes(&coded);
  }
  return out;
}

struct Row {
  const char* name;
  void (*write)(MessageWriter& writer, std::string& out);
  std::string json;
  void (*build)(proto::Reply& reply);
};

void build(const ClientInfo& from, proto::ClientInfo& to) {
  to.set_user(std::string(from.user));
  to.set_client(std::string(from.client));
  to.set_conn_info(std::string(from.conn_info));
  to.set_chan_info(std::string(from.chan_info));
}

void add(google::protobuf::RepeatedPtrField<proto::Publication>& list, const char* data,
         std::uint64_t offset) {
  proto::Publication* publication = list.Add();
  publication->set_data(data);
  publication->set_offset(offset);
}

Publication publication(std::string_view data, std::uint64_t offset = 0) {
  Publication result;
  result.data = data;
  result.offset = offset;
  return result;
}

const hub::KeptPublication kMissed[] = {{publication(R"({"n":43})", 43), {}, {}},
                                        {publication(R"({"n":44})", 44), {}, {}}};

const Row kReplies[] = {
    {"error", [](MessageWriter& w, std::string& out) { w.error(out, 4, kErrorPermissionDenied); },
     R"({"id":4,"error":{"code":103,"message":"permission denied"}})",
     [](proto::Reply& r) {
       r.set_id(4);
       r.mutable_error()->set_code(103);
       r.mutable_error()->set_message("permission denied");
     }},
    {"temporary error",
     [](MessageWriter& w, std::string& out) { w.error(out, 5, kErrorTooManyRequests); },
     R"({"id":5,"error":{"code":111,"message":"too many requests","temporary":true}})",
     [](proto::Reply& r) {
       r.set_id(5);
       r.mutable_error()->set_code(111);
       r.mutable_error()->set_message("too many requests");
       r.mutable_error()->set_temporary(true);
     }},
    {"an error has code and message",
     [](MessageWriter& w, std::string& out) { w.error(out, 0, {}); },
     R"({"error":{"code":0,"message":""}})", [](proto::Reply& r) { r.mutable_error(); }},
    {"connected",
     [](MessageWriter& w, std::string& out) {
       w.connected(out, 1,
                   {.client = "6f1c",
                    .version = "spate 0.1",
                    .data = {},
                    .ping = 25,
                    .pong = true,
                    .session = {},
                    .node = {}},
                   {});
     },
     R"({"id":1,"connect":{"client":"6f1c","version":"spate 0.1","ping":25,"pong":true}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_connect()->set_client("6f1c");
       r.mutable_connect()->set_version("spate 0.1");
       r.mutable_connect()->set_ping(25);
       r.mutable_connect()->set_pong(true);
     }},
    {"connected, with everything",
     [](MessageWriter& w, std::string& out) {
       const hub::KeptPublication missed[] = {{publication("1", 4), {}, {}}};
       const ConnectedSubscription subs[] = {{"#42",
                                              {.recoverable = true,
                                               .positioned = true,
                                               .position = {3, epoch("kQwRtZab")},
                                               .publications = missed,
                                               .recovered = true,
                                               .was_recovering = true,
                                               .data = {}}},
                                             {"z\"", {}}};
       w.connected(out, 15,
                   {.client = "c",
                    .version = "v",
                    .expires = true,
                    .ttl = 300,
                    .data = "[0]",
                    .ping = 25,
                    .pong = true,
                    .session = "s",
                    .node = "n"},
                   std::span(subs).first(2));
     },
     R"({"id":15,"connect":{"client":"c","version":"v","expires":true,"ttl":300,"data":[0],"subs":{)"
     R"("#42":{"recoverable":true,"epoch":"kQwRtZab","publications":[{"data":1,"offset":4}],)"
     R"("recovered":true,"offset":3,"positioned":true,"was_recovering":true},"z\"":{}},)"
     R"("ping":25,"pong":true,"session":"s","node":"n"}})",
     [](proto::Reply& r) {
       r.set_id(15);
       proto::ConnectResult& connect = *r.mutable_connect();
       connect.set_client("c");
       connect.set_version("v");
       connect.set_expires(true);
       connect.set_ttl(300);
       connect.set_data("[0]");
       proto::SubscribeResult& sub = (*connect.mutable_subs())["#42"];
       sub.set_recoverable(true);
       sub.set_positioned(true);
       sub.set_epoch("kQwRtZab");
       sub.set_offset(3);
       sub.set_recovered(true);
       sub.set_was_recovering(true);
       add(*sub.mutable_publications(), "1", 4);
       (*connect.mutable_subs())["z\""];
       connect.set_ping(25);
       connect.set_pong(true);
       connect.set_session("s");
       connect.set_node("n");
     }},
    {"connected has a client",
     [](MessageWriter& w, std::string& out) { w.connected(out, 1, {}, {}); },
     R"({"id":1,"connect":{"client":""}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_connect();
     }},
    {"subscribed", [](MessageWriter& w, std::string& out) { w.subscribed(out, 2, {}); },
     R"({"id":2,"subscribe":{}})",
     [](proto::Reply& r) {
       r.set_id(2);
       r.mutable_subscribe();
     }},
    {"subscribed and recovered",
     [](MessageWriter& w, std::string& out) {
       w.subscribed(out, 9,
                    {.expires = true,
                     .ttl = 60,
                     .recoverable = true,
                     .positioned = true,
                     .position = {42, epoch("kQwRtZab")},
                     .publications = kMissed,
                     .recovered = true,
                     .was_recovering = true,
                     .data = "{}"});
     },
     R"({"id":9,"subscribe":{"expires":true,"ttl":60,"recoverable":true,"epoch":"kQwRtZab",)"
     R"("publications":[{"data":{"n":43},"offset":43},{"data":{"n":44},"offset":44}],)"
     R"("recovered":true,"offset":42,"positioned":true,"data":{},"was_recovering":true}})",
     [](proto::Reply& r) {
       r.set_id(9);
       proto::SubscribeResult& subscribe = *r.mutable_subscribe();
       subscribe.set_expires(true);
       subscribe.set_ttl(60);
       subscribe.set_recoverable(true);
       subscribe.set_positioned(true);
       subscribe.set_epoch("kQwRtZab");
       subscribe.set_offset(42);
       add(*subscribe.mutable_publications(), R"({"n":43})", 43);
       add(*subscribe.mutable_publications(), R"({"n":44})", 44);
       subscribe.set_recovered(true);
       subscribe.set_was_recovering(true);
       subscribe.set_data("{}");
     }},
    {"unsubscribed",
     [](MessageWriter& w, std::string& out) { w.done(out, 3, Method::unsubscribe); },
     R"({"id":3,"unsubscribe":{}})",
     [](proto::Reply& r) {
       r.set_id(3);
       r.mutable_unsubscribe();
     }},
    {"published", [](MessageWriter& w, std::string& out) { w.done(out, 3, Method::publish); },
     R"({"id":3,"publish":{}})",
     [](proto::Reply& r) {
       r.set_id(3);
       r.mutable_publish();
     }},
    {"pinged", [](MessageWriter& w, std::string& out) { w.done(out, 4294967295, Method::ping); },
     R"({"id":4294967295,"ping":{}})",
     [](proto::Reply& r) {
       r.set_id(4294967295);
       r.mutable_ping();
     }},
    {"presence",
     [](MessageWriter& w, std::string& out) {
       const hub::PresenceEntry entries[] = {{kAl}, {kAnonymous}};
       w.presence(out, 1, entries);
     },
     R"({"id":1,"presence":{"presence":{"aa-1":{"user":"42","client":"aa-1","conn_info":{"name":"Al"}},)"
     R"("bb-2":{"user":"","client":"bb-2","chan_info":[1]}}}})",
     [](proto::Reply& r) {
       r.set_id(1);
       build(kAl, (*r.mutable_presence()->mutable_presence())["aa-1"]);
       build(kAnonymous, (*r.mutable_presence()->mutable_presence())["bb-2"]);
     }},
    {"nobody's presence", [](MessageWriter& w, std::string& out) { w.presence(out, 1, {}); },
     R"({"id":1,"presence":{"presence":{}}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_presence();
     }},
    {"presence_stats",
     [](MessageWriter& w, std::string& out) {
       w.presence_stats(out, 1, {hub::BrokerError::none, 3, 2});
     },
     R"({"id":1,"presence_stats":{"num_clients":3,"num_users":2}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_presence_stats()->set_num_clients(3);
       r.mutable_presence_stats()->set_num_users(2);
     }},
    {"nobody's presence_stats",
     [](MessageWriter& w, std::string& out) { w.presence_stats(out, 1, {}); },
     R"({"id":1,"presence_stats":{"num_clients":0,"num_users":0}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_presence_stats();
     }},
    {"history", [](MessageWriter& w, std::string& out) { w.history(out, 1, kMissed, kPosition); },
     R"({"id":1,"history":{"publications":[{"data":{"n":43},"offset":43},{"data":{"n":44},"offset":44}],)"
     R"("epoch":"kQwRtZab","offset":41}})",
     [](proto::Reply& r) {
       r.set_id(1);
       add(*r.mutable_history()->mutable_publications(), R"({"n":43})", 43);
       add(*r.mutable_history()->mutable_publications(), R"({"n":44})", 44);
       r.mutable_history()->set_epoch("kQwRtZab");
       r.mutable_history()->set_offset(41);
     }},
    {"an empty history", [](MessageWriter& w, std::string& out) { w.history(out, 1, {}, {}); },
     R"({"id":1,"history":{"publications":[],"epoch":"","offset":0}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_history();
     }},
    {"rpc", [](MessageWriter& w, std::string& out) { w.rpc(out, 1, R"({"a":1})"); },
     R"({"id":1,"rpc":{"data":{"a":1}}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_rpc()->set_data(R"({"a":1})");
     }},
    {"rpc without data", [](MessageWriter& w, std::string& out) { w.rpc(out, 1, {}); },
     R"({"id":1,"rpc":{}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_rpc();
     }},
    {"refreshed",
     [](MessageWriter& w, std::string& out) {
       w.refreshed(out, 1, Method::refresh, {true, 60});
     },
     R"({"id":1,"refresh":{"expires":true,"ttl":60}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_refresh()->set_expires(true);
       r.mutable_refresh()->set_ttl(60);
     }},
    {"subscription refreshed",
     [](MessageWriter& w, std::string& out) {
       w.refreshed(out, 1, Method::sub_refresh, {true, 60});
     },
     R"({"id":1,"sub_refresh":{"expires":true,"ttl":60}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_sub_refresh()->set_expires(true);
       r.mutable_sub_refresh()->set_ttl(60);
     }},
    {"refreshed for ever",
     [](MessageWriter& w, std::string& out) { w.refreshed(out, 1, Method::refresh, {}); },
     R"({"id":1,"refresh":{}})",
     [](proto::Reply& r) {
       r.set_id(1);
       r.mutable_refresh();
     }},
};

const Row kPushes[] = {
    {"ping", [](MessageWriter& w, std::string& out) { w.ping(out); }, "{}", [](proto::Reply&) {}},
    {"publication",
     [](MessageWriter& w, std::string& out) {
       w.publication(out, "chat:1", publication(R"({"n":42})", 42), {});
     },
     R"({"push":{"channel":"chat:1","pub":{"data":{"n":42},"offset":42}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("chat:1");
       r.mutable_push()->mutable_pub()->set_data(R"({"n":42})");
       r.mutable_push()->mutable_pub()->set_offset(42);
     }},
    {"publication of a client",
     [](MessageWriter& w, std::string& out) {
       w.publication(out, "news", {R"({"t":"hi"})", 0, ClientInfo{{}, "6f1c", {}, {}}, {}}, {});
     },
     R"({"push":{"channel":"news","pub":{"data":{"t":"hi"},"info":{"user":"","client":"6f1c"}}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("news");
       r.mutable_push()->mutable_pub()->set_data(R"({"t":"hi"})");
       r.mutable_push()->mutable_pub()->mutable_info()->set_client("6f1c");
     }},
    {"publication with everything",
     [](MessageWriter& w, std::string& out) {
       const hub::Tag tags[] = {{"", ""}, {"a\"", "\n"}};
       w.publication(out, "c\n", {"0", 18446744073709551615U, kAl, tags}, epoch("kQwRtZab"));
     },
     R"({"push":{"channel":"c\n","pub":{"data":0,"info":{"user":"42","client":"aa-1",)"
     R"("conn_info":{"name":"Al"}},"offset":18446744073709551615,"tags":{"":"","a\"":"\n"},)"
     R"("epoch":"kQwRtZab"}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("c\n");
       proto::Publication& pub = *r.mutable_push()->mutable_pub();
       pub.set_data("0");
       build(kAl, *pub.mutable_info());
       pub.set_offset(18446744073709551615U);
       (*pub.mutable_tags())[""];
       (*pub.mutable_tags())["a\""] = "\n";
       pub.set_epoch("kQwRtZab");
     }},
    {"join", [](MessageWriter& w, std::string& out) { w.join(out, "chat:1", kAl); },
     R"({"push":{"channel":"chat:1","join":{"info":{"user":"42","client":"aa-1","conn_info":{"name":"Al"}}}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("chat:1");
       build(kAl, *r.mutable_push()->mutable_join()->mutable_info());
     }},
    {"leave", [](MessageWriter& w, std::string& out) { w.leave(out, "chat:1", kAnonymous); },
     R"({"push":{"channel":"chat:1","leave":{"info":{"user":"","client":"bb-2","chan_info":[1]}}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("chat:1");
       build(kAnonymous, *r.mutable_push()->mutable_leave()->mutable_info());
     }},
    {"subscribe",
     [](MessageWriter& w, std::string& out) {
       w.subscribe(out, "#42",
                   {.recoverable = true,
                    .positioned = true,
                    .position = {3, epoch("kQwRtZab")},
                    .publications = {},
                    .data = "[]"});
     },
     R"({"push":{"channel":"#42","subscribe":{"recoverable":true,"epoch":"kQwRtZab","offset":3,)"
     R"("positioned":true,"data":[]}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("#42");
       proto::Subscribe& subscribe = *r.mutable_push()->mutable_subscribe();
       subscribe.set_recoverable(true);
       subscribe.set_epoch("kQwRtZab");
       subscribe.set_offset(3);
       subscribe.set_positioned(true);
       subscribe.set_data("[]");
     }},
    {"unsubscribe",
     [](MessageWriter& w, std::string& out) {
       w.unsubscribe(out, "chat:1", kUnsubscribedByServer);
     },
     R"({"push":{"channel":"chat:1","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("chat:1");
       r.mutable_push()->mutable_unsubscribe()->set_code(2000);
       r.mutable_push()->mutable_unsubscribe()->set_reason("server unsubscribe");
     }},
    {"an unsubscribe has code and reason",
     [](MessageWriter& w, std::string& out) { w.unsubscribe(out, "c", {}); },
     R"({"push":{"channel":"c","unsubscribe":{"code":0,"reason":""}}})",
     [](proto::Reply& r) {
       r.mutable_push()->set_channel("c");
       r.mutable_push()->mutable_unsubscribe();
     }},
    {"message", [](MessageWriter& w, std::string& out) { w.message(out, R"({"any":1})"); },
     R"({"push":{"message":{"data":{"any":1}}}})",
     [](proto::Reply& r) { r.mutable_push()->mutable_message()->set_data(R"({"any":1})"); }},
    {"disconnect", [](MessageWriter& w, std::string& out) { w.disconnect(out, kDisconnectSlow); },
     R"({"push":{"disconnect":{"code":3008,"reason":"slow"}}})",
     [](proto::Reply& r) {
       r.mutable_push()->mutable_disconnect()->set_code(3008);
       r.mutable_push()->mutable_disconnect()->set_reason("slow");
     }},
    {"refresh",
     [](MessageWriter& w, std::string& out) {
       w.refresh(out, {true, 5});
     },
     R"({"push":{"refresh":{"expires":true,"ttl":5}}})",
     [](proto::Reply& r) {
       r.mutable_push()->mutable_refresh()->set_expires(true);
       r.mutable_push()->mutable_refresh()->set_ttl(5);
     }},
};

std::vector<Row> all_rows() {
  std::vector<Row> rows(std::begin(kReplies), std::end(kReplies));
  rows.insert(rows.end(), std::begin(kPushes), std::end(kPushes));
  return rows;
}

TEST(JsonWriter, WritesWhatSdksRead) {
  for (const Row& row : all_rows()) {
    SCOPED_TRACE(row.name);
    std::string out;
    row.write(json_writer(), out);
    EXPECT_EQ(out, row.json);
    EXPECT_TRUE(is_json_object(out));
  }
}

TEST(ProtobufWriter, WritesWhatGeneratedCodeWrites) {
  for (const Row& row : all_rows()) {
    SCOPED_TRACE(row.name);
    proto::Reply reply;
    row.build(reply);
    std::string out;
    row.write(protobuf_writer(), out);
    EXPECT_EQ(out, framed(reply));
  }
}

TEST(JsonWriter, MessagesAreJoinedByNewlines) {
  std::string out;
  std::string joined;
  for (const Row& row : all_rows()) {
    row.write(json_writer(), out);
    joined += (joined.empty() ? "" : "\n") + row.json;
  }
  EXPECT_EQ(out, joined);
}

TEST(ProtobufWriter, MessagesFollowEachOther) {
  std::string out;
  std::string joined;
  for (const Row& row : all_rows()) {
    proto::Reply reply;
    row.build(reply);
    row.write(protobuf_writer(), out);
    joined += framed(reply);
  }
  EXPECT_EQ(out, joined);
}

TEST(ProtobufWriter, APingIsOneZero) {
  std::string out;
  protobuf_writer().ping(out);
  EXPECT_EQ(out, std::string(1, '\0'));
}

// Lengths of one, two and three bytes, of the payload and of what is around it.
TEST(ProtobufWriter, LengthsOfEverySizeAreMinimal) {
  for (const std::size_t around : {128UL, 16384UL, 2097152UL}) {
    for (std::size_t bytes = around - 40; bytes <= around + 2; ++bytes) {
      const std::string data(bytes, 'x');
      proto::Reply reply;
      reply.mutable_push()->set_channel("c");
      reply.mutable_push()->mutable_pub()->set_data(data);
      std::string out = "before";
      protobuf_writer().publication(out, "c", publication(data), {});
      ASSERT_TRUE(out == "before" + framed(reply)) << bytes;
    }
  }
}

TEST(ProtobufWriter, PayloadsAreAnyBytes) {
  std::string data;
  for (int c = 0; c < 256; ++c) data.push_back(static_cast<char>(c));
  proto::Reply reply;
  reply.mutable_push()->set_channel("c");
  reply.mutable_push()->mutable_pub()->set_data(data);
  std::string out;
  protobuf_writer().publication(out, "c", publication(data), {});
  EXPECT_EQ(out, framed(reply));
}

}  // namespace
}  // namespace spate::handlers::client
