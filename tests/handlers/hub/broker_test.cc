// What every broker does, whatever stands behind it. Each broker is one BrokerMaker at the end.
#include "handlers/hub/broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/handlers/hub/broker_fixture.h"
#include "tests/handlers/hub/bus_host.h"
#include "tests/handlers/hub/log_broker_host.h"

namespace spate::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct NamedBroker {
  const char* name;
  BrokerMaker make;
};

class EveryBroker : public BrokerTest, public testing::WithParamInterface<NamedBroker> {
 protected:
  EveryBroker() { start(GetParam().make); }
};

// --- Publishing and history.

TEST_P(EveryBroker, APublicationWithoutHistoryIsPassedOnAndForgotten) {
  Post post{"chat", "hello", {}};
  post.info = client("ann", "c1");
  const std::vector<Tag> tags{{"lang", "en"}};
  post.tags = tags;
  post.exclude_users = {"bob"};
  post.exclude_clients = {"c7", "c8"};
  const PublishResult result = publish(post);
  EXPECT_EQ(result.error, BrokerError::none);
  EXPECT_EQ(result.position, StreamPosition{});
  EXPECT_FALSE(result.suppressed);
  EXPECT_THAT(lines(), ElementsAre("pub chat 0 hello from=ann/c1 lang=en not=bob "
                                   "not_client=c7 not_client=c8"));
  EXPECT_THAT(kept("chat"), IsEmpty());
}

TEST_P(EveryBroker, OffsetsCountFromOneInOneEpoch) {
  const StreamPosition first = publish("news", "a").position;
  const StreamPosition second = publish("news", "b").position;
  EXPECT_EQ(first.offset, 1u);
  EXPECT_EQ(second.offset, 2u);
  EXPECT_EQ(first.epoch, second.epoch);
  EXPECT_EQ(first.epoch.text().size(), Epoch::kLetters);
  EXPECT_THAT(lines(), ElementsAre("pub news 1 a", "pub news 2 b"));
  EXPECT_EQ(sink_.positions[1], second);
  const StreamPosition other = publish("sport", "c").position;
  EXPECT_EQ(other.offset, 1u);
  EXPECT_NE(other.epoch, first.epoch);
}

TEST_P(EveryBroker, APublicationComesOutBeforeItsRequestIsAnswered) {
  PublishRequest request;
  request.channel = "news";
  request.publication.data = "x";
  request.history = {1, 1000, 1000};
  std::size_t out_before_answer = 0;
  broker().publish(request, [&](const PublishResult&) { out_before_answer = lines().size(); });
  host_->settle();
  EXPECT_EQ(out_before_answer, 1u);
}

TEST_P(EveryBroker, HistoryKeepsTheLastOnesWithAllThatTheySaid) {
  Post post;
  post.history.size = 3;
  for (const char* const data : {"a", "b", "c", "d"}) {
    post.data = data;
    publish(post);
  }
  const std::vector<Tag> tags{{"k", "v"}, {"", "w"}};
  post.data = std::string("\0raw", 4);
  post.info = ClientInfo{"ann", "c1", "{\"a\":1}", "chan"};
  post.tags = tags;
  post.exclude_users = {"bob", "eve"};
  post.exclude_clients = {"c9"};
  publish(post);
  const Kept all = read("news");
  EXPECT_EQ(all.top.offset, 5u);
  EXPECT_THAT(all.publications,
              ElementsAre("3 c", "4 d",
                          std::string("5 ") + std::string("\0raw", 4) +
                              " from=ann/c1/{\"a\":1}/chan k=v =w not=bob not=eve not_client=c9"));
  post.exclude_users = {};
  publish(post);
  EXPECT_THAT(read("news").publications.back(), testing::EndsWith("=w not_client=c9"));
}

