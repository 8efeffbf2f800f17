// Compressing and inflating messages: RFC 7692's own examples, every size around the edges, and
// everything a peer may send instead.
#include "codec/deflate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/guard_page.h"

namespace spate::codec {
namespace {

using namespace std::string_literals;

std::string words(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i)
    text += "{\"id\":" + std::to_string(i * i % 977) + ",\"name\":\"user\"},";
  text.resize(bytes);
  return text;
}

std::string noise(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint32_t state = 0x9e3779b9;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

struct Inflated {
  InflateStatus status;
  std::string message;
};

// In pieces of `piece` bytes, each against a guard page.
Inflated inflate_with(Inflater& inflater, std::string_view payload, std::uint64_t limit,
                      std::size_t piece) {
  static const test::GuardPages pages(1 << 20);
  const std::string copy(payload);
  inflater.start(as_bytes(copy), limit);
  Inflated inflated{InflateStatus::more, ""};
  while (inflated.status == InflateStatus::more) {
    const Bytes out = pages.at_end(piece);
    const InflateResult result = inflater.next(out);
    inflated.status = result.status;
    inflated.message += as_text(out.first(result.bytes));
    EXPECT_LE(inflated.message.size(), limit);
  }
  return inflated;
}

// However it is cut into pieces.
Inflated inflate(std::string_view payload, std::uint64_t limit = 1 << 20) {
  ZlibMemory memory;
  Inflater inflater;
  EXPECT_TRUE(inflater.open(memory, 15));
  const Inflated whole = inflate_with(inflater, payload, limit, 1 << 20);
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 100u, 4096u}) {
    if (whole.message.size() / piece > 20'000) continue;
    inflater.forget();
    const Inflated again = inflate_with(inflater, payload, limit, piece);
    EXPECT_EQ(again.status, whole.status) << "in pieces of " << piece;
    EXPECT_EQ(again.message, whole.message) << "in pieces of " << piece;
  }
  return whole;
}

std::string compress(Deflater& deflater, std::string_view message) {
  std::string out(message.size() * 2 + 64, '\0');
  const std::string copy(message);
  const std::size_t bytes =
      deflater.compress(as_bytes(copy), {reinterpret_cast<std::byte*>(out.data()), out.size()});
  EXPECT_GT(bytes, 0u);
  out.resize(bytes);
  return out;
}

struct Row {
  const char* name;
  std::string payload;
  InflateStatus status;
  std::string message;  // when done
  const char* clause;
};

const Row kRows[] = {
    {"one block", "\xf2\x48\xcd\xc9\xc9\x07\x00"s, InflateStatus::done, "Hello", "§7.2.3.1"},
    {"no compression", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s, InflateStatus::done,
     "Hello", "§7.2.3.3"},
    {"a final block, padded", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, InflateStatus::done, "Hello",
     "§7.2.3.4"},
    {"two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s, InflateStatus::done,
     "Hello", "§7.2.3.5"},
    {"nothing", "\x00"s, InflateStatus::done, "", "§7.2.3.6"},
    {"nothing, in a fixed block", "\x02\x00"s, InflateStatus::done, "", "§7.2.3.6"},
    {"a final block without its padding", "\xf3\x48\xcd\xc9\xc9\x07\x00"s, InflateStatus::done,
     "Hello", "RFC 1951 §3.2.3"},
    {"a final block that ends in a long repetition", "\xf3\x48\xcd\xc9\xc9\x27\x00\x00"s,
     InflateStatus::done, "Hell" + std::string(32, 'o'), "RFC 1951 §3.2.3"},
    {"final blocks in a row", "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s,
     InflateStatus::done, "HelloHello", "RFC 1951 §3.2.3"},

    {"no byte at all", "", InflateStatus::bad, "", "§7.2.2"},
    {"cut inside a symbol", "\xf2\x48\xcd\xc9"s, InflateStatus::bad, "", "§7.2.2"},
    {"cut before the empty block", "\xf2\x48\xcd\xc9\xc9\x07"s, InflateStatus::bad, "", "§7.2.2"},
    {"cut in a stored block", "\x00\x05\x00\xfa\xff\x48\x65"s, InflateStatus::bad, "", "§7.2.2"},
    {"cut in a stored block's length", "\x00\x05"s, InflateStatus::bad, "", "§7.2.2"},
    {"the tail was not cut off", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"s,
     InflateStatus::bad, "", "§7.2.1"},
    {"text that was not compressed", "Hello", InflateStatus::bad, "", "§7.2.2"},
    {"reserved block type", "\x06"s, InflateStatus::bad, "", "RFC 1951 §3.2.3"},
    {"a length without its complement", "\x00\x05\x00\x05\x00\x48"s, InflateStatus::bad, "",
     "RFC 1951 §3.2.4"},
    {"before the beginning", "\x4a\x04\x13\x00\x00"s, InflateStatus::bad, "", "RFC 1951 §2"},
    {"a zlib header", "\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00\x05\x8c\x01\xf5"s, InflateStatus::bad,
     "", "§7.2.1"},
};

TEST(Inflater, GivesTheMessageOrSaysWhatIsWrong) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.name) + " — RFC 7692 " + row.clause);
    const Inflated inflated = inflate(row.payload);
    EXPECT_EQ(inflated.status, row.status);
    if (row.status != InflateStatus::done) continue;
    EXPECT_EQ(inflated.message, row.message);
  }
}

