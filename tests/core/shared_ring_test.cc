// Rings: what is written is read whole and in order, a reader that is too slow finds out, and a
// writer that was killed anywhere leaves nothing that its successor trips over.
#include "core/shared_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/bus_memory.h"
#include "core/mirror_ring.h"
#include "tests/core/random.h"

namespace spate::core {
namespace {

struct Killed {};

class SharedRing : public testing::Test {
 protected:
  static constexpr std::size_t kCapacity = 4096;

  std::uint64_t write(std::string_view text, std::uint8_t kind = 1, std::uint64_t tag = 7) {
    RingWriter writer(words_, ring_.base(), kCapacity, hook_);
    return writer.append(kind, tag, as_bytes(text));
  }
  RingReader reader() const { return {words_, ring_.base(), kCapacity}; }
  // The next record's payload, or what reading came to.
  std::string read(RingReader& reader) {
    RingRecord record;
    switch (reader.next(record, copy_, [](auto, auto) { return true; })) {
      case RingRead::record:
        return std::string(as_text(record.payload));
      case RingRead::nothing:
        return "(nothing)";
      case RingRead::lapped:
        return "(lapped)";
      case RingRead::damaged:
        return "(damaged)";
    }
    return {};
  }
  // Killed after the store of that number.
  void write_killed(std::string_view text, int store) {
    int left = store;
    hook_ = {[](void* context) {
               if ((*static_cast<int*>(context))-- == 0) throw Killed{};
             },
             &left};
    EXPECT_THROW(write(text), Killed);
    hook_ = {};
  }

  RingWords words_;
  MirrorRing ring_ = MirrorRing::create("test-ring", kCapacity);
  StoreHook hook_;
  alignas(8) std::byte copy_[kCapacity];
};

TEST_F(SharedRing, RecordsComeInOrderWithKindTagAndNumber) {
  RingReader reader = this->reader();
  EXPECT_EQ(read(reader), "(nothing)");
  write("one", 3, 11);
  write("", 4, 12);
  write("three, which is longer than a word", 5, 13);
  RingRecord record;
  for (std::uint8_t i = 0; i < 3; ++i) {
    ASSERT_EQ(reader.peek(record), RingRead::record);
    EXPECT_EQ(record.kind, 3 + i);
    EXPECT_EQ(record.tag, 11u + i);
    EXPECT_EQ(record.number, i);
    EXPECT_EQ(record.begin, reader.cursor());
    reader.pass(record);
  }
  EXPECT_EQ(reader.cursor(), reader.head());
}

TEST_F(SharedRing, ARecordMayLieAcrossTheEnd) {
  RingReader reader = this->reader();
  for (std::size_t bytes = 0; bytes < 700; ++bytes) {
    const std::string text(bytes, static_cast<char>('a' + bytes % 26));
    write(text);
    ASSERT_EQ(read(reader), text) << bytes;
  }
}

TEST_F(SharedRing, RoomIsWhatAReaderHasNotLeft) {
  RingWriter writer(words_, ring_.base(), kCapacity, hook_);
  EXPECT_EQ(writer.room(0), kCapacity);
  const std::uint64_t first = write(std::string(1000, 'x'));
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(writer.room(0), kCapacity - ring_record_bytes(1000));
  EXPECT_EQ(writer.room(writer.head()), kCapacity);
  write(std::string(kCapacity - kRingHeaderBytes, 'y'));
  EXPECT_EQ(writer.room(0), 0u);
}

TEST_F(SharedRing, WhoIsTooSlowFindsOutAndGoesOnAtTheHead) {
  RingReader reader = this->reader();
  write("lost");
  for (int i = 0; i < 40; ++i) write(std::string(100, 'x'));
  EXPECT_EQ(read(reader), "(lapped)");
  reader.skip_to_head();
  EXPECT_EQ(read(reader), "(nothing)");
  write("after");
  RingRecord record;
  ASSERT_EQ(reader.peek(record), RingRead::record);
  EXPECT_EQ(record.number, 41u);  // so 41 were lost
}

TEST_F(SharedRing, AnUnwantedPayloadIsPassedOver) {
  RingReader reader = this->reader();
  write("no", 1, 1);
  write("yes", 1, 2);
  RingRecord record;
  const auto wanted = [](std::uint8_t, std::uint64_t tag) { return tag == 2; };
  ASSERT_EQ(reader.next(record, copy_, wanted), RingRead::record);
  EXPECT_TRUE(record.payload.empty());
  ASSERT_EQ(reader.next(record, copy_, wanted), RingRead::record);
  EXPECT_EQ(as_text(record.payload), "yes");
}

// A claim, the bytes, the count, then head: only the last makes it a record.
TEST_F(SharedRing, AWriterKilledBeforeHeadHasWrittenNothing) {
  RingReader reader = this->reader();
  write("one");
  for (const int store : {0, 1, 2}) {
    write_killed(std::string(200, 'k'), store);
    EXPECT_EQ(read(reader), store == 0 ? "one" : "(nothing)") << store;
    write("next");
    EXPECT_EQ(read(reader), "next") << store;
  }
  write_killed("whole", 3);
  EXPECT_EQ(read(reader), "whole");
}

// What the dead one had begun to overwrite is gone, though its successor writes less.
TEST_F(SharedRing, AClaimOutlivesItsWriter) {
  RingReader reader = this->reader();
  write("first of all");
  write(std::string(kCapacity - 2 * kRingHeaderBytes - 40, 'x'));
  write_killed(std::string(300, 'k'), 1);
  write("n");
  EXPECT_EQ(read(reader), "(lapped)");
}

TEST_F(SharedRing, DamageIsSeen) {
  RingReader reader = this->reader();
  write("one");
  store<std::uint32_t>(ring_.base(), 5000);
  EXPECT_EQ(read(reader), "(damaged)");
}

// One thread writes as fast as it can, several read: each copy that counts is whole.
TEST_F(SharedRing, CopiesAreWholeWhileTheWriterLaps) {
  constexpr std::uint64_t kRecords = 30'000;
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  std::atomic<std::uint64_t> read_records{0};
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      RingReader reader = this->reader();
      alignas(8) std::byte copy[kCapacity];
      std::uint64_t next = 0;
      while (!over.load() || reader.cursor() != reader.head()) {
        RingRecord record;
        const RingRead read = reader.next(record, copy, [](auto, auto) { return true; });
        ASSERT_NE(read, RingRead::damaged);
        if (read == RingRead::lapped) reader.skip_to_head();
        if (read != RingRead::record) continue;
        ASSERT_GE(record.number, next);
        next = record.number + 1;
        ASSERT_EQ(record.tag, record.number * 3);
        ASSERT_EQ(record.payload.size(), record.number % 300);
        for (const std::byte byte : record.payload)
          ASSERT_EQ(byte, static_cast<std::byte>(record.number));
        read_records.fetch_add(1);
      }
    });
  for (std::uint64_t n = 0; n < kRecords; ++n) {
    write(std::string(n % 300, static_cast<char>(n)), 1, n * 3);
    if (n % 64 == 0) std::this_thread::yield();
  }
  over.store(true);
  for (std::thread& thread : readers) thread.join();
  EXPECT_GT(read_records.load(), 0u);
}

