// Verbs for tests of a Broker, whichever it is: a BrokerMaker makes it over a time that the test
// moves, and kills it and starts another when the broker's process could.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handlers/hub/broker.h"
#include "tests/handlers/hub/recording_sink.h"

namespace spate::test {

using namespace handlers::hub;  // NOLINT: what all of these tests are about

// The time that a broker under test lives in.
struct BrokerTime {
  std::int64_t monotonic_ns = 5'000'000'000'000;
  std::int64_t wall_ms = 1'700'000'000'000;

  void pass_ms(std::int64_t ms) {
    monotonic_ns += ms * 1'000'000;
    wall_ms += ms;
  }
};

// One broker and what it stands on.
class BrokerHost {
 public:
  virtual ~BrokerHost() = default;
  virtual Broker& broker() = 0;
  // The broker is gone without a word, and another one takes its place. False: cannot be.
  virtual bool restart() = 0;
  // Until what was asked has been answered; nothing for a broker that answers at once.
  virtual void settle() {}
};

inline constexpr std::int64_t kGraceMs = 5000;  // of the hosts under test

using BrokerMaker = std::function<std::unique_ptr<BrokerHost>(BrokerSink& sink, BrokerTime& time)>;

// A publication to make. Defaults: a channel of the last ten, for a minute, known for an hour.
struct Post {
  std::string channel = "news";
  std::string data = "x";
  HistoryPolicy history{10, 60'000, 3'600'000};
  std::string key{};
  std::uint64_t version = 0;
  std::string version_epoch{};
  std::optional<ClientInfo> info{};
  std::vector<Tag> tags{};
  std::vector<std::string_view> exclude_users{};
  std::vector<std::string_view> exclude_clients{};
};

struct Kept {
  std::string error;  // "no_room", "wrong_epoch" or empty
  StreamPosition top;
  std::vector<std::string> publications;
};

class BrokerTest : public testing::Test {
 protected:
  void start(const BrokerMaker& make) { host_ = make(sink_, time_); }
  Broker& broker() { return host_->broker(); }

  PublishResult publish(const Post& post) {
    PublishRequest request;
    request.channel = post.channel;
    request.publication.data = post.data;
    request.publication.info = post.info;
    request.publication.tags = post.tags;
    request.history = post.history;
    request.idempotency_key = post.key;
    request.version = post.version;
    request.version_epoch = post.version_epoch;
    request.exclude_users = post.exclude_users;
    request.exclude_clients = post.exclude_clients;
    std::optional<PublishResult> result;
    broker().publish(request, [&](const PublishResult& given) {
      EXPECT_FALSE(result.has_value()) << "answered twice";
      result = given;
    });
    host_->settle();
    EXPECT_TRUE(result.has_value()) << "not answered";
    return result.value_or(PublishResult{});
  }
  PublishResult publish(std::string channel, std::string data) {
    Post post;
    post.channel = std::move(channel);
    post.data = std::move(data);
    return publish(post);
  }

  struct Range {
    std::string channel = "news";
    std::int64_t limit = -1;
    std::optional<StreamPosition> since{};
    bool reverse = false;
    HistoryPolicy history{10, 60'000, 3'600'000};
  };
  Kept read(const Range& range) {
    HistoryRequest request;
    request.channel = range.channel;
    request.history = range.history;
    request.limit = range.limit;
    request.since = range.since;
    request.reverse = range.reverse;
    Kept kept;
    bool answered = false;
    broker().history(request, [&](const HistoryResult& result) {
      answered = true;
      if (result.error == BrokerError::no_room) kept.error = "no_room";
      if (result.wrong_epoch) kept.error = "wrong_epoch";
      kept.top = result.top;
      for (const KeptPublication& each : result.publications)
        kept.publications.push_back(RecordingSink::describe(each));
    });
    host_->settle();
    EXPECT_TRUE(answered);
    return kept;
  }
  Kept read(std::string channel) {
    Range range;
    range.channel = std::move(channel);
    return read(range);
  }
  std::vector<std::string> kept(std::string channel) {
    return read(std::move(channel)).publications;
  }

  void remove_history(std::string_view channel) {
    bool answered = false;
    broker().remove_history(channel, [&](BrokerError error) {
      answered = true;
      EXPECT_EQ(error, BrokerError::none);
    });
    host_->settle();
    EXPECT_TRUE(answered);
  }

  static ClientInfo client(std::string_view user, std::string_view id) {
    ClientInfo info;
    info.user = user;
    info.client = id;
    return info;
  }
  std::vector<std::string> present(std::string_view channel) {
    std::vector<std::string> names;
    broker().presence(channel, [&](const PresenceResult& result) {
      EXPECT_EQ(result.error, BrokerError::none);
      for (const PresenceEntry& entry : result.entries)
        names.push_back(RecordingSink::name(entry.info));
    });
    host_->settle();
    std::sort(names.begin(), names.end());
    return names;
  }
  PresenceStats stats(std::string_view channel) {
    PresenceStats stats;
    broker().presence_stats(channel, [&](const PresenceStats& given) { stats = given; });
    host_->settle();
    return stats;
  }
  UserStatus status(std::string_view user) {
    UserStatus status;
    broker().user_status(user, [&](const UserStatus& given) { status = given; });
    host_->settle();
    return status;
  }
  void add_presence(std::string_view channel, const ClientInfo& info) {
    broker().add_presence(channel, info, false);
    host_->settle();
  }
  // A worker knows how many connections of a user it has.
  void user_connected(std::string_view user, std::string_view client) {
    broker().user_connected(user, client, ++connections_[std::string(user)]);
    host_->settle();
  }
  void user_gone(std::string_view user, std::string_view client) {
    std::uint32_t& count = connections_[std::string(user)];
    if (count > 0) --count;
    broker().user_gone(user, client, count);
    host_->settle();
  }
  void tick() {
    broker().tick(time_.monotonic_ns);
    host_->settle();
  }
  // What came out so far.
  const std::vector<std::string>& lines() {
    host_->settle();
    return sink_.lines;
  }
  std::vector<std::string> heard() {
    host_->settle();
    return sink_.take();
  }
  // In steps, as a loop ticks.
  void pass_ms(std::int64_t ms) {
    for (const std::int64_t step = 1000; ms > 0; ms -= step) {
      time_.pass_ms(std::min(step, ms));
      tick();
    }
  }

  std::map<std::string, std::uint32_t> connections_;
  BrokerTime time_;
  RecordingSink sink_;
  std::unique_ptr<BrokerHost> host_;
};

}  // namespace spate::test
