#include "tools/spate-bench/script.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace spate::bench {
namespace {

struct Frame {
  std::string header;
  std::string key;
  std::string payload;  // unmasked
};

// A literal reading of RFC 6455 §5.2; takes the frame off the front.
Frame take_frame(std::string& bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes.at(i)); };
  EXPECT_TRUE(byte(1) & 0x80);
  std::size_t length = byte(1) & 0x7f, header = 2;
  if (length >= 126) {
    const std::size_t extended = length == 126 ? 2 : 8;
    length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | byte(2 + i);
    header += extended;
  }
  Frame frame{bytes.substr(0, header), bytes.substr(header, 4), bytes.substr(header + 4, length)};
  EXPECT_EQ(frame.payload.size(), length);
  for (std::size_t i = 0; i < length; ++i)
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ frame.key[i % 4]);
  bytes.erase(0, header + 4 + length);
  return frame;
}

class ScriptOf : public testing::TestWithParam<const char*> {
 protected:
  Sizes sizes_ = *Sizes::parse(GetParam());
  Script script_{sizes_, Opcode::text, 5};
};

TEST_P(ScriptOf, FramesAreWhatTheReceiverExpects) {
  for (const std::uint32_t id : {0u, 7u, 1'000'000u}) {
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 28}) {
      for (std::size_t count = 1; count <= 5; ++count) {
        std::string bytes(as_text(script_.frames(id, first, count)));
        for (std::uint64_t number = first; number < first + count; ++number) {
          ASSERT_GE(bytes.size(), script_.frame_bytes(id, number));
          const Frame frame = take_frame(bytes);
          EXPECT_EQ(frame.header[0], '\x81');
          EXPECT_EQ(frame.key.find('\0'), std::string::npos);
          ASSERT_EQ(frame.payload.size(), script_.payload_bytes(id, number));
          const std::size_t stamp_bytes = script_.stamp_bytes();
          std::uint64_t stamp = 0;
          std::memcpy(&stamp, frame.payload.data(), stamp_bytes);
          const auto reading = script_.read_stamp(stamp, id, number);
          EXPECT_TRUE(reading.good);
          EXPECT_EQ(reading.number, number);
          const std::string filler = frame.payload.substr(stamp_bytes);
          EXPECT_TRUE(script_.filler_matches(number, stamp_bytes, as_bytes(filler)));
          for (const char c : frame.payload) ASSERT_TRUE(c >= 0x20 && c < 0x7f);
        }
        EXPECT_TRUE(bytes.empty());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ScriptOf,
                         testing::Values("0", "1", "5", "8", "20", "125", "126", "1K", "65535",
                                         "65536", "8-300", "20:70,1K:25,70K:5"));

// Every stamp goes out so that it needs no escape, wherever the envelope puts it, and comes back.
TEST(Script, EnvelopesAreAroundThePayloadsAndHoldNoBackslash) {
  for (const char* text : {"20", "8", "3", "70K", "8-300"}) {
    const Sizes sizes = *Sizes::parse(text);
    for (std::size_t length = 0; length < 6; ++length) {
      std::vector<Envelope> envelopes;
      for (const std::size_t bytes : sizes.distinct())
        envelopes.push_back({std::string(length, '<') + std::to_string(bytes), ">"});
      Script script(sizes, Opcode::text, 64, envelopes);
      for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{100'000'000}}) {
        std::string bytes(as_text(script.frames(0x5'cccc, first, 64)));
        for (std::uint64_t number = first; number < first + 64; ++number) {
          ASSERT_GE(bytes.size(), script.frame_bytes(0x5'cccc, number));
          const std::size_t size = script.payload_bytes(0x5'cccc, number);
          std::string message = take_frame(bytes).payload;
          const std::string before = std::string(length, '<') + std::to_string(size);
          ASSERT_TRUE(message.starts_with(before) && message.ends_with(">")) << message;
          message = message.substr(before.size(), message.size() - before.size() - 1);
          ASSERT_EQ(message.size(), size);
          EXPECT_EQ(message.find_first_of("\\\""), std::string::npos) << message;
          const std::size_t stamp_bytes = script.stamp_bytes();
          std::uint64_t stamp = 0;
          std::memcpy(&stamp, message.data(), stamp_bytes);
          const auto reading =
              script.read_stamp(Script::exchange_backslashes(stamp), 0x5'cccc, number);
          EXPECT_TRUE(reading.good);
          EXPECT_EQ(reading.number, number);
          EXPECT_TRUE(
              script.filler_matches(number, stamp_bytes, as_bytes(message).subspan(stamp_bytes)));
        }
        EXPECT_TRUE(bytes.empty());
      }
    }
  }
}

TEST(Script, BackslashesAndTildesAreExchanged) {
  const auto exchanged = [](std::string_view from) {
    const std::uint64_t to =
        Script::exchange_backslashes(load<std::uint64_t>(as_bytes(from).data()));
    return std::string(reinterpret_cast<const char*>(&to), sizeof to);
  };
  EXPECT_EQ(exchanged("0123abno"), "0123abno");
  EXPECT_EQ(exchanged("\\[]}\\\\~\x7f"), "~[]}~~\\\x7f");
  EXPECT_EQ(exchanged("\xdc\xfe\xdd\x5b\x5d\x7d\x7f\x5c"), "\xdc\xfe\xdd\x5b\x5d\x7d\x7f~");
}

TEST(Script, FramesCanBeBuiltAgainAfterOthers) {
  Script script(*Sizes::parse("20"), Opcode::binary, 4);
  const std::string once(as_text(script.frames(1, 5, 3)));
  (void)script.frames(2, 6, 4);
  EXPECT_EQ(as_text(script.frames(1, 5, 3)), once);
}

TEST(Script, NeighbouringMessagesDifferInMoreThanTheirStamp) {
  Script script(*Sizes::parse("100"), Opcode::binary, 1);
  std::set<std::string> seen;
  for (std::uint64_t number = 0; number < script.variants(); ++number) {
    std::string bytes(as_text(script.frames(1, number, 1)));
    seen.insert(take_frame(bytes).payload.substr(8));
  }
  EXPECT_EQ(seen.size(), script.variants());
}

TEST(Script, StampsOfOthersAreRefused) {
  const Script script(*Sizes::parse("20"), Opcode::binary, 1);
  EXPECT_FALSE(script.read_stamp(Script::stamp(2, 10), 1, 10).good);
  EXPECT_FALSE(script.read_stamp(Script::stamp(1, 10) | std::uint64_t{0x80} << 24, 1, 10).good);
  EXPECT_FALSE(script.read_stamp(0, 1, 0).good);
  EXPECT_FALSE(script.read_stamp(Script::stamp(1, 3'000'000), 1, 10).good);
}

TEST(Script, NumbersAreReadAsNearToTheExpectedAsTheyCanBe) {
  const Script script(*Sizes::parse("20"), Opcode::binary, 1);
  const std::uint64_t wrap = std::uint64_t{1} << Script::kNumberBits;
  for (const std::uint64_t expected : {std::uint64_t{1000}, wrap - 2, wrap, 3 * wrap + 7}) {
    for (const std::int64_t off : {-5, -1, 0, 1, 5}) {
      const std::uint64_t number = expected + static_cast<std::uint64_t>(off);
      const auto reading = script.read_stamp(Script::stamp(9, number), 9, expected);
      EXPECT_TRUE(reading.good);
      EXPECT_EQ(reading.number, number);
    }
  }
}

TEST(Sizes, AreReadAsTheyAreWritten) {
  EXPECT_EQ(Sizes::parse("4K")->largest(), 4096u);
  EXPECT_TRUE(Sizes::parse("4K")->fixed());
  EXPECT_EQ(Sizes::parse("64-4K")->distinct().front(), 64u);
  EXPECT_EQ(Sizes::parse("64-4K")->largest(), 4096u);
  for (const char* bad : {"", "x", "20,", "-5", "20:", "20:0", "20:-1", "5-4", "7-100", "1:1,20:1",
                          "20:1,,30:1", "1G", "300M", "20 "})
    EXPECT_FALSE(Sizes::parse(bad)) << bad;
}

TEST(Sizes, AreDrawnByTheirWeight) {
  const Sizes sizes = *Sizes::parse("20:70,1K:25,16K:5");
  std::vector<int> drawn(3);
  constexpr int kDraws = 100'000;
  for (int number = 0; number < kDraws; ++number)
    ++drawn[sizes.index_of(static_cast<std::uint32_t>(number % 7),
                           static_cast<std::uint64_t>(number))];
  EXPECT_NEAR(drawn[0], 0.70 * kDraws, 0.01 * kDraws);
  EXPECT_NEAR(drawn[1], 0.25 * kDraws, 0.01 * kDraws);
  EXPECT_NEAR(drawn[2], 0.05 * kDraws, 0.01 * kDraws);
  EXPECT_NEAR(sizes.mean(), 0.70 * 20 + 0.25 * 1024 + 0.05 * 16384, 20);
}

TEST(Script, CompressedFramesInflateToWhatTheReceiverExpects) {
  const Sizes sizes = *Sizes::parse("8:1,300:1,70000:1");
  Script script(sizes, Opcode::text, 5, {}, true);
  codec::ZlibMemory memory;
  codec::Inflater inflater;
  ASSERT_TRUE(inflater.open(memory, 15));
  std::vector<std::byte> out(70001);
  std::size_t plain = 0, wire = 0;
  for (std::uint64_t first = 0; first < 100; first += 5) {
    std::string bytes(as_text(script.frames(7, first, 5)));
    const std::string again(as_text(script.frames(7, first, 5)));
    ASSERT_EQ(bytes, again) << "a part that was sent must be followed by its rest";
    ASSERT_EQ(script.whole_frames(7, first, bytes.size()).messages, 5u);
    ASSERT_EQ(script.whole_frames(7, first, bytes.size() - 1).messages, 4u);
    wire += bytes.size();
    for (std::uint64_t number = first; number < first + 5; ++number) {
      const Frame frame = take_frame(bytes);
      ASSERT_EQ(frame.header[0], '\xC1');
      inflater.forget();
      inflater.start(as_bytes(frame.payload), out.size());
      const auto [status, size] = inflater.next(out);
      ASSERT_EQ(status, codec::InflateStatus::done);
      ASSERT_EQ(size, script.payload_bytes(7, number));
      ASSERT_EQ(load<std::uint64_t>(out.data()), Script::stamp(7, number));
      ASSERT_TRUE(script.filler_matches(number, 8, ConstBytes(out).first(size).subspan(8)));
      plain += size;
    }
  }
  EXPECT_LT(wire, plain / 2);
}

}  // namespace
}  // namespace spate::bench
