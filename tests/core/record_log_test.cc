#include "core/record_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/core/faulty_sys.h"
#include "tests/core/process_state.h"

namespace spate::core {
namespace {

using test::Call;
using test::sys_faults;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kSegment = 4096;
constexpr std::uint32_t kSegments = 6;

class RecordLogTest : public testing::Test {
 protected:
  RecordLogTest() {
    sys_faults().reset();
    EXPECT_EQ(memory_.create(kSegments * kSegment, kSegment), 0);
    open();
  }

  // Another writer, the one before having been killed. What it was shown: "1:text".
  std::vector<std::string> open() {
    std::vector<std::string> seen;
    log_ = std::make_unique<RecordLog>(memory_);
    const auto opened = log_->open([&](const RecordLog::Record& record) {
      seen.push_back(std::to_string(record.kind) + ":" + text(record));
    });
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error());
    return seen;
  }
  std::string open_error() {
    const auto opened = RecordLog(memory_).open([](const RecordLog::Record&) {});
    return opened.ok() ? "" : opened.error();
  }
  static std::string text(const RecordLog::Record& record) {
    return std::string(as_text(record.payload));
  }
  std::string text(LogPlace place) { return text(log_->read(place)); }

  LogPlace stage(std::string_view payload, RecordLog::Kind kind = 1) {
    LogPlace place = kNoPlace;
    std::byte* const to = log_->stage(kind, payload.size(), &place);
    std::memcpy(to, payload.data(), payload.size());
    return place;
  }
  LogPlace append(std::string_view payload, RecordLog::Kind kind = 1) {
    const LogPlace place = stage(payload, kind);
    log_->commit();
    return place;
  }
  // A record that fills a segment.
  LogPlace append_segment(char letter) {
    return append(std::string(kSegment - RecordLog::kHeaderBytes, letter));
  }
  std::byte* at(LogPlace place) { return memory_.segments() + std::uint64_t{place} * 8; }