TEST_P(EveryBroker, HistoryIsReadForwardAndBackwardFromAnyPlace) {
  for (const char* const data : {"a", "b", "c", "d", "e"}) {
    Post post{"news", data, {4, 60'000, 3'600'000}};
    publish(post);
  }
  const StreamPosition top = read("news").top;
  const auto at = [&](std::uint64_t offset) { return StreamPosition{offset, top.epoch}; };
  const auto run = [&](Range range) { return read(range).publications; };
  EXPECT_THAT(run({"news", 0}), IsEmpty());
  EXPECT_THAT(run({"news", 2}), ElementsAre("2 b", "3 c"));
  EXPECT_THAT(run({"news", 99}), ElementsAre("2 b", "3 c", "4 d", "5 e"));
  EXPECT_THAT(run({"news", 2, at(3)}), ElementsAre("4 d", "5 e"));
  EXPECT_THAT(run({"news", 1, at(3)}), ElementsAre("4 d"));
  EXPECT_THAT(run({"news", -1, at(0)}), ElementsAre("2 b", "3 c", "4 d", "5 e"));
  EXPECT_THAT(run({"news", -1, at(4)}), ElementsAre("5 e"));
  EXPECT_THAT(run({"news", -1, at(5)}), IsEmpty());
  EXPECT_THAT(run({"news", -1, at(6)}), IsEmpty());
  EXPECT_THAT(run({"news", -1, at(~std::uint64_t{0})}), IsEmpty());
  EXPECT_THAT(run({"news", -1, StreamPosition{3, {}}}), ElementsAre("4 d", "5 e"));
  EXPECT_THAT(run({"news", 2, {}, true}), ElementsAre("5 e", "4 d"));
  EXPECT_THAT(run({"news", -1, {}, true}), ElementsAre("5 e", "4 d", "3 c", "2 b"));
  EXPECT_THAT(run({"news", -1, at(4), true}), ElementsAre("3 c", "2 b"));
  EXPECT_THAT(run({"news", 1, at(4), true}), ElementsAre("3 c"));
  EXPECT_THAT(run({"news", -1, at(2), true}), IsEmpty());
  EXPECT_THAT(run({"news", -1, at(1), true}), IsEmpty());
  EXPECT_THAT(run({"news", -1, at(0), true}), IsEmpty());
  EXPECT_THAT(run({"news", -1, at(77), true}), SizeIs(4));
}

TEST_P(EveryBroker, AnotherEpochIsToldAndBringsNothing) {
  publish("news", "a");
  const Kept other = read({"news", -1, StreamPosition{0, Epoch::parse("ABCDEFGH")}});
  EXPECT_EQ(other.error, "wrong_epoch");
  EXPECT_EQ(other.top.offset, 1u);
  EXPECT_THAT(other.publications, IsEmpty());
  EXPECT_EQ(read({"news", -1, StreamPosition{0, Epoch::parse("short")}}).error, "wrong_epoch");
}

TEST_P(EveryBroker, ReadingMakesAStreamThatPublishingGoesOnWith) {
  const Kept empty = read("news");
  EXPECT_EQ(empty.top.offset, 0u);
  EXPECT_TRUE(empty.top.epoch);
  EXPECT_EQ(publish("news", "a").position, (StreamPosition{1, empty.top.epoch}));
}

TEST_P(EveryBroker, WhatIsKeptGoesAfterTheLastPublicationsTime) {
  publish("news", "a");
  pass_ms(59'000);
  publish("news", "b");
  pass_ms(59'999);
  EXPECT_THAT(kept("news"), ElementsAre("1 a", "2 b"));
  time_.pass_ms(1);  // without a tick
  const Kept gone = read("news");
  EXPECT_THAT(gone.publications, IsEmpty());
  EXPECT_EQ(gone.top.offset, 2u);
  const StreamPosition next = publish("news", "c").position;
  EXPECT_EQ(next, (StreamPosition{3, gone.top.epoch}));
  EXPECT_THAT(kept("news"), ElementsAre("3 c"));
}

TEST_P(EveryBroker, APublicationBringsThePolicyItIsKeptBy) {
  publish({"news", "a", {10, 60'000, 3'600'000}});
  publish({"news", "b", {10, 1'000, 3'600'000}});
  pass_ms(1'000);
  EXPECT_THAT(kept("news"), IsEmpty());
  for (const char* const data : {"c", "d", "e"}) publish({"news", data, {10, 60'000, 3'600'000}});
  publish({"news", "f", {2, 60'000, 3'600'000}});
  EXPECT_THAT(kept("news"), ElementsAre("5 e", "6 f"));
}

TEST_P(EveryBroker, AStreamThatNobodyUsedComesBackInANewEpoch) {
  const StreamPosition first = publish("news", "a").position;
  pass_ms(3'599'999);
  EXPECT_EQ(read("news").top, first);  // which is a use
  time_.pass_ms(3'599'999);
  EXPECT_EQ(read("news").top, first);
  time_.pass_ms(3'600'000);
  const StreamPosition next = publish("news", "b").position;
  EXPECT_EQ(next.offset, 1u);
  EXPECT_NE(next.epoch, first.epoch);
  EXPECT_THAT(kept("news"), ElementsAre("1 b"));
}

TEST_P(EveryBroker, RemovingHistoryKeepsThePosition) {
  publish("news", "a");
  const StreamPosition top = publish("news", "b").position;
  remove_history("news");
  EXPECT_EQ(read("news").top, top);
  EXPECT_THAT(kept("news"), IsEmpty());
  EXPECT_EQ(publish("news", "c").position, (StreamPosition{3, top.epoch}));
  EXPECT_THAT(kept("news"), ElementsAre("3 c"));
  remove_history("unheard of");
}

TEST_P(EveryBroker, ARangeMayBeReadWhileOneIsRead) {
  publish("news", "a");
  publish("sport", "b");
  HistoryRequest request;
  request.channel = "news";
  request.history = {10, 60'000, 3'600'000};
  request.limit = -1;
  std::vector<std::string> seen;
  broker().history(request, [&](const HistoryResult& outer) {
    HistoryRequest inner = request;
    inner.channel = "sport";
    broker().history(inner, [&](const HistoryResult& result) {
      for (const auto& each : result.publications) seen.emplace_back(each.publication.data);
    });
    for (const auto& each : outer.publications) seen.emplace_back(each.publication.data);
  });
  host_->settle();
  EXPECT_THAT(seen, testing::UnorderedElementsAre("a", "b"));
}

// --- Idempotency and versions.

Post keyed(std::string data, std::string key) {
  Post post;
  post.data = std::move(data);
  post.key = std::move(key);
  return post;
}

TEST_P(EveryBroker, ARepeatOfAKeyGetsTheFirstAnswerAndPublishesNothing) {
  const PublishResult first = publish(keyed("a", "k1"));
  publish(keyed("b", "k2"));
  heard();
  const PublishResult repeat = publish(keyed("other", "k1"));
  EXPECT_TRUE(repeat.suppressed);
  EXPECT_EQ(repeat.position, first.position);
  EXPECT_THAT(lines(), IsEmpty());
  EXPECT_THAT(kept("news"), ElementsAre("1 a", "2 b"));
}

TEST_P(EveryBroker, AKeyIsOfItsChannel) {
  publish(keyed("a", "k"));
  Post other = keyed("a", "k");
  other.channel = "sport";
  EXPECT_FALSE(publish(other).suppressed);
  // "new" + "sk" is not "news" + "k".
  Post shifted = keyed("a", "sk");
  shifted.channel = "new";
  EXPECT_FALSE(publish(shifted).suppressed);
}

TEST_P(EveryBroker, AKeyIsKnownForFiveMinutesHoweverManyFollow) {
  Post post = keyed("a", "k");
  post.history.size = 1;
  const StreamPosition first = publish(post).position;
  for (int i = 0; i < 20; ++i) {
    post.key = "k" + std::to_string(i);
    publish(post);
  }
  pass_ms(299'999);
  post.key = "k";
  EXPECT_EQ(publish(post).position, first);
  time_.pass_ms(1);
  const PublishResult again = publish(post);
  EXPECT_FALSE(again.suppressed);
  EXPECT_EQ(again.position.offset, 22u);
  EXPECT_TRUE(publish(post).suppressed);
}

TEST_P(EveryBroker, AKeyWorksWithoutHistory) {
  Post post = keyed("a", "k");
  post.history = {};
  EXPECT_FALSE(publish(post).suppressed);
  const PublishResult repeat = publish(post);
  EXPECT_TRUE(repeat.suppressed);
  EXPECT_EQ(repeat.position, StreamPosition{});
  EXPECT_THAT(lines(), ElementsAre("pub news 0 a"));
}

Post versioned(std::string data, std::uint64_t version, std::string epoch = "") {
  Post post;
  post.data = std::move(data);
  post.version = version;
  post.version_epoch = std::move(epoch);
  return post;
}

TEST_P(EveryBroker, AnOldVersionIsDroppedSilently) {
  publish(versioned("a", 5));
  EXPECT_TRUE(publish(versioned("b", 5)).suppressed);
  const PublishResult old = publish(versioned("c", 4));
  EXPECT_TRUE(old.suppressed);
  EXPECT_EQ(old.error, BrokerError::none);
  EXPECT_EQ(old.position, read("news").top);
  EXPECT_FALSE(publish(versioned("d", 6)).suppressed);
  publish("news", "e");  // without a version: says nothing about it
  EXPECT_TRUE(publish(versioned("f", 6)).suppressed);
  EXPECT_THAT(kept("news"), ElementsAre("1 a", "2 d", "3 e"));
}

TEST_P(EveryBroker, VersionsAreComparedWithinTheirEpoch) {
  publish(versioned("a", 5, "one"));
  EXPECT_TRUE(publish(versioned("b", 4, "one")).suppressed);
  EXPECT_TRUE(publish(versioned("b", 4)).suppressed);  // within any
  EXPECT_FALSE(publish(versioned("c", 1, "two")).suppressed);
  EXPECT_FALSE(publish(versioned("d", 2, "one")).suppressed);  // the last seen was of "two"
}

TEST_P(EveryBroker, AKeyAnswersForADroppedVersionToo) {
  publish(versioned("a", 5));
  Post old = versioned("b", 4);
  old.key = "k";
  const PublishResult first = publish(old);
  EXPECT_TRUE(first.suppressed);
  publish(versioned("c", 6));
  EXPECT_EQ(publish(old).position, first.position);
}

// --- Another broker in its place.

TEST_P(EveryBroker, ARestartForgetsNothingOfTheStreams) {
  Post post;
  post.history.size = 3;
  for (const char* const data : {"a", "b", "c", "d"}) {
    post.data = data;
    post.key = data;
    publish(post);
  }
  const Kept before = read("news");
  const Kept empty = read("empty");
  publish(versioned("v", 7, "one"));
  remove_history("news");
  publish("news", "w");
  if (!host_->restart()) GTEST_SKIP();
  EXPECT_EQ(read("empty").top, empty.top);
  const Kept after = read("news");
  EXPECT_EQ(after.top, (StreamPosition{6, before.top.epoch}));
  EXPECT_THAT(after.publications, ElementsAre("6 w"));
  EXPECT_TRUE(publish(versioned("x", 7, "one")).suppressed);
  post.key = "a";  // its publication has long left the history
  EXPECT_EQ(publish(post).position, (StreamPosition{1, before.top.epoch}));
  EXPECT_EQ(publish("news", "y").position.offset, 7u);
}

TEST_P(EveryBroker, TimeGoesOnThroughARestart) {
  publish(keyed("a", "k"));
  pass_ms(30'000);
  if (!host_->restart()) GTEST_SKIP();
  EXPECT_THAT(kept("news"), ElementsAre("1 a"));
  pass_ms(30'000);
  EXPECT_THAT(kept("news"), IsEmpty());
  EXPECT_TRUE(publish(keyed("a", "k")).suppressed);
  pass_ms(240'000);
  EXPECT_TRUE(host_->restart());
  EXPECT_FALSE(publish(keyed("b", "k")).suppressed);
}

TEST_P(EveryBroker, ARestartKnowsNobodysPresence) {
  add_presence("news", client("ann", "c1"));
  if (!host_->restart()) GTEST_SKIP();
  EXPECT_THAT(present("news"), IsEmpty());
}

TEST_P(EveryBroker, WhoWasOnlineBeforeARestartIsGoneOnlyAfterTheGraceTime) {
  const std::int64_t came = time_.wall_ms;
  user_connected("ann", "c1");
  user_connected("bob", "c2");
  user_connected("cy", "c3");
  user_gone("cy", "c3");
  pass_ms(kGraceMs);
  heard();
  connections_.clear();
  if (!host_->restart()) GTEST_SKIP();
  EXPECT_TRUE(status("ann").online);
  EXPECT_EQ(status("ann").connections, 0u);
  EXPECT_EQ(status("ann").since_ms, came);
  EXPECT_FALSE(status("cy").online);
  user_connected("ann", "c4");  // back in time: nobody hears of it
  pass_ms(kGraceMs);
  EXPECT_THAT(heard(), ElementsAre("offline bob "));
  EXPECT_TRUE(host_->restart());
  EXPECT_TRUE(status("ann").online);
  EXPECT_FALSE(status("bob").online);
}

// --- Presence, joins and leaves, users.

TEST_P(EveryBroker, PresenceCountsClientsAndUsers) {
  add_presence("news", client("ann", "c1"));
  add_presence("news", client("ann", "c2"));
  add_presence("news", client("", "c3"));
  add_presence("news", client("", "c4"));
  add_presence("sport", client("bob", "c5"));
  EXPECT_THAT(present("news"), ElementsAre("/c3", "/c4", "ann/c1", "ann/c2"));
  EXPECT_EQ(stats("news").clients, 4u);
  EXPECT_EQ(stats("news").users, 2u);
  broker().remove_presence("news", "c1");
  EXPECT_EQ(stats("news").users, 2u);
  broker().remove_presence("news", "c2");
  broker().remove_presence("news", "c2");
  broker().remove_presence("news", "unheard of");
  EXPECT_EQ(stats("news").clients, 2u);
  EXPECT_EQ(stats("news").users, 1u);
  broker().remove_presence("news", "c3");
  broker().remove_presence("news", "c4");
  EXPECT_EQ(stats("news").clients, 0u);
  EXPECT_EQ(stats("news").users, 0u);
  EXPECT_THAT(present("news"), IsEmpty());
}

TEST_P(EveryBroker, AddingAClientAgainReplacesItsInfo) {
  add_presence("news", client("ann", "c1"));
  add_presence("news", ClientInfo{"bob", "c1", "conn", "chan"});
  EXPECT_THAT(present("news"), ElementsAre("bob/c1/conn/chan"));
  EXPECT_EQ(stats("news").clients, 1u);
  EXPECT_EQ(stats("news").users, 1u);
}

TEST_P(EveryBroker, AListStaysWhileThoseOnItLeave) {
  add_presence("news", client("ann", "client-1"));
  add_presence("news", client("bob", "client-2"));
  std::vector<std::string> names;
  broker().presence("news", [&](const PresenceResult& result) {
    for (const PresenceEntry& entry : result.entries) {
      broker().remove_presence("news", std::string(entry.info.client));
      names.push_back(RecordingSink::name(entry.info));
    }
  });
  host_->settle();
  EXPECT_THAT(names, testing::UnorderedElementsAre("ann/client-1", "bob/client-2"));
  EXPECT_THAT(present("news"), IsEmpty());
}

TEST_P(EveryBroker, JoinsAndLeavesComeOutInOrderUpToARate) {
  broker().publish_join("news", client("ann", "c1"));
  broker().publish_leave("news", client("ann", "c1"));
  host_->settle();
  EXPECT_THAT(heard(), ElementsAre("join news ann/c1", "leave news ann/c1"));
  for (int i = 0; i < 20'000; ++i) broker().publish_leave("news", client("ann", "c1"));
  broker().publish_leave("sport", client("ann", "c1"));  // its own rate
  host_->settle();
  const std::size_t burst = heard().size();
  EXPECT_GE(burst, 50u);
  EXPECT_LE(burst, 500u);
  time_.pass_ms(500);
  for (int i = 0; i < 20'000; ++i) broker().publish_join("news", client("ann", "c1"));
  host_->settle();
  EXPECT_GE(lines().size(), 10u);
  EXPECT_LT(heard().size(), burst);
  pass_ms(60'000);
  for (int i = 0; i < 20'000; ++i) broker().publish_join("news", client("ann", "c1"));
  broker().publish_join("sport", client("ann", "c1"));
  host_->settle();
  EXPECT_GE(heard().size(), burst);
}

TEST_P(EveryBroker, AUserIsOnlineFromTheFirstConnectionToTheLastAndItsGrace) {
  EXPECT_EQ(status("ann").since_ms, 0);
  const std::int64_t came = time_.wall_ms;
  user_connected("ann", "c1");
  time_.pass_ms(100);
  user_connected("ann", "c2");
  user_gone("ann", "c1");
  user_gone("ann", "c2");
  EXPECT_TRUE(status("ann").online);
  EXPECT_EQ(status("ann").connections, 0u);
  pass_ms(kGraceMs - 1);
  EXPECT_THAT(heard(), ElementsAre("online ann c1"));
  EXPECT_EQ(status("ann").since_ms, came);
  pass_ms(1);
  EXPECT_THAT(heard(), ElementsAre("offline ann c2"));
  EXPECT_FALSE(status("ann").online);
  EXPECT_EQ(status("ann").since_ms, time_.wall_ms);
  user_connected("ann", "c3");
  EXPECT_THAT(heard(), ElementsAre("online ann c3"));
  EXPECT_EQ(status("ann").connections, 1u);
}

TEST_P(EveryBroker, AReconnectIsNotHeardOf) {
  user_connected("ann", "c1");
  for (int i = 0; i < 5; ++i) {
    user_gone("ann", "c1");
    pass_ms(kGraceMs - 1);
    user_connected("ann", "c1");
    pass_ms(kGraceMs + 1);
  }
  EXPECT_THAT(heard(), ElementsAre("online ann c1"));
}

TEST_P(EveryBroker, TheAnonymousAreNotFollowed) {
  user_connected("", "c1");
  user_gone("", "c1");
  user_gone("unheard of", "c1");
  pass_ms(2 * kGraceMs);
  EXPECT_THAT(lines(), IsEmpty());
  EXPECT_FALSE(status("").online);
}

INSTANTIATE_TEST_SUITE_P(Brokers, EveryBroker,
                         testing::Values(NamedBroker{"Log",
                                                     [](BrokerSink& sink, BrokerTime& time) {
                                                       return std::make_unique<LogBrokerHost>(sink,
                                                                                              time);
                                                     }},
                                         NamedBroker{"Bus",
                                                     [](BrokerSink& sink, BrokerTime& time) {
                                                       return std::make_unique<BusHost>(
                                                           std::vector<BrokerSink*>{&sink}, time);
                                                     }}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace spate::test