// --- The bus's memory.

TEST(BusMemory, RefusesSizesThatAreNoPowersOfTwo) {
  BusMemory memory;
  EXPECT_EQ(memory.create(0, {}), -EINVAL);
  EXPECT_EQ(memory.create(2, {.request_bytes = 5000}), -EINVAL);
  EXPECT_EQ(memory.create(100'000, {}), -EINVAL);
}

TEST(BusMemory, EachSeesTheSameWords) {
  BusMemory memory;
  ASSERT_EQ(memory.create(3, {4096, 4096, 8192}), 0);
  BusView worker, broker, observer;
  ASSERT_TRUE(worker.open(memory, BusView::Role::worker, 1));
  ASSERT_TRUE(broker.open(memory, BusView::Role::broker));
  ASSERT_TRUE(observer.open(memory, BusView::Role::observer));
  worker.requests_writer(1).append(1, 2, as_bytes("request"));
  broker.replies_writer(1).append(3, 4, as_bytes("reply"));
  broker.events_writer().append(5, 6, as_bytes("event"));
  memory.generations(1).born.store(9);
  RingRecord record;
  RingReader requests = broker.requests_reader(1), replies = worker.replies_reader(1),
             events = worker.events_reader();
  ASSERT_EQ(requests.peek(record), RingRead::record);
  EXPECT_EQ(as_text(record.payload), "request");
  ASSERT_EQ(replies.peek(record), RingRead::record);
  EXPECT_EQ(as_text(record.payload), "reply");
  ASSERT_EQ(events.peek(record), RingRead::record);
  EXPECT_EQ(as_text(record.payload), "event");
  EXPECT_EQ(worker.generations(1).born.load(), 9u);
  EXPECT_EQ(observer.worker(1).requests.head.load(), requests.head());
  EXPECT_EQ(worker.header().key, broker.header().key);
  EXPECT_EQ(broker.requests_reader(0).head(), 0u);
}

TEST(BusMemory, OthersWordsAreForReading) {
  BusMemory memory;
  ASSERT_EQ(memory.create(2, {4096, 4096, 4096}), 0);
  BusView worker;
  ASSERT_TRUE(worker.open(memory, BusView::Role::worker, 0));
  worker.worker(0).waiting.store(1);
  EXPECT_DEATH(worker.worker(1).waiting.store(1), "");
  EXPECT_DEATH(worker.broker().generation.store(1), "");
  EXPECT_DEATH(worker.events_writer().append(1, 1, {}), "");
  EXPECT_DEATH(worker.generations(0).ended.store(1), "");
}

TEST(BusMemory, OnlyASleeperIsWoken) {
  BusMemory memory;
  ASSERT_EQ(memory.create(1, {4096, 4096, 4096}), 0);
  BusView view;
  ASSERT_TRUE(view.open(memory, BusView::Role::all));
  view.wake(0);
  EXPECT_EQ(sys::poll_readable(view.wake_fd(0)), 0);
  view.wake_word(0).arm();
  view.wake(0);
  view.wake(0);
  EXPECT_EQ(sys::poll_readable(view.wake_fd(0)), 1);
  BusView::take_wake(view.wake_fd(0));
  EXPECT_EQ(sys::poll_readable(view.wake_fd(0)), 0);
}

}  // namespace
}  // namespace spate::core