  LogMemory memory_;
  std::unique_ptr<RecordLog> log_;
};

TEST_F(RecordLogTest, AnEmptyLogIsEmpty) {
  EXPECT_THAT(open(), IsEmpty());
  EXPECT_EQ(log_->live_bytes(), 0u);
  EXPECT_EQ(log_->used_bytes(), 0u);
  EXPECT_EQ(log_->room_bytes(), kSegments * kSegment);
  log_->commit();
  EXPECT_EQ(memory_.header().head, 0u);
}

TEST_F(RecordLogTest, WhatWasCommittedIsThereForTheNextWriter) {
  const LogPlace first = append("one");
  append("", 2);
  EXPECT_EQ(text(first), "one");
  stage("lost");
  EXPECT_THAT(open(), ElementsAre("1:one", "2:"));
  append("three");
  EXPECT_THAT(open(), ElementsAre("1:one", "2:", "1:three"));
}

TEST_F(RecordLogTest, ABatchIsCommittedByOneStore) {
  append("one");
  stage("two");
  stage(std::string(kSegment - 8, 'x'));  // in another segment
  EXPECT_THAT(open(), ElementsAre("1:one"));
  stage("two");
  stage(std::string(kSegment - 8, 'x'));
  log_->commit();
  EXPECT_THAT(open(), ElementsAre("1:one", "1:two", "1:" + std::string(kSegment - 8, 'x')));
}

TEST_F(RecordLogTest, RecordsOfEverySizeEndWhereSegmentsEnd) {
  for (std::size_t bytes = kSegment - 40; bytes <= kSegment - 8; ++bytes) {
    SCOPED_TRACE(bytes);
    memory_.clear();
    open();
    const std::string large(bytes, 'x');
    append(large);
    append("next");
    append(large);
    EXPECT_THAT(open(), ElementsAre("1:" + large, "1:next", "1:" + large));
    append("last");
    EXPECT_THAT(open(), ElementsAre("1:" + large, "1:next", "1:" + large, "1:last"));
  }
}

TEST_F(RecordLogTest, TheReserveIsForCopies) {
  EXPECT_TRUE(log_->can_hold(kSegment - 8));
  EXPECT_FALSE(log_->can_hold(kSegment - 7));
  for (std::uint32_t i = 0; i + RecordLog::kReserve < kSegments; ++i) {
    EXPECT_TRUE(log_->fits(kSegment - 8));
    append_segment('x');
  }
  EXPECT_FALSE(log_->fits(0));
  EXPECT_EQ(log_->free_segments(), RecordLog::kReserve);
}

TEST_F(RecordLogTest, TheDeadAreNotShownAgain) {
  const LogPlace one = append("one");
  append("two");
  const std::uint64_t live = log_->live_bytes();
  log_->kill(one);
  EXPECT_EQ(log_->live_bytes(), live - 16);
  EXPECT_THAT(open(), ElementsAre("1:two"));
  EXPECT_EQ(log_->live_bytes(), live - 16);
}

TEST_F(RecordLogTest, AMarkAndWhatIsNeededOutliveTheWriter) {
  const LogPlace place = append(std::string(100, 'x'));
  log_->shrink(place, 7, 20);
  EXPECT_EQ(log_->live_bytes(), 8u + 24u);
  open();
  EXPECT_EQ(log_->live_bytes(), 8u + 24u);
  EXPECT_EQ(log_->read(place).mark, 7);
  EXPECT_EQ(log_->read(place).payload.size(), 100u);
  log_->shrink(place, 8, 100);  // back to all of it
  EXPECT_EQ(log_->live_bytes(), 8u + 104u);
  log_->kill(place);
  EXPECT_EQ(log_->live_bytes(), 0u);
}

TEST_F(RecordLogTest, ASegmentOfTheDeadIsFreedAndItsPagesGoBack) {
  const LogPlace first = append_segment('a');
  append_segment('b');
  const auto resident = [] {
    return test::file_bytes(test::open_descriptors("memfd:spate-log")).resident;
  };
  const std::uint64_t before = resident();
  EXPECT_EQ(log_->free_dead_segments(), 0u);
  log_->kill(first);
  EXPECT_EQ(log_->free_dead_segments(), 1u);
  EXPECT_EQ(resident(), before - kSegment);
  EXPECT_EQ(log_->used_bytes(), kSegment);
  EXPECT_THAT(open(), ElementsAre(testing::StartsWith("1:bbb")));
  // And used again, for later ones.
  for (const char letter : {'c', 'd', 'e', 'f'}) append_segment(letter);
  EXPECT_THAT(open(), testing::SizeIs(5));
  EXPECT_THAT(open().back(), testing::StartsWith("1:fff"));
}

TEST_F(RecordLogTest, TheSegmentThatIsWrittenIsNeverFreed) {
  const LogPlace place = append("one");
  log_->kill(place);
  EXPECT_EQ(log_->free_dead_segments(), 0u);
  append("two");
  EXPECT_THAT(open(), ElementsAre("1:two"));
}

TEST_F(RecordLogTest, SurvivorsOfTheEmptiestSegmentAreCopiedForward) {
  std::vector<LogPlace> places;
  for (int i = 0; i < 12; ++i)
    places.push_back(append(std::string(1000, static_cast<char>('a' + i))));
  // Four a segment: the second is left with one.
  for (const int i : {0, 4, 5, 7}) log_->kill(places[static_cast<std::size_t>(i)]);
  append_segment('z');
  const auto emptiest = log_->emptiest();
  ASSERT_TRUE(emptiest.has_value());
  EXPECT_EQ(emptiest->live_bytes, 1008u);
  std::vector<std::string> survivors;
  log_->for_each_live(emptiest->segment, [&](const RecordLog::Record& record) {
    survivors.push_back(text(record));
    stage(text(record));
  });
  EXPECT_THAT(survivors, ElementsAre(std::string(1000, 'g')));
  log_->commit();
  const std::uint64_t live = log_->live_bytes();
  log_->free_segment(emptiest->segment);
  EXPECT_EQ(log_->live_bytes(), live - 1008);
  const std::vector<std::string> seen = open();
  EXPECT_EQ(seen.size(), 9u);
  EXPECT_EQ(seen.back(), "1:" + std::string(1000, 'g'));
  EXPECT_EQ(log_->live_bytes(), live - 1008);
}

// Kills the writer after each store of a batch and what follows it: all of the batch is there, or
// nothing of it, and the log goes on.
struct Killed {};
struct Countdown {
  int left;
  static void call(void* self) {
    if (static_cast<Countdown*>(self)->left-- == 0) throw Killed{};
  }
};

TEST_F(RecordLogTest, AKillAfterAnyStoreLeavesAllOrNothing) {
  int stores = 0;
  bool finished = false;
  for (; !finished; ++stores) {
    SCOPED_TRACE(stores);
    memory_.clear();
    open();
    const LogPlace old = append_segment('a');
    append("b");
    Countdown countdown{stores};
    log_->set_after_store(Countdown::call, &countdown);
    try {
      stage(std::string(2000, 'c'));
      stage(std::string(3000, 'd'));
      log_->commit();
      log_->kill(old);
      log_->free_dead_segments();
      finished = true;
    } catch (const Killed&) {
    }
    std::vector<std::string> seen = open();
    if (seen.front().starts_with("1:a")) seen.erase(seen.begin());
    ASSERT_TRUE(seen.size() == 1 || seen.size() == 3);
    EXPECT_EQ(seen[0], "1:b");
    const std::uint64_t live = log_->live_bytes();
    const std::uint64_t room = log_->room_bytes();
    append("e");
    EXPECT_EQ(log_->live_bytes(), live + 16);
    EXPECT_LT(log_->room_bytes(), room);
    seen = open();
    EXPECT_EQ(seen.back(), "1:e");
    EXPECT_EQ(log_->live_bytes(), live + 16);
  }
  EXPECT_GT(stores, 8);
}

// --- Damage.

TEST_F(RecordLogTest, ALengthThatReachesPastTheEndIsAnError) {
  const LogPlace place = append("one");
  for (const std::uint32_t bytes : {9u, 4088u, 4089u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    store(at(place), bytes);
    EXPECT_THAT(open_error(), HasSubstr("bytes, more than there are")) << bytes;
  }
  store(at(place), std::uint32_t{3});
  EXPECT_EQ(open_error(), "");
  store(at(place) + 6, std::uint16_t{3});
  EXPECT_THAT(open_error(), HasSubstr("needs more bytes than it has"));
}

TEST_F(RecordLogTest, ALengthInACompleteSegmentIsHeldAgainstItsEnd) {
  const LogPlace place = append(std::string(4000, 'a'));
  append_segment('b');
  store(at(place), std::uint32_t{4089});
  EXPECT_THAT(open_error(), HasSubstr("more than there are"));
}

TEST_F(RecordLogTest, AHeadOrATableThatCannotBeIsAnError) {
  append_segment('a');
  append_segment('b');
  const std::uint64_t head = memory_.header().head;
  memory_.header().head = head + 4;
  EXPECT_THAT(open_error(), HasSubstr("head"));
  memory_.header().head = head + 8;
  EXPECT_THAT(open_error(), HasSubstr("missing"));
  memory_.header().head = ~std::uint64_t{7};
  EXPECT_THAT(open_error(), HasSubstr("missing"));
  memory_.header().head = head;
  EXPECT_EQ(open_error(), "");
  memory_.table(5) = 1;
  EXPECT_THAT(open_error(), HasSubstr("same number"));
}

TEST_F(RecordLogTest, AnotherLayoutIsRefused) {
  memory_.header().layout_version = 2;
  EXPECT_THAT(open_error(), HasSubstr("layout version 2"));
  memory_.header().layout_version = LogMemory::kLayoutVersion;
  memory_.header().segment_count = 7;
  EXPECT_THAT(open_error(), HasSubstr("other sizes"));
  memory_.header().magic = 1;
  EXPECT_THAT(open_error(), HasSubstr("does not begin as a log"));
  memory_.clear();
  EXPECT_EQ(open_error(), "");
}

// --- Its memory.

TEST(LogMemoryTest, SizesThatCannotBeAreRefused) {
  sys_faults().reset();
  EXPECT_EQ(LogMemory().create(3 << 20), -EINVAL);
  EXPECT_EQ(LogMemory().create(LogMemory::kMaxBytes + 1), -EINVAL);
  EXPECT_EQ(LogMemory().create(1 << 20, 100), -EINVAL);
  EXPECT_EQ(LogMemory().create(1 << 20, 0), -EINVAL);
}

TEST(LogMemoryTest, IsSparseAndLeavesNothingBehind) {
  sys_faults().reset();
  const std::int64_t mapped = sys_faults().mapped_bytes();
  {
    LogMemory memory;
    ASSERT_EQ(memory.create(std::uint64_t{8} << 30), 0);
    EXPECT_LE(test::file_bytes(test::open_descriptors("memfd:spate-log")).resident, 3 * 4096u);
  }
  for (const Call call : {Call::memfd_create, Call::ftruncate, Call::reserve, Call::map_shared}) {
    sys_faults().fail(call, 0, ENOMEM);
    LogMemory memory;
    EXPECT_LT(memory.create(8 << 20), 0);
  }
  EXPECT_EQ(sys_faults().mapped_bytes(), mapped);
  EXPECT_THAT(test::open_descriptors("memfd:spate-log"), IsEmpty());
}

TEST(LogMemoryTest, EachHasASaltOfItsOwn) {
  LogMemory one, two;
  ASSERT_EQ(one.create(8 << 20), 0);
  ASSERT_EQ(two.create(8 << 20), 0);
  EXPECT_NE(one.header().salt, two.header().salt);
}

}  // namespace
}  // namespace spate::core