// §7.2.3.2: with a context the second "Hello" is five bytes; without, it refers to nothing.
TEST(Inflater, RefersBackOnlyWithinItsContext) {
  const std::string first = "\xf2\x48\xcd\xc9\xc9\x07\x00"s, second = "\xf2\x00\x11\x00\x00"s;
  ZlibMemory memory;
  Inflater inflater;
  ASSERT_TRUE(inflater.open(memory, 15));
  EXPECT_EQ(inflate_with(inflater, first, 100, 100).message, "Hello");
  const Inflated again = inflate_with(inflater, second, 100, 100);
  EXPECT_EQ(again.status, InflateStatus::done);
  EXPECT_EQ(again.message, "Hello");
  inflater.forget();
  EXPECT_EQ(inflate_with(inflater, second, 100, 100).status, InflateStatus::bad);
  // What was bad is forgotten: the next message has nothing to refer to, and needs nothing.
  EXPECT_EQ(inflate_with(inflater, second, 100, 100).status, InflateStatus::bad);
  EXPECT_EQ(inflate_with(inflater, first, 100, 100).message, "Hello");
}

TEST(Inflater, EveryPrefixOfAMessageIsBad) {
  ZlibMemory memory;
  Deflater deflater;
  ASSERT_TRUE(deflater.open(memory, 15, 6));
  const std::string payload = compress(deflater, words(3000));
  ASSERT_EQ(inflate(payload).message, words(3000));
  for (std::size_t bytes = 0; bytes < payload.size(); ++bytes)
    ASSERT_EQ(inflate(payload.substr(0, bytes)).status, InflateStatus::bad) << bytes;
}

TEST(Inflater, TheLimitHoldsToTheByte) {
  ZlibMemory memory;
  Deflater deflater;
  ASSERT_TRUE(deflater.open(memory, 15, 9));
  for (const std::string& message : {words(5000), noise(5000), std::string(5000, 'x')}) {
    deflater.forget();
    const std::string payload = compress(deflater, message);
    EXPECT_EQ(inflate(payload, 5000).status, InflateStatus::done);
    EXPECT_EQ(inflate(payload, 5001).status, InflateStatus::done);
    for (const std::uint64_t limit : {0, 1, 2500, 4998, 4999})
      EXPECT_EQ(inflate(payload, limit).status, InflateStatus::too_big) << limit;
  }
  EXPECT_EQ(inflate("\x00"s, 0).status, InflateStatus::done);
}

