#include "core/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <vector>

#include "tests/core/random.h"

namespace spate::core {
namespace {

using test::Random;

// A kernel that takes what it is told to; `wire` is what the peer sees.
class Pipe {
 public:
  void push(std::string_view frame) { outbox.push(BlockRef::copy(as_bytes(frame)), true); }
  // A frame in pieces, cut after each of `cuts` bytes.
  void push(std::string_view frame, const std::vector<std::size_t>& cuts) {
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
      outbox.push(BlockRef::copy(as_bytes(frame.substr(begin, cut - begin))), false);
      begin = cut;
    }
    push(frame.substr(begin));
  }
  void push_urgent(std::string_view frame) {
    outbox.inner.push_urgent(BlockRef::copy(as_bytes(frame)));
  }
  // One send of which the kernel takes at most `bytes`. Returns what it took.
  std::size_t send(std::size_t bytes, std::size_t max_pieces = 64) {
    std::array<iovec, 64> pieces;
    const std::size_t count = outbox.inner.gather(std::span(pieces).first(max_pieces));
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken < bytes; ++i) {
      const std::size_t part = std::min(bytes - taken, pieces[i].iov_len);
      wire.append(static_cast<const char*>(pieces[i].iov_base), part);
      taken += part;
    }
    outbox.inner.consume(taken);
    return taken;
  }
  void send_all() {
    while (!outbox.inner.empty()) ASSERT_GT(send(~std::size_t{0}), 0u);
  }

  struct {
    Outbox inner;
    void push(const BlockRef& block, bool ends_frame) {
      inner.push(block, block.bytes(), ends_frame);
    }
  } outbox;
  std::string wire;
};

TEST(Outbox, SendsInOrder) {
  Pipe pipe;
  EXPECT_TRUE(pipe.outbox.inner.empty());
  pipe.push("one ");
  pipe.push("two ");
  pipe.push("three");
  EXPECT_EQ(pipe.outbox.inner.bytes(), 13u);
  pipe.send_all();
  EXPECT_EQ(pipe.wire, "one two three");
  EXPECT_EQ(pipe.outbox.inner.bytes(), 0u);
}

TEST(Outbox, APartOfABlockIsSentFromWhereItLies) {
  Outbox outbox;
  const BlockRef block = BlockRef::copy(as_bytes("0123456789"));
  outbox.push(block, block.bytes().subspan(2, 5), true);
  std::array<iovec, 4> pieces;
  ASSERT_EQ(outbox.gather(pieces), 1u);
  EXPECT_EQ(pieces[0].iov_base, block.data() + 2);
  EXPECT_EQ(pieces[0].iov_len, 5u);
  outbox.consume(3);
  ASSERT_EQ(outbox.gather(pieces), 1u);
  EXPECT_EQ(pieces[0].iov_base, block.data() + 5);
  EXPECT_EQ(pieces[0].iov_len, 2u);
}

TEST(Outbox, AnUrgentFrameOvertakesWhatHasNotBegun) {
  Pipe pipe;
  pipe.push("[aaaa]");
  pipe.push("[bbbb]");
  pipe.push_urgent("<1>");
  pipe.push_urgent("<2>");
  pipe.send_all();
  EXPECT_EQ(pipe.wire, "<1><2>[aaaa][bbbb]");
}

// The kernel stops at every byte of two frames, of which one is in pieces; then comes a pong.
TEST(Outbox, AnUrgentFrameNeverEntersAnother) {
  for (std::size_t sent = 0; sent <= 16; ++sent) {
    Pipe pipe;
    pipe.push("[abcdefg]", {1, 5, 8});
    pipe.push("[hijkl]");
    ASSERT_EQ(pipe.send(sent), sent);
    pipe.push_urgent("<1>");
    pipe.push_urgent("<2>");
    pipe.send_all();
    const std::string_view expected = sent == 0   ? "<1><2>[abcdefg][hijkl]"
                                      : sent < 10 ? "[abcdefg]<1><2>[hijkl]"
                                                  : "[abcdefg][hijkl]<1><2>";
    EXPECT_EQ(pipe.wire, expected) << "after " << sent << " bytes";
  }
}

TEST(Outbox, AFrameBegunElsewhereIsNotEntered) {
  Pipe pipe;
  pipe.outbox.inner.begin_mid_frame();
  pipe.push("rest of it]", {4});
  pipe.push("[next]");
  pipe.push_urgent("<1>");
  pipe.send_all();
  EXPECT_EQ(pipe.wire, "rest of it]<1>[next]");
}

TEST(Outbox, DropKeepsTheFrameThatHasBegun) {
  for (std::size_t sent = 0; sent <= 16; ++sent) {
    Pipe pipe;
    pipe.push("[abcdefg]", {1, 5, 8});
    pipe.push("[hijkl]");
    pipe.send(sent);
    pipe.push_urgent("<1>");
    pipe.outbox.inner.drop_unsent();
    EXPECT_EQ(pipe.outbox.inner.empty(), sent == 0 || sent == 9 || sent == 16);
    pipe.push("[end]");
    EXPECT_EQ(pipe.outbox.inner.bytes(), 5 + (sent == 0 || sent == 16 ? 0
                                              : sent <= 9             ? 9 - sent
                                                                      : 16 - sent));
    pipe.send_all();
    const std::string_view expected = sent == 0   ? "[end]"
                                      : sent < 10 ? "[abcdefg][end]"
                                                  : "[abcdefg][hijkl][end]";
    EXPECT_EQ(pipe.wire, expected) << "after " << sent << " bytes";
  }
}

TEST(Outbox, GathersNoMorePiecesThanThereIsRoomFor) {
  Pipe pipe;
  for (int i = 0; i < 10; ++i) pipe.push("x");
  EXPECT_EQ(pipe.send(100, 3), 3u);
  EXPECT_EQ(pipe.send(100, 64), 7u);
}

