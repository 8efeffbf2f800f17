// What is the LogBroker's own: its memory, and what it does when that is used up.
#include "handlers/hub/log_broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/log.h"
#include "tests/core/random.h"
#include "tests/handlers/hub/log_broker_host.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kSegment = 4096;

class LogBrokerTest : public BrokerTest {
 protected:
  LogBrokerTest() {
    core::log::init(core::log::Level::off, core::log::Format::text);
    make(8);
  }
  void make(std::uint32_t segments) {
    auto host = std::make_unique<LogBrokerHost>(sink_, time_, segments * kSegment, kSegment);
    log_host_ = host.get();
    host_ = std::move(host);
  }
  void restart() { ASSERT_TRUE(host_->restart()); }
  const BrokerMetrics& metrics() { return log_host_->broker().metrics(); }
  core::RecordLog& log() { return log_host_->broker().log(); }
  static Post keyed_post(std::string channel, std::string key) {
    Post post;
    post.channel = std::move(channel);
    post.key = std::move(key);
    static const std::vector<Tag> tags{{"k", "v"}};
    post.tags = tags;
    post.exclude_users = {"ann"};
    post.info = client("ann", "c1");
    return post;
  }
  static std::string channel(int number) { return "channel-" + std::to_string(number); }

  LogBrokerHost* log_host_ = nullptr;
};

TEST_F(LogBrokerTest, WhatIsOnlyPassedOnTouchesNoLog) {
  for (int i = 0; i < 1000; ++i) publish({"chat", std::string(1000, 'x'), {}});
  EXPECT_EQ(log().used_bytes(), 0u);
  EXPECT_EQ(metrics().publications[1], 1000u);
  EXPECT_EQ(metrics().streams, 0u);
}

TEST_F(LogBrokerTest, ARingMayTurnForEverInASmallLog) {
  for (int i = 0; i < 5000; ++i) {
    Post post;
    post.data = std::to_string(i) + std::string(500, 'x');
    post.history.size = 10;
    ASSERT_EQ(publish(post).error, BrokerError::none);
  }
  EXPECT_THAT(kept("news"), SizeIs(10));
  EXPECT_EQ(metrics().evictions[0], 0u);
  EXPECT_EQ(metrics().kept, 10u);
}

