#include "codec/message_decoder.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/codec/frames.h"
#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using test::Frames;

// What a decoder said, as text: "text(hello) ping(x) bad(invalid UTF-8)".
std::string describe_event(const Event& event) {
  const std::string payload(as_text(event.payload));
  switch (event.kind) {
    case EventKind::message:
      return (event.opcode == Opcode::text ? "text(" : "binary(") + payload + ") ";
    case EventKind::ping:
      return "ping(" + payload + ") ";
    case EventKind::pong:
      return "pong(" + payload + ") ";
    case EventKind::close:
      return "close ";
    case EventKind::bad:
      return std::string("bad(") + describe(event.error).name + ") ";
    case EventKind::need_more:
      return "";
  }
  return "?";
}

// Feeds `wire` in chunks that `chunk_bytes` sizes, each window against a page that cannot be read,
// and gathers what comes. `echo` writes a reply over each message, as a server that answers in
// place does.
std::string decode(const std::string& wire, const FrameRules& rules, bool echo,
                   const std::function<std::size_t(std::size_t)>& chunk_bytes) {
  std::string said;
  std::string replies;
  std::string kept;
  DecoderState state{};
  std::size_t at = 0;
  while (at < wire.size()) {
    const std::size_t bytes = std::min(chunk_bytes(at), wire.size() - at);
    const test::GuardPages pages(16 + kept.size() + bytes);
    const Bytes buffer = pages.at_end(16 + kept.size() + bytes);
    std::byte* const begin = buffer.data() + 16;
    std::memcpy(begin, kept.data(), kept.size());
    std::memcpy(begin + kept.size(), wire.data() + at, bytes);
    at += bytes;
    MessageDecoder decoder(rules, state, {begin, kept.size() + bytes}, buffer.data());
    std::vector<ConstBytes> in_place;
    for (;;) {
      const Event event = decoder.next();
      said += describe_event(event);
      if (event.kind == EventKind::bad || event.kind == EventKind::close) return said;
      if (event.kind == EventKind::need_more) break;
      if (!echo || event.kind != EventKind::message) continue;
      const std::size_t header = server_header_bytes(event.payload.size());
      std::byte* const room = decoder.room_before(event.payload, header);
      if (room == nullptr) {
        ADD_FAILURE() << "no room for a reply's header";
        continue;
      }
      build_server_header(room, event.opcode, event.payload.size());
      in_place.push_back({room, header + event.payload.size()});
      decoder.keep_until(event.payload.data() + event.payload.size());
    }
    // What was built in place must have survived all that came after it.
    for (const ConstBytes reply : in_place) replies += as_text(reply);
    kept = as_text(decoder.rest());
  }
  if (echo) {
    // Read the replies back: they say the same messages.
    std::string echoed;
    for (std::size_t i = 0; i < replies.size();) {
      const auto first = static_cast<unsigned char>(replies[i]);
      std::size_t length = static_cast<unsigned char>(replies[i + 1]), header = 2;
      if (length == 126) {
        length = static_cast<unsigned char>(replies[i + 2]) * 256u +
                 static_cast<unsigned char>(replies[i + 3]);
        header = 4;
      } else if (length == 127) {
        length = static_cast<std::size_t>(
            big_endian(load<std::uint64_t>(reinterpret_cast<std::byte*>(&replies[i + 2]))));
        header = 10;
      }
      echoed += (first == 0x81 ? "text(" : "binary(") + replies.substr(i + header, length) + ") ";
      i += header + length;
    }
    std::string messages = said;
    for (const char* other : {"ping(x) ", "ping() ", "pong() ", "pong(u) "})
      for (std::size_t i; (i = messages.find(other)) != std::string::npos;)
        messages.erase(i, std::strlen(other));
    EXPECT_EQ(echoed, messages.substr(0, messages.find("bad(")));
  }
  return said;
}

struct Row {
  const char* name;
  std::string wire;
  std::string expect;
  const char* clause;
};

void check(const Row& row, const FrameRules& rules = {}) {
  SCOPED_TRACE(std::string(row.name) + " — " + row.clause);
  for (const bool echo : {false, true}) {
    EXPECT_EQ(decode(row.wire, rules, echo, [&](std::size_t) { return row.wire.size(); }),
              row.expect)
        << "whole";
    EXPECT_EQ(decode(row.wire, rules, echo, [](std::size_t) { return 1u; }), row.expect)
        << "byte by byte";
    if (row.wire.size() > 600) continue;
    for (std::size_t split = 1; split < row.wire.size(); ++split)
      ASSERT_EQ(decode(row.wire, rules, echo,
                       [&](std::size_t at) { return at == 0 ? split : row.wire.size(); }),
                row.expect)
          << "split at " << split;
  }
}

