#include "tools/spate-bench/channels.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace spate::bench {
namespace {

Options options_of(std::uint32_t channels, std::uint32_t subscriptions,
                   std::uint32_t subscribers = 1, std::uint32_t publishers = 1,
                   std::uint32_t procs = 1) {
  Options options;
  options.channels = channels;
  options.subscriptions = subscriptions;
  options.subscribers = subscribers;
  options.publishers = publishers;
  options.connections = subscribers + publishers;
  options.procs = procs;
  return options;
}

TEST(Channels, TheNextSubscriberGoesOnWithTheNext) {
  const Options options = options_of(5, 2);
  const Channels channels(options);
  std::vector<std::uint32_t> all;
  for (std::uint64_t subscriber = 0; subscriber < 5; ++subscriber)
    for (std::uint32_t i = 0; i < 2; ++i) all.push_back(channels.of(subscriber, i));
  EXPECT_EQ(all, (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}));
}

TEST(Channels, APlaceIsWhereTheChannelStandsAmongTheSubscribers) {
  for (const std::uint32_t count : {1u, 2u, 7u, 20'000u}) {
    for (const std::uint32_t each : {1u, 2u, 7u}) {
      if (each > count) continue;
      const Options options = options_of(count, each);
      const Channels channels(options);
      for (const std::uint64_t subscriber : {0ull, 1ull, 5ull, 99'999ull}) {
        std::set<std::uint32_t> mine;
        for (std::uint32_t i = 0; i < each; ++i) {
          mine.insert(channels.of(subscriber, i));
          EXPECT_EQ(channels.place(subscriber, channels.of(subscriber, i)), i);
        }
        EXPECT_EQ(mine.size(), each);
        for (std::uint32_t channel = 0; channel < std::min(count, 50u); ++channel)
          EXPECT_EQ(channels.place(subscriber, channel) < each, mine.contains(channel));
      }
    }
  }
}

TEST(Channels, ANumberTellsTheChannelAndTheRoundHoweverManyThereWere) {
  for (const std::uint32_t count : {1u, 3u, 7u, 20'000u}) {
    const Options options = options_of(count, 1);
    const Channels channels(options);
    EXPECT_LE(channels.numbers(), Publication::kNumbers);
    for (std::uint64_t published = channels.numbers() - 5; published < channels.numbers() + 5;
         ++published) {
      const std::uint64_t number = published % channels.numbers();
      EXPECT_EQ(channels.channel_of(number), published % count);
      EXPECT_EQ(channels.round_of(number), published / count % channels.rounds());
    }
  }
}

TEST(Channels, CountsWhatWasPublishedToEach) {
  const Options options = options_of(3, 1);
  const Channels channels(options);
  for (std::uint64_t published = 0; published < 10; ++published) {
    std::vector<std::uint64_t> counts(3);
    for (std::uint64_t number = 0; number < published; ++number) ++counts[number % 3];
    for (std::uint32_t channel = 0; channel < 3; ++channel)
      EXPECT_EQ(channels.published_to(channel, published), counts[channel]);
  }
}

TEST(Channels, CountsTheProcessesThatHaveOne) {
  for (const std::uint32_t procs : {1u, 2u, 3u, 5u}) {
    const Options options = options_of(7, 2, 6, 3, procs);
    const Channels channels(options);
    for (std::uint32_t channel = 0; channel < 7; ++channel) {
      std::set<std::uint32_t> with;
      for (std::uint32_t proc = 0; proc < procs; ++proc)
        for (std::uint32_t id = options.first_id(proc); id < options.first_id(proc + 1); ++id)
          if (id >= options.publishers && channels.place(id - options.publishers, channel) < 2)
            with.insert(proc);
      EXPECT_EQ(channels.procs_with(channel), with.size()) << procs << " " << channel;
    }
  }
}

}  // namespace
}  // namespace spate::bench
