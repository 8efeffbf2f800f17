// What is true of a broker in a process of its own and of no other: it answers later, dies apart
// from those who ask it, and serves several of them. What every broker does is in broker_test.cc,
// and what holds wherever a process is killed in tests/sim/bus_sim.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/handlers/hub/bus_host.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class Bus : public testing::Test {
 protected:
  explicit Bus(const core::BusMemory::Sizes& sizes = {}) : host({&one, &two}, time, sizes) {}

  static ClientInfo client(std::string_view user, std::string_view id) {
    ClientInfo info;
    info.user = user;
    info.client = id;
    return info;
  }
  // What the publication came to, once it has been answered.
  std::shared_ptr<std::optional<PublishResult>> publish(std::size_t worker,
                                                        std::string_view channel,
                                                        std::string_view data, bool kept = true,
                                                        std::string_view key = {}) {
    auto result = std::make_shared<std::optional<PublishResult>>();
    PublishRequest request;
    request.channel = channel;
    request.publication.data = data;
    if (kept) request.history = {100, 60'000, 3'600'000};
    request.idempotency_key = key;
    host.broker(worker).publish(request, [result](const PublishResult& given) {
      EXPECT_FALSE(result->has_value()) << "answered twice";
      *result = given;
    });
    return result;
  }
  // The data of what is kept, or the error.
  std::shared_ptr<std::optional<std::vector<std::string>>> read(std::size_t worker,
                                                                std::string_view channel) {
    auto kept = std::make_shared<std::optional<std::vector<std::string>>>();
    HistoryRequest request;
    request.channel = channel;
    request.history = {100, 60'000, 3'600'000};
    request.limit = -1;
    host.broker(worker).history(request, [kept](const HistoryResult& result) {
      kept->emplace();
      if (result.error != BrokerError::none) (*kept)->push_back("error");
      for (const KeptPublication& each : result.publications)
        (*kept)->emplace_back(each.publication.data);
    });
    return kept;
  }
  std::vector<std::string> present(std::size_t worker, std::string_view channel) {
    std::vector<std::string> names;
    host.broker(worker).presence(channel, [&](const PresenceResult& result) {
      if (result.error != BrokerError::none) names.push_back("error");
      for (const PresenceEntry& entry : result.entries) names.emplace_back(entry.info.client);
    });
    host.settle();
    return names;
  }
  void pass_ms(std::int64_t ms) {
    for (const std::int64_t step = 500; ms > 0; ms -= step) {
      time.pass_ms(std::min(step, ms));
      for (std::size_t i = 0; i < 2; ++i) host.broker(i).tick(time.monotonic_ns);
    }
  }

  BrokerTime time;
  RecordingSink one, two;
  BusHost host;
};

TEST_F(Bus, APublicationReachesAllWorkersAndIsAnsweredLater) {
  const auto result = publish(0, "news", "a");
  EXPECT_FALSE(result->has_value());
  host.settle();
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ((*result)->position.offset, 1u);
  EXPECT_THAT(one.take(), ElementsAre("pub news 1 a"));
  EXPECT_THAT(two.take(), ElementsAre("pub news 1 a"));
}

TEST_F(Bus, WithoutAnAnswerInTimeTheOutcomeIsUnknown) {
  host.end_broker();
  const auto result = publish(0, "news", "a");
  const auto history = read(0, "news");
  pass_ms(2900);
  EXPECT_FALSE(result->has_value());
  pass_ms(200);
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ((*result)->error, BrokerError::unavailable);
  EXPECT_THAT(history->value(), ElementsAre("error"));
  // It was in the ring, and is made after all; nobody is told twice.
  host.begin_broker();
  host.settle();
  EXPECT_THAT(one.take(), ElementsAre("pub news 1 a"));
  const auto again = read(0, "news");
  host.settle();
  EXPECT_THAT(again->value(), ElementsAre("a"));
}

TEST_F(Bus, ABrokerThatIsReplacedAnswersWhatTheLastOneDid) {
  const auto first = publish(0, "news", "a");
  host.server().serve(1);  // done, and the answer has not been read
  host.restart();
  ASSERT_TRUE(first->has_value());
  EXPECT_EQ((*first)->position.offset, 1u);
  const auto kept = read(1, "news");
  host.settle();
  EXPECT_THAT(kept->value(), ElementsAre("a"));
}

TEST_F(Bus, AWorkersDeathTakesItsPresenceAndTellsWhoLeft) {
  host.broker(0).add_presence("news", client("ann", "c1"), true);
  host.broker(0).add_presence("quiet", client("ann", "c1"), false);
  host.broker(1).add_presence("news", client("bob", "c2"), true);
  host.broker(0).user_connected("ann", "c1", 1);
  host.settle();
  one.take();
  two.take();
  publish(0, "news", "last words");
  host.end_worker(0);
  host.settle();
  EXPECT_THAT(two.take(), ElementsAre("pub news 1 last words", "leave news ann/c1"));
  EXPECT_THAT(present(1, "news"), ElementsAre("c2"));
  EXPECT_THAT(present(1, "quiet"), IsEmpty());
  host.begin_worker(0);
  time.pass_ms(kGraceMs);
  host.tick();
  EXPECT_THAT(one.take(), ElementsAre("offline ann "));
}

TEST_F(Bus, WhoBeginsInASlotIsNotToldWhatItsLastProcessAsked) {
  const auto asked = publish(0, "news", "a");
  host.end_worker(0);
  host.begin_worker(0);
  host.settle();
  EXPECT_FALSE(asked->has_value());
  EXPECT_THAT(two.take(), ElementsAre("pub news 1 a"));
}

TEST_F(Bus, UntilAllHaveAnnouncedNobodyIsToldWhoIsThere) {
  std::size_t chunks = 0;
  bool blocked = true;
  host.worker(0).home.announce = [&](bool) {
    ++chunks;
    host.broker(0).add_presence("news", client("ann", "c1"), true);
    return !blocked;
  };
  host.end_worker(0);
  host.begin_worker(0);  // with that home
  host.end_broker();
  host.begin_broker();
  for (int i = 0; i < 5; ++i) {
    host.server().serve(1000);
    host.broker(0).drain(1 << 20);
    host.broker(1).drain(1 << 20);
  }
  EXPECT_TRUE(host.server().syncing());
  host.broker(1).publish_join("news", client("bob", "c2"));
  bool unavailable = false;
  host.broker(1).presence("news", [&](const PresenceResult& result) {
    unavailable = result.error == BrokerError::unavailable;
  });
  host.server().serve(1000);
  host.broker(1).drain(1 << 20);
  EXPECT_TRUE(unavailable);
  EXPECT_THAT(two.take(), IsEmpty());
  blocked = false;
  host.settle();
  EXPECT_FALSE(host.server().syncing());
  EXPECT_THAT(present(1, "news"), ElementsAre("c1"));
  EXPECT_GT(chunks, 1u);
}

TEST_F(Bus, APresenceThatFillsManyRepliesComesWhole) {
  const std::string info(500, 'i');
  for (int i = 0; i < 1000; ++i) {
    ClientInfo each = client("user", "");
    const std::string id = "client-" + std::to_string(i);
    each.client = id;
    each.conn_info = info;
    host.broker(0).add_presence("news", each, false);
    if (i % 100 == 0) host.settle();
  }
  host.settle();
  std::vector<std::string> there = present(1, "news");
  EXPECT_THAT(there, SizeIs(1000));
  std::ranges::sort(there);
  EXPECT_EQ(std::unique(there.begin(), there.end()), there.end());
}

TEST_F(Bus, WhoJoinsWithoutAPositionDoesNotSeeWhatWasPublishedBefore) {
  publish(0, "chat", "before", false);
  host.server().serve(10);  // said, and worker 1 has not read it
  EXPECT_FALSE(host.broker(1).current());
  std::vector<std::string> seen_at_join;
  host.broker(1).when_current([&] { seen_at_join = two.take(); });
  publish(0, "chat", "behind", false);
  host.settle();
  EXPECT_THAT(seen_at_join, ElementsAre("pub chat 0 before"));
  EXPECT_THAT(two.take(), ElementsAre("pub chat 0 behind"));
  bool at_once = false;
  host.broker(1).when_current([&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

TEST_F(Bus, TheSameReadingIsMadeOnce) {
  publish(0, "news", "a");
  host.settle();
  std::vector<std::shared_ptr<std::optional<std::vector<std::string>>>> readings;
  for (int i = 0; i < 50; ++i) readings.push_back(read(0, "news"));
  const auto other = read(0, "sport");
  host.settle();
  for (const auto& reading : readings) EXPECT_THAT(reading->value(), ElementsAre("a"));
  EXPECT_THAT(other->value(), IsEmpty());
  EXPECT_EQ(host.worker(0).metrics.shared_readings, 49u);
}

// --- Joins and leaves, whatever becomes of them, come to who is there.

class BusPresence : public Bus {
 protected:
  void join(std::size_t worker, const std::string& client) {
    const ClientInfo info{.user = "ann", .client = client};
    host.broker(worker).add_presence("news", info, true);
    host.broker(worker).publish_join("news", info);
    host.settle();
  }
  std::uint64_t leaves(PresenceEvent what) {
    return host.server().broker().metrics().leaves[static_cast<std::size_t>(what)];
  }
  std::uint64_t joins(PresenceEvent what) {
    return host.server().broker().metrics().joins[static_cast<std::size_t>(what)];
  }
};

TEST_F(BusPresence, AWorkersDeathIsTold) {
  join(1, "c1");
  join(1, "c2");
  host.end_worker(1);
  host.settle();
  EXPECT_EQ(joins(PresenceEvent::told), 2u);
  EXPECT_EQ(leaves(PresenceEvent::told), 2u);
  host.begin_worker(1);
  host.settle();
  EXPECT_EQ(leaves(PresenceEvent::lost), 0u);
}

TEST_F(BusPresence, LeavesThatNobodyCanTellAreCounted) {
  join(0, "c0");
  join(1, "c1");
  join(1, "c2");
  host.end_broker();
  host.end_worker(1);
  host.begin_broker();
  host.settle();
  host.begin_worker(1);
  host.settle();
  EXPECT_EQ(leaves(PresenceEvent::lost), 2u);
  EXPECT_EQ(leaves(PresenceEvent::told), 0u);
  join(1, "c3");
  EXPECT_EQ(joins(PresenceEvent::told), 1u);
  EXPECT_EQ(leaves(PresenceEvent::lost), 2u);
}

TEST_F(BusPresence, WhoLivesOnIsNotLostWithTheBroker) {
  join(0, "c0");
  join(1, "c1");
  host.restart();
  EXPECT_EQ(leaves(PresenceEvent::lost), 0u);
  host.broker(1).remove_presence("news", "c1");
  host.broker(1).publish_leave("news", {.user = "ann", .client = "c1"});
  host.settle();
  EXPECT_EQ(leaves(PresenceEvent::told), 1u);
}

// --- Asking each other.

TEST_F(Bus, AQuestionGoesToAllOrToOne) {
  for (std::size_t i = 0; i < 2; ++i)
    host.broker(i).set_on_question(Topic::connections,
                                   [i](std::string_view question, const auto& answer) {
                                     answer(std::string(question) + std::to_string(i));
                                   });
  std::vector<std::string> heard;
  const auto take = [&](const Answers& answers) {
    EXPECT_EQ(answers.error, BrokerError::none);
    heard.assign(answers.answers.begin(), answers.answers.end());
  };
  host.broker(0).ask_all(Topic::connections, "who ", take);
  host.settle();
  EXPECT_THAT(heard, UnorderedElementsAre("who 0", "who 1"));
  host.broker(0).ask(1, Topic::connections, "you ", take);
  host.settle();
  EXPECT_THAT(heard, ElementsAre("you 1"));
}

TEST_F(Bus, AnAnswerMayBeLargerThanARing) {
  const std::string large(5 << 20, 'x');
  host.broker(1).set_on_question(Topic::connections,
                                 [&](std::string_view, const auto& answer) { answer(large); });
  std::string heard;
  host.broker(0).ask(1, Topic::connections, "all",
                     [&](const Answers& answers) { heard = answers.answers[0]; });
  host.settle();
  EXPECT_EQ(heard, large);
}

TEST_F(Bus, WhoDiesWhileAskedIsNotWaitedFor) {
  host.broker(0).set_on_question(Topic::connections,
                                 [](std::string_view, const auto& answer) { answer("here"); });
  host.broker(1).set_on_question(Topic::connections, [](std::string_view, const auto&) {});
  std::optional<std::size_t> answers;
  host.broker(0).ask_all(Topic::connections, "who",
                         [&](const Answers& given) { answers = given.answers.size(); });
  host.settle();
  EXPECT_FALSE(answers.has_value());
  host.end_worker(1);
  host.settle();
  EXPECT_EQ(answers, 1u);
  host.broker(0).ask(1, Topic::connections, "you", [&](const Answers& given) {
    EXPECT_EQ(given.error, BrokerError::none);
    answers = given.answers.size();
  });
  host.settle();
  EXPECT_EQ(answers, 0u);  // nobody is there
  host.begin_worker(1);
}

TEST_F(Bus, AQuestionWithoutAnAnswerInTimeIsUnavailable) {
  host.broker(1).set_on_question(Topic::connections, [](std::string_view, const auto&) {});
  std::optional<BrokerError> error;
  host.broker(0).ask(1, Topic::connections, "you",
                     [&](const Answers& given) { error = given.error; });
  host.settle();
  pass_ms(59'000);
  EXPECT_EQ(error, std::nullopt);
  pass_ms(1100);
  EXPECT_EQ(error, BrokerError::unavailable);
  host.broker(0).ask_all(Topic::connections, std::string(200'000, 'q'),
                         [&](const Answers& given) { error = given.error; });
  EXPECT_EQ(error, BrokerError::too_large);
}

TEST_F(Bus, AnAnswerMayTakeMostOfAMinute) {
  Workers::Respond respond;
  host.broker(1).set_on_question(Topic::connections,
                                 [&](std::string_view, const auto& answer) { respond = answer; });
  std::vector<std::string> heard;
  host.broker(0).ask(1, Topic::connections, "you", [&](const Answers& answers) {
    EXPECT_EQ(answers.error, BrokerError::none);
    heard.assign(answers.answers.begin(), answers.answers.end());
  });
  host.settle();
  pass_ms(59'000);
  host.settle();  // the broker's time passes, too
  respond("late");
  host.settle();
  EXPECT_THAT(heard, ElementsAre("late"));
}

TEST_F(Bus, AQuestionThatDiedWithTheBrokerIsUnavailableSoon) {
  host.broker(1).set_on_question(Topic::connections, [](std::string_view, const auto&) {});
  std::optional<BrokerError> error;
  host.broker(0).ask(1, Topic::connections, "you",
                     [&](const Answers& given) { error = given.error; });
  host.settle();
  host.restart();
  EXPECT_EQ(error, std::nullopt);
  pass_ms(3100);
  EXPECT_EQ(error, BrokerError::unavailable);
}

// --- Rings that are full, and readers that are slow.

class SmallBus : public Bus {
 protected:
  SmallBus() : Bus({4096, 512 << 10, 4096}) {}
};

TEST_F(SmallBus, WhatFindsNoRoomWaitsInOrderAndIsAskedForNoMore) {
  host.end_broker();
  int rooms = 0;
  host.broker(0).on_room = [&] { ++rooms; };
  std::vector<std::shared_ptr<std::optional<PublishResult>>> results;
  for (int i = 0; i < 200; ++i) results.push_back(publish(0, "news", "publication"));
  EXPECT_FALSE(host.broker(0).has_room());
  EXPECT_TRUE(host.broker(1).has_room());
  EXPECT_EQ(rooms, 0);
  host.begin_broker();
  host.settle();
  EXPECT_TRUE(host.broker(0).has_room());
  EXPECT_EQ(rooms, 1);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i]->has_value()) << i;
    EXPECT_EQ((*results[i])->position.offset, i + 1);
  }
}

TEST_F(SmallBus, WhatIsLargerThanARingTakesIsRefused) {
  const auto result = publish(0, "news", std::string(3000, 'x'));
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ((*result)->error, BrokerError::too_large);
}

TEST_F(SmallBus, WhoIsLappedIsToldOnceAndCountsWhatItLost) {
  for (int i = 0; i < 100; ++i) {
    publish(0, "news", "publication");
    host.server().serve(1);
    host.broker(0).drain(1 << 20);
  }
  host.settle();
  EXPECT_EQ(host.worker(0).losses, 1u);  // its broker's start
  EXPECT_EQ(host.worker(1).losses, 2u);
  EXPECT_EQ(host.worker(1).metrics.laps, 1u);
  publish(0, "news", "after");
  host.settle();
  const std::vector<std::string> heard = two.take();
  EXPECT_EQ(heard.back(), "pub news 101 after");
  EXPECT_EQ(host.worker(1).metrics.events_lost + heard.size(), 101u);
}

// --- Who is woken.

TEST_F(Bus, OnlyThoseWhoFollowAChannelAreWokenForIt) {
  host.interested_in_all = false;
  for (std::size_t i = 0; i < 2; ++i) {
    host.end_worker(i);
    host.begin_worker(i);
  }
  host.settle();
  host.broker(1).follow("news");
  const auto woken = [&](std::uint32_t worker) {
    return core::sys::poll_readable(host.view().wake_fd(worker)) == 1;
  };
  const auto sleep = [&] {
    for (std::uint32_t i = 0; i < 2; ++i) {
      core::BusView::take_wake(host.view().wake_fd(i));
      host.broker(i).drain(1 << 20);
      EXPECT_TRUE(host.broker(i).may_sleep());
    }
  };
  sleep();
  publish(0, "other", "x", false);
  host.server().serve(10);
  EXPECT_TRUE(woken(0));  // it has an answer
  EXPECT_FALSE(woken(1));
  host.broker(1).when_current([] {});
  EXPECT_TRUE(woken(1));  // by itself
  sleep();
  publish(0, "news", "x", false);
  host.server().serve(10);
  EXPECT_TRUE(woken(1));
  sleep();
  EXPECT_THAT(two.take(), ElementsAre("pub news 0 x"));
}

TEST_F(SmallBus, WhoIsNotInterestedIsWokenBeforeItIsLapped) {
  host.interested_in_all = false;
  host.end_worker(1);
  host.begin_worker(1);
  host.settle();
  core::BusView::take_wake(host.view().wake_fd(1));
  EXPECT_TRUE(host.broker(1).may_sleep());
  for (int i = 0; i < 30 && core::sys::poll_readable(host.view().wake_fd(1)) == 0; ++i) {
    publish(0, "news", "publication", false);
    host.server().serve(1);
    host.broker(0).drain(1 << 20);
  }
  EXPECT_EQ(core::sys::poll_readable(host.view().wake_fd(1)), 1);
  host.broker(1).drain(1 << 20);
  EXPECT_EQ(host.worker(1).metrics.laps, 0u);
  EXPECT_THAT(two.take(), IsEmpty());
}

}  // namespace
}  // namespace spate::test
