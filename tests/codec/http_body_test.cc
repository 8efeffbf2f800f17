#include "codec/http_body.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "tests/codec/http_ways.h"

namespace spate::codec {
namespace {

using enum HttpError;
using namespace std::string_literals;

static_assert(std::is_trivially_copyable_v<HttpBodyDecoder>);
static_assert(sizeof(HttpBodyDecoder) <= 40);

struct Body {
  HttpBodyStatus status = HttpBodyStatus::need_more;
  HttpError error = none;
  std::string content;
  std::size_t consumed = 0;

  friend bool operator==(const Body&, const Body&) = default;
  friend void PrintTo(const Body& body, std::ostream* out) {
    *out << "status " << static_cast<int>(body.status) << ", " << describe(body.error).name << ", "
         << body.content.size() << " bytes of content, consumed " << body.consumed;
  }
};

// Feeds `chunk` and adds what comes out; stops at need_more, done or bad.
void feed(HttpBodyDecoder& decoder, ConstBytes chunk, Body& body) {
  while (true) {
    const HttpBodyResult result = decoder.next(chunk);
    ASSERT_LE(result.consumed, chunk.size());
    body.consumed += result.consumed;
    body.status = result.status;
    body.error = result.error;
    if (result.status != HttpBodyStatus::data) {
      const bool left = result.consumed < chunk.size();
      ASSERT_FALSE(left && result.status == HttpBodyStatus::need_more);
      return;
    }
    ASSERT_FALSE(result.data.empty());
    ASSERT_GE(result.data.data(), chunk.data());
    ASSERT_EQ(result.data.data() + result.data.size(), chunk.data() + result.consumed);
    body.content += as_text(result.data);
    chunk = chunk.subspan(result.consumed);
  }
}

Body decode(const HttpBodyDecoder& start, std::string_view input, std::size_t split,
            std::size_t step) {
  HttpBodyDecoder decoder = start;
  Body body;
  std::size_t at = 0;
  while (at < input.size() &&
         (body.status == HttpBodyStatus::need_more || body.status == HttpBodyStatus::data)) {
    const std::size_t size = at == 0 && split > 0 ? split : std::min(step, input.size() - at);
    const test::ExactBlock block(input.substr(at, size));
    feed(decoder, block.bytes(), body);
    at += size;
  }
  if (body.status == HttpBodyStatus::need_more) feed(decoder, {}, body);
  EXPECT_EQ(decoder.content_bytes(), body.content.size());
  return body;
}

HttpBodyDecoder started(HttpBodyFraming framing, std::uint64_t length = 0,
                        const HttpBodyLimits& limits = {}) {
  HttpHead head;
  head.body = framing;
  head.content_length = length;
  HttpBodyDecoder decoder;
  EXPECT_EQ(decoder.start(head, limits), none);
  return decoder;
}

// Whole, split at every byte, a byte at a time, and whole against a PROT_NONE page.
Body decode_in_every_way(const HttpBodyDecoder& start, std::string_view input) {
  const Body whole = decode(start, input, 0, input.size());
  for (std::size_t split = 1; split < input.size(); ++split) {
    EXPECT_EQ(decode(start, input, split, input.size()), whole) << "split at " << split;
  }
  EXPECT_EQ(decode(start, input, 0, 1), whole) << "a byte at a time";
  const test::GuardPages pages(input.size());
  HttpBodyDecoder decoder = start;
  Body guarded;
  feed(decoder, pages.copy_to_end(as_bytes(input)), guarded);
  EXPECT_EQ(guarded, whole) << "guarded";
  return whole;
}

struct Chunked {
  const char* name;
  std::string bytes;
  const char* content;
  const char* clause;
};

const Chunked kWhole[] = {
    {"no content", "0\r\n\r\n", "", "RFC 9112 §7.1"},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", "RFC 9112 §7.1"},
    {"chunks", "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello", "RFC 9112 §7.1"},
    {"hexadecimal of both cases", "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n",
     "0123456789abcdefghij", "RFC 9112 §7.1"},
    {"leading zeros", "0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello", "RFC 9112 §7.1"},
    {"content that looks like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n",
     "RFC 9112 §7.1"},
    {"extensions", "5;a;b=c;d=\"e;f\" ; g\r\nhello\r\n0;z\r\n\r\n", "hello", "RFC 9112 §7.1.1"},
    {"white space before an extension", "5 \t;a\r\nhello\r\n0\r\n\r\n", "hello", "RFC 9112 §7.1.1"},
    {"trailers", "5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 9\r\nEmpty:\r\n\r\n", "hello",
     "RFC 9112 §7.1.2"},
};

TEST(HttpBodyChunked, GivesTheContentAndNothingElse) {
  for (const Chunked& row : kWhole) {
    SCOPED_TRACE(std::string(row.name) + ", " + row.clause);
    const auto start = started(HttpBodyFraming::chunked);
    const Body body = decode_in_every_way(start, row.bytes);
    EXPECT_EQ(body.status, HttpBodyStatus::done);
    EXPECT_EQ(body.content, row.content);
    EXPECT_EQ(body.consumed, row.bytes.size());
    // The next request behind it is left alone.
    EXPECT_EQ(decode_in_every_way(start, row.bytes + "GET / HTTP/1.1\r\n"), body);
    // Every part of it is unfinished.
    for (std::size_t length = 0; length < row.bytes.size(); ++length) {
      const Body part = decode(start, row.bytes.substr(0, length), 0, length);
      EXPECT_EQ(part.status, HttpBodyStatus::need_more) << length;
      EXPECT_EQ(part.consumed, length);
    }
  }
}

struct BadChunked {
  const char* name;
  std::string bytes;
  HttpError error;
  const char* clause;
};

const BadChunked kBad[] = {
    {"no size", "\r\nhello", bad_chunk_size, "RFC 9112 §7.1"},
    {"extension without a size", ";a\r\nhello", bad_chunk_size, "RFC 9112 §7.1"},
    {"sign", "+5\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"minus", "-5\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"0x", "0x5\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"space before", " 5\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"underscore", "1_0\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"space between digits", "5 5\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"space after the size", "5 \r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"17 digits", "00000000000000005\r\nhello\r\n", bad_chunk_size, "RFC 9112 §7.1"},
    {"overflow", "fffffffffffffffff\r\n", body_too_large, "RFC 9112 §7.1"},
    {"overflow behind content", "1\r\na\r\nffffffffffffffff\r\n", body_too_large, "RFC 9112 §7.1"},
    {"bare LF after the size", "5\nhello\r\n0\r\n\r\n", bare_lf, "RFC 9112 §2.2"},
    {"bare CR after the size", "5\rhello", bare_cr, "RFC 9112 §2.2"},
    {"bare LF in an extension", "5;a\nhello\r\n", bare_lf, "RFC 9112 §7.1.1"},
    {"bare LF after white space", "5 \nhello\r\n", bare_lf, "RFC 9112 §7.1.1"},
    {"bare CR in an extension", "5;a\rb\r\nhello\r\n", bare_cr, "RFC 9112 §7.1.1"},
    {"NUL in an extension", "5;\0\r\nhello\r\n"s, bad_chunk_extension, "RFC 9112 §7.1.1"},
    {"content longer than its size", "4\r\nhello\r\n0\r\n\r\n", bad_chunk_end, "RFC 9112 §7.1"},
    {"content shorter than its size", "6\r\nhello\r\n0\r\n\r\n", bad_chunk_end, "RFC 9112 §7.1"},
    {"content ended by LF", "5\r\nhello\n0\r\n\r\n", bad_chunk_end, "RFC 9112 §7.1"},
    {"content ended by CR", "5\r\nhello\r0\r\n\r\n", bad_chunk_end, "RFC 9112 §7.1"},
    {"trailer without a colon", "0\r\nX\r\n\r\n", bad_trailer, "RFC 9112 §7.1.2"},
    {"trailer without a name", "0\r\n: x\r\n\r\n", bad_trailer, "RFC 9112 §7.1.2"},
    {"folded trailer", "0\r\nX: y\r\n z\r\n\r\n", bad_trailer, "RFC 9112 §5.2"},
    {"space before the trailer's colon", "0\r\nX : y\r\n\r\n", bad_trailer, "RFC 9112 §5.1"},
    {"control character in a trailer", "0\r\nX: \x01\r\n\r\n", bad_trailer, "RFC 9110 §5.5"},
    {"bare LF in a trailer", "0\r\nX: y\n\r\n", bare_lf, "RFC 9112 §2.2"},
    {"bare LF in a trailer's name", "0\r\nX\n\r\n", bare_lf, "RFC 9112 §2.2"},
    {"bare CR in a trailer", "0\r\nX: y\rz\r\n\r\n", bare_cr, "RFC 9112 §2.2"},
    {"bare LF for the end", "0\r\n\n", bare_lf, "RFC 9112 §2.2"},
    {"bare CR for the end", "0\r\n\rGET", bare_cr, "RFC 9112 §2.2"},
};

TEST(HttpBodyChunked, RefusesWithTheErrorOfTheClause) {
  for (const BadChunked& row : kBad) {
    SCOPED_TRACE(std::string(row.name) + ", " + row.clause);
    const Body body = decode_in_every_way(started(HttpBodyFraming::chunked), row.bytes);
    EXPECT_EQ(body.status, HttpBodyStatus::bad);
    EXPECT_EQ(body.error, row.error);
  }
}

TEST(HttpBodyChunked, EveryByteAsTheFirstOfASize) {
  for (unsigned c = 0; c < 256; ++c) {
    const std::string bytes = static_cast<char>(c) + "\r\n0123456789abcde"s;
    const Body body = decode_in_every_way(started(HttpBodyFraming::chunked), bytes);
    const bool is_hex = std::isxdigit(static_cast<int>(c)) != 0 && c < 128;
    EXPECT_EQ(body.error == bad_chunk_size, !is_hex) << c;
  }
}

TEST(HttpBodyLimits, SizeOfAChunkedBody) {
  const auto start = started(HttpBodyFraming::chunked, 0, {.max_body_bytes = 10});
  EXPECT_EQ(decode_in_every_way(start, "6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n").content,
            "abcdefghij");
  const Body over = decode_in_every_way(start, "6\r\nabcdef\r\n5\r\nghijk\r\n0\r\n\r\n");
  EXPECT_EQ(over.error, body_too_large);
  EXPECT_EQ(over.content, "abcdef");  // refused by its size, before its content
  const auto nothing = started(HttpBodyFraming::chunked, 0, {.max_body_bytes = 0});
  EXPECT_EQ(decode_in_every_way(nothing, "0\r\n\r\n").status, HttpBodyStatus::done);
  EXPECT_EQ(decode_in_every_way(nothing, "1\r\na\r\n").error, body_too_large);
}

TEST(HttpBodyLimits, LargestSizeDoesNotOverflow) {
  const auto start = started(HttpBodyFraming::chunked, 0, {.max_body_bytes = UINT64_MAX});
  EXPECT_EQ(decode(start, "ffffffffffffffff\r\nab", 0, 30).content, "ab");
  EXPECT_EQ(decode(start, "1\r\na\r\nffffffffffffffff\r\nab", 0, 30).error, body_too_large);
  EXPECT_EQ(decode(start, "1\r\na\r\nfffffffffffffffe\r\nab", 0, 30).content, "aab");
}

TEST(HttpBodyLimits, ExtensionsOfAllChunksTogether) {
  const auto start = started(HttpBodyFraming::chunked, 0, {.max_extension_bytes = 6});
  EXPECT_EQ(decode_in_every_way(start, "1;ab\r\na\r\n0;cd\r\n\r\n").status, HttpBodyStatus::done);
  EXPECT_EQ(decode_in_every_way(start, "1;ab\r\na\r\n0;cde\r\n\r\n").error,
            chunk_extension_too_long);
  EXPECT_EQ(decode_in_every_way(start, "1       ;\r\na\r\n0\r\n\r\n").error,
            chunk_extension_too_long);
}

TEST(HttpBodyLimits, TrailersTogether) {
  const auto start = started(HttpBodyFraming::chunked, 0, {.max_trailer_bytes = 8});
  EXPECT_EQ(decode_in_every_way(start, "0\r\nA:b\r\nC:d\r\n\r\n").status, HttpBodyStatus::done);
  EXPECT_EQ(decode_in_every_way(start, "0\r\nA:b\r\nC:de\r\n\r\n").error, trailer_too_large);
  const auto none_allowed = started(HttpBodyFraming::chunked, 0, {.max_trailer_bytes = 0});
  EXPECT_EQ(decode_in_every_way(none_allowed, "0\r\n\r\n").status, HttpBodyStatus::done);
}

TEST(HttpBodyLength, EndsAtItsLength) {
  const auto start = started(HttpBodyFraming::content_length, 5);
  const Body body = decode_in_every_way(start, "helloGET / HTTP/1.1\r\n");
  EXPECT_EQ(body.status, HttpBodyStatus::done);
  EXPECT_EQ(body.content, "hello");
  EXPECT_EQ(body.consumed, 5U);
  EXPECT_EQ(decode_in_every_way(start, "hell").status, HttpBodyStatus::need_more);
}

TEST(HttpBodyLength, ZeroIsDoneWithoutInput) {
  HttpBodyDecoder decoder = started(HttpBodyFraming::content_length, 0);
  EXPECT_EQ(decoder.next({}).status, HttpBodyStatus::done);
  EXPECT_EQ(decoder.next(as_bytes("GET /")).consumed, 0U);
}

TEST(HttpBodyLength, IsRefusedAtOnceWhenTooLarge) {
  HttpHead head;
  head.body = HttpBodyFraming::content_length;
  HttpBodyDecoder decoder;
  head.content_length = 10;
  EXPECT_EQ(decoder.start(head, {.max_body_bytes = 10}), none);
  head.content_length = 11;
  EXPECT_EQ(decoder.start(head, {.max_body_bytes = 10}), body_too_large);
  EXPECT_EQ(decoder.next(as_bytes("a")).error, body_too_large);
}

TEST(HttpBody, NoneIsDoneWithoutInput) {
  HttpBodyDecoder decoder = started(HttpBodyFraming::none);
  const HttpBodyResult result = decoder.next({});
  EXPECT_EQ(result.status, HttpBodyStatus::done);
  EXPECT_EQ(decoder.next(as_bytes("GET /")).consumed, 0U);
}

TEST(HttpBody, DoneAndBadAreFinal) {
  HttpBodyDecoder decoder = started(HttpBodyFraming::chunked);
  EXPECT_EQ(decoder.next(as_bytes("0\r\n\r\n")).status, HttpBodyStatus::done);
  EXPECT_EQ(decoder.next(as_bytes("5\r\n")).status, HttpBodyStatus::done);
  decoder = started(HttpBodyFraming::chunked);
  EXPECT_EQ(decoder.next(as_bytes("x")).status, HttpBodyStatus::bad);
  const HttpBodyResult again = decoder.next(as_bytes("0\r\n\r\n"));
  EXPECT_EQ(again.status, HttpBodyStatus::bad);
  EXPECT_EQ(again.error, bad_chunk_size);
  EXPECT_EQ(again.consumed, 0U);
}

}  // namespace
}  // namespace spate::codec