// Wherever a piece ends, also in the middle of what the last bytes of the payload stand for.
TEST(Inflater, PiecesMayEndAnywhere) {
  ZlibMemory memory;
  Deflater deflater;
  Inflater inflater;
  ASSERT_TRUE(deflater.open(memory, 15, 9) && inflater.open(memory, 15));
  for (std::size_t bytes = 1; bytes < 20'000; bytes += bytes < 400 ? 3 : 777)
    for (const std::string& message : {words(bytes), std::string(bytes, 'x'),
                                       std::string(bytes, 'x') + words(bytes) + words(bytes)}) {
      deflater.forget();
      const std::string payload = compress(deflater, message);
      for (std::size_t piece = 1; piece <= message.size(); piece += 1 + piece / 4) {
        inflater.forget();
        const Inflated inflated = inflate_with(inflater, payload, 1 << 20, piece);
        ASSERT_EQ(inflated.status, InflateStatus::done) << bytes << " in pieces of " << piece;
        ASSERT_EQ(inflated.message, message);
      }
    }
}

// A thousand to one, stopped where the limit is: the memory is that of any message.
TEST(Inflater, ABombIsStoppedAtTheLimit) {
  ZlibMemory memory;
  Deflater deflater;
  ASSERT_TRUE(deflater.open(memory, 15, 9));
  const std::string bomb = compress(deflater, std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 60'000u);
  ZlibMemory inflating;
  Inflater inflater;
  ASSERT_TRUE(inflater.open(inflating, 15));
  const Inflated inflated = inflate_with(inflater, bomb, 65536, 16384);
  EXPECT_EQ(inflated.status, InflateStatus::too_big);
  EXPECT_LE(inflated.message.size(), 65536u);
  EXPECT_LE(inflating.bytes(), inflater_bytes(15));
}

TEST(Deflater, WhatItWritesInflatesToTheSame) {
  for (int bits = 9; bits <= 15; ++bits) {
    for (const int level : {1, 3, 6, 9}) {
      ZlibMemory memory;
      Deflater deflater;
      ASSERT_TRUE(deflater.open(memory, bits, level));
      ZlibMemory theirs;
      Inflater inflater;
      ASSERT_TRUE(inflater.open(theirs, bits)) << "a peer with a window of just this size";
      for (const std::size_t bytes :
           {1u, 2u, 125u, 126u, 511u, 512u, 513u, 32768u, 65536u, 200000u})
        for (const std::string& message : {words(bytes), noise(bytes), std::string(bytes, 'x')}) {
          const std::string payload = compress(deflater, message);
          const Inflated inflated = inflate_with(inflater, payload, bytes, 1 << 20);
          ASSERT_EQ(inflated.status, InflateStatus::done) << bits << " " << level << " " << bytes;
          ASSERT_EQ(inflated.message, message) << bits << " " << level << " " << bytes;
        }
      EXPECT_LE(memory.bytes(), deflater_bytes(bits)) << bits;
      EXPECT_LE(theirs.bytes(), inflater_bytes(bits)) << bits;
    }
  }
}

TEST(Deflater, AContextMakesWhatRepeatsShort) {
  ZlibMemory memory;
  Deflater deflater;
  ASSERT_TRUE(deflater.open(memory, 15, 6));
  const std::string first = compress(deflater, words(300));
  const std::string second = compress(deflater, words(300));
  EXPECT_LT(second.size(), first.size() / 4);
  deflater.forget();
  EXPECT_EQ(compress(deflater, words(300)), first) << "as if there had been none before";
}

TEST(Deflater, WhatDoesNotFitIsNotWritten) {
  ZlibMemory memory;
  Deflater deflater;
  ASSERT_TRUE(deflater.open(memory, 15, 6));
  const std::string message = words(1000);
  const std::string payload = compress(deflater, message);
  const test::GuardPages pages(4096);
  for (std::size_t room = 0; room <= payload.size() + Deflater::kSlackBytes; ++room) {
    deflater.forget();
    const Bytes out = pages.at_end(room);
    const std::size_t bytes = deflater.compress(as_bytes(message), out);
    ASSERT_EQ(bytes, room < payload.size() + Deflater::kSlackBytes ? 0 : payload.size()) << room;
    ASSERT_EQ(as_text(out.first(bytes)), bytes == 0 ? "" : payload);
  }
  // After a failure the next one starts anew.
  deflater.forget();
  EXPECT_EQ(deflater.compress(as_bytes(message), pages.at_end(20)), 0u);
  EXPECT_EQ(compress(deflater, message), payload);
}

TEST(ZlibMemory, CountsRefusesAndComesBackToZero) {
  ZlibMemory memory(deflater_bytes(12) + inflater_bytes(12));
  {
    Deflater deflater, second;
    Inflater inflater;
    ASSERT_TRUE(deflater.open(memory, 12, 6));
    ASSERT_TRUE(inflater.open(memory, 12));
    EXPECT_GT(memory.bytes(), 40'000u);
    EXPECT_FALSE(second.open(memory, 12, 6));
    EXPECT_FALSE(second.is_open());
    deflater.close();
    EXPECT_TRUE(second.open(memory, 12, 6));
  }
  EXPECT_EQ(memory.bytes(), 0u);
}

// zlib takes the window with the first message.
TEST(ZlibMemory, ARefusedWindowIsSaid) {
  for (const std::uint64_t limit : {12u * 1024, 30u * 1024}) {
    ZlibMemory memory(limit);
    Inflater inflater;
    ASSERT_TRUE(inflater.open(memory, 15));
    EXPECT_EQ(inflate_with(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"s, 100, 100).status,
              InflateStatus::no_memory);
  }
}

}  // namespace
}  // namespace spate::codec