TEST(MessageDecoder, Sequences) {
  const std::string long_text(70'000, 'a');
  const std::vector<Row> rows = {
      {"one short text", Frames().text("hello"), "text(hello) ", "RFC 6455 §5.6"},
      {"empty messages", Frames().text("").binary(""), "text() binary() ", "RFC 6455 §5.2"},
      {"length 125", Frames().binary(std::string(125, 'x')),
       "binary(" + std::string(125, 'x') + ") ", "RFC 6455 §5.2"},
      {"length 126", Frames().binary(std::string(126, 'x')),
       "binary(" + std::string(126, 'x') + ") ", "RFC 6455 §5.2"},
      {"pipelined", Frames().text("a").text("bb").binary("ccc").text("dddd"),
       "text(a) text(bb) binary(ccc) text(dddd) ", "RFC 6455 §5.2"},
      {"pipelined, short after long",
       Frames().text(std::string(300, 'l')).text("s").text(std::string(200, 'm')).text("t"),
       "text(" + std::string(300, 'l') + ") text(s) text(" + std::string(200, 'm') + ") text(t) ",
       "RFC 6455 §5.2"},
      {"fragments", Frames().first("he").more("ll").last("o"), "text(hello) ", "RFC 6455 §5.4"},
      {"fragments behind a message", Frames().text("before").first("he").last("llo").text("after"),
       "text(before) text(hello) text(after) ", "RFC 6455 §5.4"},
      {"empty fragments", Frames().first("").more("").more("x").last(""), "text(x) ",
       "RFC 6455 §5.4"},
      {"control between fragments", Frames().first("he").ping("x").more("l").pong("u").last("lo"),
       "ping(x) pong(u) text(hello) ", "RFC 6455 §5.5"},
      {"control before anything", Frames().ping("").pong("").text("t"), "ping() pong() text(t) ",
       "RFC 6455 §5.5"},
      {"close", Frames().text("a").close(1000, "bye"), "text(a) close ", "RFC 6455 §5.5.1"},
      {"continuation of nothing", Frames().last("x"), "bad(unexpected continuation) ",
       "RFC 6455 §5.4"},
      {"continuation after the end", Frames().first("a").last("b").last("c"),
       "text(ab) bad(unexpected continuation) ", "RFC 6455 §5.4"},
      {"a new message inside one", Frames().first("a").text("b"), "bad(expected continuation) ",
       "RFC 6455 §5.4"},
      {"UTF-8 across fragments", Frames().first("\xF0\x9F").last("\x98\x80!"),
       "text(\xF0\x9F\x98\x80!) ", "RFC 6455 §8.1"},
      {"UTF-8 cut at the end", Frames().text("x\xE2\x82"), "bad(invalid UTF-8) ", "RFC 6455 §8.1"},
      {"UTF-8 cut at the end of the last fragment", Frames().first("x").last("\xC3"),
       "bad(invalid UTF-8) ", "RFC 6455 §8.1"},
      {"UTF-8 wrong in binary is nobody's business", Frames().binary("\xFF\xFE"),
       "binary(\xFF\xFE) ", "RFC 6455 §5.6"},
      {"reserved bit", Frames().raw(0xC1, "x"), "bad(reserved bits set) ", "RFC 6455 §5.2"},
      {"reserved opcode", Frames().text("a").raw(0x83, "x"), "text(a) bad(reserved opcode) ",
       "RFC 6455 §5.2"},
      {"fragmented ping", Frames().raw(0x09, "x"), "bad(fragmented control frame) ",
       "RFC 6455 §5.5"},
  };
  for (const Row& row : rows) check(row);
}

TEST(MessageDecoder, ALongMessageArrivesInAnyChunks) {
  const std::string text(70'000, 'a');
  const std::string wire = Frames().text("s").text(text).text("e");
  for (const std::size_t chunk : {97u, 1000u, 4096u, 65'536u, 100'000u})
    EXPECT_EQ(decode(wire, {.max_message_bytes = 70'000}, true, [&](std::size_t) { return chunk; }),
              "text(s) text(" + text + ") text(e) ");
}

TEST(MessageDecoder, TheLimitHoldsFromTheHeaderOn) {
  const FrameRules rules{.max_message_bytes = 10};
  check({"at the limit", Frames().text("0123456789"), "text(0123456789) ", "RFC 6455 §7.4.1"},
        rules);
  check({"over it", Frames().text("0123456789a"), "bad(message too big) ", "RFC 6455 §7.4.1"},
        rules);
  check({"fragments at it", Frames().first("01234").last("56789"), "text(0123456789) ",
         "RFC 6455 §7.4.1"},
        rules);
  check({"fragments over it", Frames().first("01234").last("56789a"), "bad(message too big) ",
         "RFC 6455 §7.4.1"},
        rules);
  // Ten bytes of header say 2^40: refused without the key, let alone the payload.
  std::string header = "\x82\xFF";
  header += std::string("\0\0\1\0\0\0\0\0", 8);
  EXPECT_EQ(decode(header, rules, false, [](std::size_t) { return 100u; }),
            "bad(message too big) ");
}

TEST(MessageDecoder, InvalidTextFailsInsideAHalfReceivedFrame) {
  std::string wire = Frames().text("valid \xED\xA0\x80 and a tail that never arrives");
  wire.resize(6 + 8);  // the header, "valid ", and the two bytes that cannot begin a character
  EXPECT_EQ(decode(wire, {}, false, [](std::size_t) { return 1000u; }), "bad(invalid UTF-8) ");
}

TEST(MessageDecoder, AnIdleConnectionKeepsNothing) {
  DecoderState state{};
  std::string wire = Frames().text("whole");
  const FrameRules rules;
  MessageDecoder decoder(rules, state, {reinterpret_cast<std::byte*>(wire.data()), wire.size()},
                         reinterpret_cast<std::byte*>(wire.data()));
  EXPECT_EQ(decoder.next().kind, EventKind::message);
  EXPECT_EQ(decoder.next().kind, EventKind::need_more);
  EXPECT_TRUE(decoder.rest().empty());
  EXPECT_FALSE(state.in_message());
  EXPECT_FALSE(decoder.inside_frame());
}

}  // namespace
}  // namespace spate::codec
