// The hub alone: channels, batches and slices, with subscribers that write down what they get.
#include "handlers/hub/hub.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "core/sys.h"
#include "handlers/hub/log_broker.h"
#include "tests/handlers/hub/later_broker.h"

namespace spate::test {
namespace {

using namespace handlers::hub;

class PlainEncoder final : public PushEncoder {
 public:
  bool publication(Framing, std::string& out, std::string_view, const Publication& publication,
                   Epoch) override {
    out += publication.data;
    return true;
  }
  void join(Framing, std::string& out, std::string_view, const ClientInfo&) override { out += '+'; }
  void leave(Framing, std::string& out, std::string_view, const ClientInfo&) override {
    out += '-';
  }
};

struct Listener final : Subscriber {
  explicit Listener(Hub& of) : hub(of) {}

  Framing framing() const override { return Framing::websocket_json; }
  void deliver(Subscription* listed) override {
    for (; listed != nullptr; listed = std::exchange(listed->next_dirty, nullptr)) {
      const PushBatch& batch = *listed->channel->sending;
      heard += as_text(batch.bytes_of(framing(), 0, batch.pushes.size()));
    }
    if (on_deliver) on_deliver();
  }
  void lost_position(Subscription& subscription) override {
    ++lost;
    hub.remove(subscription);
    if (on_lost) on_lost();
  }

  Hub& hub;
  std::string heard;
  int lost = 0;
  std::function<void()> on_deliver;
  std::function<void()> on_lost;
};

class HubTest : public testing::Test {
 protected:
  Listener& listener() { return listeners.emplace_back(hub); }
  Subscription& add(Listener& to, std::string_view channel, StreamPosition position = {}) {
    return hub.add(to, channel, channel_options, bool{position.epoch}, position);
  }
  void publish(std::string_view channel, std::string_view data, StreamPosition position = {}) {
    Publication publication;
    publication.data = data;
    hub.on_publication(channel, publication, position, {}, {});
  }
  void flush() {
    while (!hub.idle()) hub.flush();
  }

  core::Reactor reactor{{}};
  NamespaceMetrics space;
  HubMetrics metrics{{&space}};
  PlainEncoder encoder;
  ChannelOptions channel_options;
  Hub hub{reactor, encoder, metrics, {.fanout_slice = 3}};
  std::deque<Listener> listeners;
  const Epoch first = Epoch::parse("aaaaaaaa");
  const Epoch second = Epoch::parse("bbbbbbbb");
};

TEST_F(HubTest, BetweenTwoSlicesTheLoopLooksAtItsSockets) {
  ASSERT_EQ(reactor.open(), 0);
  std::vector<Subscription*> all;
  for (int i = 0; i < 10; ++i) all.push_back(&add(listener(), "a"));
  reactor.turn(0);  // sets the clock
  publish("a", "x");
  std::vector<int> reached;
  while (!hub.idle() && reached.size() < 100) {
    reactor.turn(0);
    reached.push_back(0);
    for (const Listener& each : listeners) reached.back() += each.heard == "x" ? 1 : 0;
  }
  EXPECT_EQ(reached, (std::vector{3, 6, 9, 10}));
  for (Subscription* each : all) hub.remove(*each);
}

TEST_F(HubTest, WhoIsTakenOffAChannelDuringASliceHearsNothingOfIt) {
  Listener& one = listener();
  Listener& other = listener();
  Subscription& of_one = add(one, "a");
  Subscription* of_other = &add(other, "a");
  one.on_deliver = [&] {
    if (of_other != nullptr) hub.remove(*std::exchange(of_other, nullptr));
  };
  publish("a", "x");
  flush();
  EXPECT_EQ(one.heard, "x");
  EXPECT_EQ(other.heard, "");
  hub.remove(of_one);
  EXPECT_EQ(hub.channel_count(), 0u);
}

TEST_F(HubTest, ASubscriberWithoutPositionDoesNotMoveTheChannels) {
  Listener& positioned = listener();
  add(positioned, "a", {5, first});
  Listener& plain = listener();
  Subscription& of_plain = add(plain, "a");
  EXPECT_EQ(std::as_const(hub).find("a")->position, (StreamPosition{5, first}));
  publish("a", "y", {1, second});  // the stream began anew
  EXPECT_EQ(positioned.lost, 1);
  flush();
  EXPECT_EQ(plain.heard, "y");
  hub.remove(of_plain);
}

TEST_F(HubTest, ASubscriberOfANewIncarnationEndsTheOthersPositions) {
  Listener& old = listener();
  add(old, "a", {5, first});
  Listener& fresh = listener();
  Subscription& of_fresh = add(fresh, "a", {0, second});
  EXPECT_EQ(old.lost, 1);
  EXPECT_EQ(fresh.lost, 0);
  EXPECT_EQ(std::as_const(hub).find("a")->subscribers.size(), 1u);
  hub.remove(of_fresh);
}

TEST_F(HubTest, WhoLosesThePositionMayTakeOthersAlong) {
  std::vector<Subscription*> all;
  for (int i = 0; i < 4; ++i) all.push_back(&add(listener(), "a", {1, first}));
  // Whichever is told first: its end is the end of the one subscribed before it.
  for (std::size_t i = 1; i < 4; ++i)
    listeners[i].on_lost = [&, i] {
      if (listeners[i - 1].lost == 0) hub.remove(*all[i - 1]), listeners[i - 1].lost = 100;
    };
  publish("a", "x", {1, second});
  EXPECT_EQ(listeners[3].lost, 1);
  EXPECT_EQ(listeners[2].lost, 100);
  EXPECT_EQ(hub.channel_count(), 0u);
  flush();
}

// A broker that has been asked and has not answered, and channels whose positions it does not know.
class HubPositions : public HubTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(created, 0);
    ASSERT_TRUE(log.open().ok());
    ASSERT_EQ(reactor.open(), 0);
    later.holds = true;
    checked.set_broker(later);
    for (std::size_t i = 0; i < kChannels; ++i)
      checked.add(subscriber, "c" + std::to_string(i), channel_options, true, {1, first});
    reactor.turn(0);  // sets the clock
  }

  static constexpr std::size_t kChannels = 5 * Hub::kChecksATurn;
  Hub checked{reactor, encoder, metrics, {.position_check_ns = 1'000'000'000}};
  core::LogMemory memory;
  const int created = memory.create(16 << 20);
  LogBroker log{memory, checked, {}};
  LaterBroker later{log};
  Listener subscriber{checked};
};

TEST_F(HubPositions, ATurnComparesABoundedNumber) {
  checked.tick();
  std::vector<std::size_t> asked{later.waiting()};
  for (int turn = 0; turn < 6; ++turn) {
    reactor.turn(0);
    asked.push_back(later.waiting());
  }
  EXPECT_EQ(asked, (std::vector<std::size_t>{64, 128, 192, 256, 320, 320, 320}));
  later.answer_all();
  EXPECT_EQ(subscriber.lost, 320) << "each channel was asked about, once";
}

TEST_F(HubPositions, WhatTheBrokerHasNoRoomForIsComparedLater) {
  later.room = false;
  checked.tick();
  reactor.turn(0);
  EXPECT_EQ(later.waiting(), 0u);
  later.room = true;
  checked.tick();
  for (int turn = 0; turn < 6; ++turn) reactor.turn(0);
  EXPECT_EQ(later.waiting(), 320u) << "and no channel twice";
  later.answer_all();
  EXPECT_EQ(subscriber.lost, 320);
}

}  // namespace
}  // namespace spate::test