// One publication of each of many, with one lively channel between them: their segments are copied
// together, and nothing is lost.
TEST_F(LogBrokerTest, TheLastingAmongTheFleetingAreCopiedForward) {
  for (int i = 0; i < 40; ++i) {
    publish({channel(i), "stays-" + std::to_string(i), {1, 60'000, 3'600'000}});
    for (int k = 0; k < 20; ++k) publish({"lively", std::string(300, 'x'), {2, 60'000, 3'600'000}});
  }
  EXPECT_EQ(metrics().evictions[0], 0u);
  EXPECT_GT(metrics().copied_bytes, 0u);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 40; ++i)
      ASSERT_THAT(kept(channel(i)), ElementsAre("1 stays-" + std::to_string(i)));
    restart();
  }
}

TEST_F(LogBrokerTest, WhenMemoryIsUsedUpTheHistoryUnpublishedTheLongestGoes) {
  std::vector<StreamPosition> tops;
  for (int i = 0; i < 100; ++i)
    tops.push_back(publish({channel(i), std::string(1000, 'x'), {1, 60'000, 3'600'000}}).position);
  EXPECT_GT(metrics().evictions[0], 50u);
  EXPECT_EQ(metrics().evictions[1], 0u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(kept(channel(99)), SizeIs(1));
    EXPECT_THAT(kept(channel(0)), IsEmpty());
    // Positions stay: whoever comes back learns that it missed something.
    for (int i = 0; i < 100; ++i)
      ASSERT_EQ(read(channel(i)).top, tops[static_cast<std::size_t>(i)]);
    restart();
  }
}

TEST_F(LogBrokerTest, ThenWholeStreamsGoAndComeBackInANewEpoch) {
  std::vector<StreamPosition> tops;
  for (int i = 0; i < 1000; ++i) {
    time_.pass_ms(1);
    tops.push_back(publish({channel(i), "x", {1, 60'000, 3'600'000}}).position);
  }
  EXPECT_GT(metrics().evictions[1], 500u);
  EXPECT_EQ(metrics().refused[0], 0u);
  restart();
  EXPECT_EQ(read(channel(999)).top, tops[999]);
  const StreamPosition again = publish({channel(0), "y", {1, 60'000, 3'600'000}}).position;
  EXPECT_EQ(again.offset, 1u);
  EXPECT_NE(again.epoch, tops[0].epoch);
}

TEST_F(LogBrokerTest, OutcomesOfKeysDoNotGoEarlySoRequestsAreRefused) {
  Post post;
  post.history = {};
  int accepted = 0;
  for (;; ++accepted) {
    ASSERT_LT(accepted, 2000);
    post.key = "k" + std::to_string(accepted);
    if (publish(post).error == BrokerError::no_room) break;
  }
  EXPECT_EQ(metrics().refused[0], 1u);
  EXPECT_EQ(publish("news", "x").error, BrokerError::no_room);
  EXPECT_EQ(read("news").error, "no_room");
  EXPECT_EQ(publish({"chat", "x", {}}).error, BrokerError::none);
  post.key = "k0";
  EXPECT_TRUE(publish(post).suppressed);
  restart();
  EXPECT_TRUE(publish(post).suppressed);
  EXPECT_EQ(metrics().results, static_cast<std::uint64_t>(accepted));
  time_.pass_ms(ResultTable::kKeptMs);
  tick();
  EXPECT_EQ(publish("news", "x").error, BrokerError::none);
  EXPECT_EQ(metrics().results, 0u);
}

TEST_F(LogBrokerTest, ARecordLargerThanASegmentIsTooLarge) {
  EXPECT_EQ(publish("news", std::string(kSegment, 'x')).error, BrokerError::too_large);
  EXPECT_EQ(metrics().refused[0], 0u);
  EXPECT_EQ(metrics().refused[1], 1u);
  EXPECT_EQ(metrics().evictions[0], 0u);
  EXPECT_THAT(sink_.lines, IsEmpty());
  EXPECT_EQ(publish("news", std::string(kSegment / 2, 'x')).error, BrokerError::none);
  EXPECT_EQ(publish("news", "x").position.offset, 2u);
}

// Two thirds of a segment each: copying them together wins nothing, and must not be tried for ever.
TEST_F(LogBrokerTest, LargeRecordsAreEvictedRatherThanCopied) {
  for (int i = 0; i < 200; ++i)
    ASSERT_EQ(publish({channel(i), std::string(2700, 'x'), {1, 60'000, 3'600'000}}).error,
              BrokerError::none);
  EXPECT_LT(metrics().copied_bytes, 200 * 2700u);
  EXPECT_THAT(kept(channel(199)), SizeIs(1));
}

TEST_F(LogBrokerTest, NothingMovesWhileSomebodyReads) {
  for (int i = 0; i < 4; ++i) publish("news", std::string(900, static_cast<char>('a' + i)));
  HistoryRequest request;
  request.channel = "news";
  request.history = {10, 60'000, 3'600'000};
  request.limit = -1;
  std::uint64_t refused = 0;
  broker().history(request, [&](const HistoryResult& result) {
    for (int i = 0; i < 100; ++i)
      if (publish({"other", std::string(900, 'z'), {1, 60'000, 3'600'000}}).error !=
          BrokerError::none)
        ++refused;
    tick();
    ASSERT_THAT(result.publications, SizeIs(4));
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_EQ(result.publications[i].publication.data,
                std::string(900, static_cast<char>('a' + i)));
  });
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(publish({"other", "x", {1, 60'000, 3'600'000}}).error, BrokerError::none);
}

TEST_F(LogBrokerTest, QuietMomentsGiveMemoryBack) {
  make(64);
  for (int i = 0; i < 150; ++i) {
    publish({channel(i), "x", {1, 600'000, 3'600'000}});
    publish({"lively", std::string(1000, 'x'), {150, 1'000, 3'600'000}});
  }
  EXPECT_GT(log().used_bytes(), 40 * kSegment);
  for (int i = 0; i < 30; ++i) pass_ms(1'000);
  EXPECT_LT(log().used_bytes(), 20 * kSegment);
  EXPECT_THAT(kept(channel(0)), SizeIs(1));
}

TEST_F(LogBrokerTest, ADamagedRecordIsAnErrorNotACrash) {
  publish("news", "hello");
  std::byte* const payload = log_host_->memory().segments() + core::RecordLog::kHeaderBytes;
  store(payload + 56, std::uint32_t{0xFFFFFFFF});  // the channel's length
  core::LogMemory& memory = log_host_->memory();
  LogBroker other(memory, sink_, {});
  const auto opened = other.open();
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error(), testing::HasSubstr("makes no sense"));
  memory.clear();
  restart();
  EXPECT_EQ(publish("news", "x").position.offset, 1u);
}

// Bytes that somebody wrote into the log: an error, or something that can be read.
TEST_F(LogBrokerTest, WhateverIsInTheLogNothingIsReadPastIt) {
  Random random(test_seed());
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    make(8);
    for (int i = 0; i < 10; ++i) {
      Post post = keyed_post(channel(i % 3), "k" + std::to_string(i % 7));
      post.history.size = 2;
      publish(post);
      if (i == 5) remove_history(channel(0));
    }
    core::LogMemory& memory = log_host_->memory();
    const std::uint64_t used = memory.header().head;
    for (std::uint64_t i = random.between(1, 4); i > 0; --i)
      memory.segments()[random.below(used)] = static_cast<std::byte>(random.below(256));
    const BrokerClock clock{[this] { return time_.monotonic_ns; }, [] { return std::int64_t{1}; }};
    LogBroker other(memory, sink_, {}, nullptr, clock);
    if (!other.open().ok()) {
      ++refused;
      continue;
    }
    for (int i = 0; i < 3; ++i) {
      const std::string name = channel(i);
      HistoryRequest request;
      request.channel = name;
      request.history = {2, 60'000, 3'600'000};
      request.limit = -1;
      other.history(request, [](const HistoryResult&) {});
    }
    other.tick(time_.monotonic_ns + 400'000'000'000);
  }
  EXPECT_GT(refused, 100);
}

TEST_F(LogBrokerTest, CountsWhatItHolds) {
  publish("news", "a");
  Post post;
  post.key = "k";
  publish(post);
  publish(post);
  add_presence("news", client("ann", "c1"));
  user_connected("ann", "c1");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(metrics().streams, 1u);
    EXPECT_EQ(metrics().kept, 2u);
    EXPECT_EQ(metrics().results, 1u);
    EXPECT_EQ(metrics().presence, round == 0 ? 1u : 0u);
    EXPECT_EQ(metrics().users_online, 1u);  // restarted: for the grace time yet
    EXPECT_EQ(metrics().suppressed[0], round == 0 ? 1u : 0u);
    tick();
    EXPECT_EQ(metrics().log_bytes[0], kSegment);
    EXPECT_EQ(metrics().log_bytes[1], log().live_bytes());
    EXPECT_EQ(metrics().log_limit, 8 * kSegment);
    restart();
  }
  pass_ms(61'000);
  EXPECT_EQ(metrics().kept, 0u);
}

TEST_F(LogBrokerTest, AnIdleStreamCostsAsLittleAsItSays) {
  make(2000);
  const std::size_t before = log_host_->broker().heap_bytes_of_streams();
  constexpr std::size_t kStreams = 20'000;
  for (std::size_t i = 0; i < kStreams; ++i) read(channel(static_cast<int>(i)));
  const std::size_t bytes = log_host_->broker().heap_bytes_of_streams() - before;
  EXPECT_EQ(metrics().streams, kStreams);
  EXPECT_LT(bytes / kStreams, 200u);
  EXPECT_LT(log().live_bytes() / kStreams, 128u);
}

// A record cut short anywhere is either told to be damaged or read without what was cut off.
TEST(LogRecord, NoTruncationIsReadPast) {
  const std::vector<Tag> tags{{"k", "v"}, {"key", "value"}};
  const std::vector<std::string_view> excluded{"ann", "bob"};
  PublishRequest request;
  request.publication.data = "data";
  request.publication.info = ClientInfo{"u", "c", "conn", "chan"};
  request.publication.tags = tags;
  request.exclude_users = excluded;
  const std::vector<std::string_view> excluded_clients{"c1"};
  request.exclude_clients = excluded_clients;
  PublicationRecord record;
  record.stream.channel = "channel";
  record.stream.offset = 7;
  record.stream.version = 3;
  record.key = KeyHash{1, 2};
  const std::size_t bytes = publication_bytes(record, request);
  for (std::size_t cut = 0; cut <= bytes; ++cut) {
    // On a heap block of exactly this size, so that a sanitizer sees what is beyond.
    std::vector<std::byte> whole(bytes);
    encode_publication(whole.data(), record, request);
    const std::vector<std::byte> part(whole.begin(),
                                      whole.begin() + static_cast<std::ptrdiff_t>(cut));
    core::RecordLog::Record raw_record;
    raw_record.kind = raw(RecordKind::publication);
    raw_record.payload = part;
    PublicationReader reader;
    EXPECT_EQ(reader.add(raw_record), cut == bytes) << cut;
    const auto decoded = decode(raw_record);
    if (cut == bytes) {
      ASSERT_TRUE(decoded.has_value());
      EXPECT_EQ(decoded->stream.channel, "channel");
      EXPECT_EQ(decoded->stream.version, 3u);
      EXPECT_EQ(decoded->result->key, (KeyHash{1, 2}));
      EXPECT_EQ(RecordingSink::describe(reader.finish()[0]),
                "7 data from=u/c/conn/chan k=v key=value not=ann not=bob not_client=c1");
    }
  }
}

TEST(EpochTest, AreEightLettersThatNobodyCanGuess) {
  std::vector<std::uint64_t> seen;
  std::map<char, int> drawn;
  constexpr int kEpochs = 6500;
  for (int i = 0; i < kEpochs; ++i) {
    const Epoch epoch = Epoch::random();
    EXPECT_EQ(Epoch::parse(epoch.text()), epoch);
    for (const char letter : epoch.text()) ++drawn[letter];
    seen.push_back(epoch.packed());
  }
  // Each of the 52 about 1000 times: six deviations off comes once in ten million runs. A byte
  // taken modulo 52 would draw 48 of them 984 times and four of them 1203.
  EXPECT_THAT(drawn, SizeIs(52));
  for (const auto& [letter, times] : drawn) {
    EXPECT_TRUE((letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z')) << letter;
    EXPECT_NEAR(times, kEpochs * 8 / 52, 190) << letter;
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
  EXPECT_FALSE(Epoch::parse(""));
  EXPECT_TRUE(Epoch::parse("other"));
  EXPECT_EQ(Epoch().text(), "");
}

TEST(UserTableTest, RemembersABoundedNumberOfThoseWhoLeft) {
  UserTable users({1, 2}, 0, [](std::string_view, std::string_view, bool) {});
  for (std::size_t i = 0; i < UserTable::kMaxOffline + 10; ++i) {
    const std::string user = "user-" + std::to_string(i);
    users.connected(user, "c", 1000);
    users.gone(user, "c", 0, 2000);
  }
  EXPECT_EQ(users.online(), 0u);
  EXPECT_EQ(users.status("user-9").since_ms, 0);
  EXPECT_EQ(users.status("user-10").since_ms, 2000);
  EXPECT_FALSE(users.status("user-10").online);
}

TEST(JoinLeaveCapTest, BucketsThatAreFullAgainCostNothing) {
  JoinLeaveCap cap({1, 2});
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(cap.pass("channel-" + std::to_string(i), i));
  EXPECT_EQ(cap.channels(), 1000u);
  cap.advance(1'000'000'000);
  EXPECT_EQ(cap.channels(), 0u);
}

TEST(JoinLeaveCapTest, AChannelMayGoOnAtItsRate) {
  JoinLeaveCap cap({1, 2});
  std::int64_t passed = 0;
  constexpr std::int64_t kSeconds = 20;
  for (std::int64_t ms = 0; ms < kSeconds * 1000; ++ms) {
    if (cap.pass("news", ms * 1'000'000)) ++passed;
    if (ms % 1000 == 0) cap.advance(ms * 1'000'000);
  }
  EXPECT_NEAR(static_cast<double>(passed),
              JoinLeaveCap::kBurst + kSeconds * JoinLeaveCap::kPerSecond, 2);
}

}  // namespace
}  // namespace spate::test