TEST(Outbox, TakingMoreThanThereIsIsABug) {
  Pipe pipe;
  pipe.push("abc");
  EXPECT_DEATH(pipe.outbox.inner.consume(4), "check failed");
}

// Frames that name themselves: kind, number, length, then bytes that follow from these.
std::string make_frame(char kind, unsigned number, std::size_t payload_bytes) {
  std::string frame{kind, static_cast<char>(number), static_cast<char>(number >> 8),
                    static_cast<char>(payload_bytes), static_cast<char>(payload_bytes >> 8)};
  for (std::size_t i = 0; i < payload_bytes; ++i)
    frame += static_cast<char>('a' + (number + i) % 26);
  return frame;
}

struct Sent {
  char kind;
  unsigned number;
  std::size_t end;  // offset on the wire
};

std::vector<Sent> parse(const std::string& wire) {
  std::vector<Sent> frames;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(wire[at]); };
  for (std::size_t at = 0; at < wire.size();) {
    const char kind = wire[at];
    const unsigned number = byte(at + 1) | static_cast<unsigned>(byte(at + 2)) << 8;
    const std::size_t bytes = byte(at + 3) | static_cast<std::size_t>(byte(at + 4)) << 8;
    const std::string expected = make_frame(kind, number, bytes);
    if (wire.substr(at, expected.size()) != expected) {
      ADD_FAILURE() << "a frame was torn at " << at;
      return frames;
    }
    at += expected.size();
    frames.push_back({kind, number, at});
  }
  return frames;
}

// What must hold of the wire: whole frames; ordinary ones in order, urgent ones in order; only what
// was dropped is missing; and an urgent frame waits for one frame at most.
class OutboxModel {
 public:
  explicit OutboxModel(std::uint64_t seed) : random_(seed) {}

  void run() {
    if (random_.chance(500)) begin_elsewhere();
    for (int step = 0; step < 400; ++step) {
      if (random_.chance(350)) push();
      if (random_.chance(150)) push_urgent();
      if (random_.chance(20)) drop();
      if (random_.chance(450)) send();
      ASSERT_EQ(pipe_.outbox.inner.empty(), pipe_.outbox.inner.bytes() == 0);
      ASSERT_EQ(pipe_.outbox.inner.bytes() + pipe_.wire.size(), pushed_bytes_);
    }
    pipe_.send_all();
    judge();
  }

 private:
  std::string payload_frame(char kind, unsigned number) {
    return make_frame(kind, number, random_.spread(random_.chance(50) ? 12 : 6));
  }
  // The kernel has taken the first part of a frame before the queue came to be.
  void begin_elsewhere() {
    const std::string frame = payload_frame('N', ordinary_++);
    const std::size_t gone = random_.between(1, frame.size() - 1);
    pipe_.wire = frame.substr(0, gone);
    pipe_.outbox.inner.begin_mid_frame();
    pushed_bytes_ = frame.size();
    pipe_.push(frame.substr(gone), cuts(frame.size() - gone));
  }
  void push() {
    const std::string frame = payload_frame('N', ordinary_++);
    pushed_bytes_ += frame.size();
    pipe_.push(frame, cuts(frame.size()));
  }
  void push_urgent() {
    const std::string frame = payload_frame('U', urgent_++);
    pushed_bytes_ += frame.size();
    pushed_urgent_at_.push_back(pipe_.wire.size());
    pipe_.push_urgent(frame);
  }
  void drop() {
    pipe_.outbox.inner.drop_unsent();
    pushed_bytes_ = pipe_.wire.size() + pipe_.outbox.inner.bytes();
    drops_ = true;
  }
  void send() { pipe_.send(random_.spread(10), random_.between(1, 64)); }
  std::vector<std::size_t> cuts(std::size_t bytes) {
    std::vector<std::size_t> at;
    while (random_.chance(400) && bytes > 1) at.push_back(random_.between(1, bytes - 1));
    std::sort(at.begin(), at.end());
    at.erase(std::unique(at.begin(), at.end()), at.end());
    return at;
  }
  void judge() {
    const std::vector<Sent> frames = parse(pipe_.wire);
    std::array<std::int64_t, 256> last;
    last.fill(-1);
    std::size_t ordinary = 0, urgent = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Sent& frame = frames[i];
      auto& before = last[static_cast<unsigned char>(frame.kind)];
      ASSERT_GT(static_cast<std::int64_t>(frame.number), before) << "out of order";
      before = frame.number;
      (frame.kind == 'U' ? urgent : ordinary) += 1;
      if (frame.kind != 'U') continue;
      // Of the ordinary frames, at most one ended between its push and its turn.
      const std::size_t pushed_at = pushed_urgent_at_[frame.number];
      std::size_t overtook_us = 0;
      for (std::size_t k = i; k-- > 0 && frames[k].end > pushed_at;)
        if (frames[k].kind != 'U') ++overtook_us;
      ASSERT_LE(overtook_us, 1u) << "urgent frame " << frame.number << " waited";
    }
    if (drops_) return;
    EXPECT_EQ(ordinary, ordinary_);
    EXPECT_EQ(urgent, urgent_);
  }

  Random random_;
  Pipe pipe_;
  std::size_t pushed_bytes_ = 0;
  unsigned ordinary_ = 0;
  unsigned urgent_ = 0;
  std::vector<std::size_t> pushed_urgent_at_;
  bool drops_ = false;
};

TEST(Outbox, FramesAreNeverTorn) {
  for (std::uint64_t round = 0; round < 300; ++round) {
    const std::uint64_t seed = test::test_seed(round);
    SCOPED_TRACE(seed);
    OutboxModel(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace spate::core
