// Workers and a broker on one bus, in seeded schedules: each is served when the schedule says so,
// stopped for a while, or killed after one of its stores into shared memory, as SIGKILL would. What
// must hold whatever happens:
//
//   - a publication that was acknowledged is at the position that it was acknowledged with, once;
//     one whose outcome is unknown is there at most once, and once after it was repeated with its
//     key
//   - whoever follows a channel sees every offset from where it came, once and in order, with what
//     the history has there
//   - a publication without history reaches nobody twice, and a publisher's come in order
//   - who is present, once everybody is back, is who is there
//   - every request and every question is answered once, or its worker has died
//
//   sim_bus ROUNDS [SEED]
//
// A round is one schedule: run whole, then killed once at each of some of its stores, then killed
// again and again. A failure prints the round's seed; `sim_bus 1 SEED` runs that round.
#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/log.h"
#include "handlers/hub/bus_broker.h"
#include "handlers/hub/bus_server.h"
#include "handlers/hub/hub.h"
#include "tests/core/random.h"

namespace spate::sim {
namespace {

using namespace handlers::hub;  // NOLINT: what all of this is about
using test::Random;

constexpr std::size_t kSteps = 400;
constexpr int kKillsOfARound = 40;
constexpr int kStormRuns = 10;
constexpr std::size_t kKept = 3;    // channels with history
constexpr std::size_t kPassed = 2;  // and without
const HistoryPolicy kPolicy{100'000, 3'600'000, 7'200'000};

struct Killed {};
struct Contradiction : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string kept_name(std::size_t i) {
  return "kept-" + std::to_string(i);
}
std::string passed_name(std::size_t i) {
  return "passed-" + std::to_string(i);
}

// A push is its publication's data.
class PlainEncoder final : public PushEncoder {
 public:
  bool publication(Framing, std::string& out, std::string_view, const Publication& publication,
                   Epoch) override {
    out.append(publication.data);
    return true;
  }
  void join(Framing, std::string&, std::string_view, const ClientInfo&) override {}
  void leave(Framing, std::string&, std::string_view, const ClientInfo&) override {}
};

// Somebody subscribed to one channel.
class Follower final : public Subscriber {
 public:
  Framing framing() const override { return Framing::websocket_json; }
  void deliver(Subscription* listed) override {
    for (Subscription* each = listed; each != nullptr;) {
      Subscription* const next = each->next_dirty;
      each->next_dirty = nullptr;
      take(*each);
      each = next;
    }
  }
  void lost_position(Subscription& subscription) override {
    throw Contradiction(subscription.channel->name + ": a position was lost");
  }

  std::uint64_t from = 0;  // joined behind this offset
  std::vector<std::string> seen;

 private:
  void take(Subscription& subscription) {
    const PushBatch& batch = *subscription.channel->sending;
    std::size_t at = subscription.from > batch.first
                         ? static_cast<std::size_t>(subscription.from - batch.first)
                         : 0;
    for (; at < batch.pushes.size(); ++at) {
      const Push& push = batch.pushes[at];
      if (push.kind != PushKind::publication) continue;
      if (subscription.positioned) {
        if (push.offset <= subscription.offset) continue;
        if (push.offset != subscription.offset + 1)
          throw Contradiction(subscription.channel->name + ": a hole behind " +
                              std::to_string(subscription.offset));
        subscription.offset = push.offset;
      }
      seen.emplace_back(as_text(batch.bytes_of(Framing::websocket_json, at, at + 1)));
    }
  }
};

// What somebody published, and what became of it.
struct Post {
  std::string channel;
  std::string data;
  std::string key;
  bool kept = false;
  bool asked = false;  // and not answered
  std::optional<StreamPosition> acknowledged;
};

class World {
 public:
  World(std::uint64_t seed, std::size_t workers) : random_(seed), workers_(workers) {
    SPATE_CHECK(log_.create(8 << 20, 64 << 10) == 0);
    // Small, so that rings fill, wrap and lap.
    SPATE_CHECK(memory_.create(
                    static_cast<std::uint32_t>(workers),
                    {.request_bytes = 4096, .reply_bytes = 512 << 10, .event_bytes = 4096}) == 0);
    options_.index = 0;
    options_.history = kPolicy;
    for (std::uint32_t i = 0; i < workers; ++i) begin_worker(i);
    begin_broker();
  }

  // After so many stores from now somebody is killed.
  void kill_at(std::uint64_t store) { left_ = store; }
  void kill_again(Random& random) { again_ = &random; }

  void run() {
    for (std::size_t i = 0; i < kSteps; ++i) step();
    finish();
    check();
    for (const auto& worker : workers_) laps += worker->bus_metrics.laps;
  }

  std::uint64_t stores() const { return stores_; }
  std::uint64_t kills = 0, laps = 0, followed = 0, repeated = 0;

 private:
  struct Worker {
    core::BusView view;
    core::Reactor reactor{{}};
    PlainEncoder encoder;
    std::unique_ptr<NamespaceMetrics> cells = std::make_unique<NamespaceMetrics>();
    HubMetrics metrics{{cells.get()}};
    std::unique_ptr<Hub> hub;
    std::unique_ptr<BusBroker> broker;
    BusMetrics bus_metrics;
    std::vector<std::unique_ptr<Follower>> kept_followers, passed_followers;
    std::vector<std::pair<std::string, Follower*>> following;  // by channel
    std::set<std::pair<std::string, std::string>> present;
    std::uint64_t life = 0;
    std::size_t stopped = 0;  // steps for which it is not served
    std::pair<std::string, std::string> announced;
  };

  static void on_store(void* self) { static_cast<World*>(self)->stored(); }
  void stored() {
    ++stores_;
    if (!left_ || (*left_)-- > 0) return;
    left_.reset();
    ++kills;
    throw Killed{};
  }
  // Runs a part of one process, which may be killed in it.
  template <typename Work, typename End>
  void living(Work&& work, End&& end) {
    try {
      work();
    } catch (const Killed&) {
      end();
      if (again_ != nullptr) left_ = again_->spread(10);
    }
  }

  // --- Processes.

  void begin_worker(std::uint32_t index) {
    if (workers_[index] == nullptr) workers_[index] = std::make_unique<Worker>();
    core::BusGenerations& words = memory_.generations(index);
    words.born.store(words.born.load() + 1);
    Worker& worker = *workers_[index];
    if (worker.life++ == 0) {
      SPATE_CHECK(worker.view.open(memory_, core::BusView::Role::all));
      worker.view.set_hook({on_store, this});
    }
    worker.hub =
        std::make_unique<Hub>(worker.reactor, worker.encoder, worker.metrics, Hub::Options{});
    BusBroker::Home home;
    home.on_lost = [&worker] { worker.hub->catch_up(); };
    home.announce = [this, &worker](bool begin) { return announce(worker, begin); };
    home.each_channel = [&worker](const auto& visit) {
      worker.hub->for_each_channel([&](const Channel& channel) { visit(channel.name); });
    };
    worker.broker = std::make_unique<BusBroker>(worker.view, index, log_, *worker.hub, home,
                                                &worker.bus_metrics, [this] { return now_ns_; });
    worker.hub->set_broker(*worker.broker);
    worker.broker->set_on_question(Topic::connections,
                                   [index](std::string_view question, const auto& answer) {
                                     answer(std::string(question) + std::to_string(index));
                                   });
    living([&] { worker.broker->open(); }, [&] { end_worker(index); });
  }
  void end_worker(std::uint32_t index) {
    Worker& worker = *workers_[index];
    // A killed process runs no destructors; what they would do to shared memory must not be done.
    worker.hub.reset();
    worker.broker.reset();
    worker.kept_followers.clear();
    worker.passed_followers.clear();
    worker.following.clear();
    worker.present.clear();
    worker.stopped = 0;
    core::BusGenerations& words = memory_.generations(index);
    words.ended.store(words.born.load());
    for (Post& post : posts_)
      if (post.asked && asked_by_[&post - posts_.data()] == std::pair{index, worker.life})
        post.asked = false;
  }
  void begin_broker() {
    const BrokerClock clock{[this] { return now_ns_; }, [] { return std::int64_t{1}; }};
    living(
        [&] {
          server_ = std::make_unique<BusServer>(broker_view(), log_, BusServer::Options{}, nullptr,
                                                nullptr, clock);
          server_->broker().log().set_after_store(on_store, this);
          const auto opened = server_->open();
          if (!opened.ok()) throw Contradiction(opened.error());
        },
        [&] { server_.reset(); });
  }
  core::BusView& broker_view() {
    if (!broker_view_) {
      broker_view_.emplace();
      SPATE_CHECK(broker_view_->open(memory_, core::BusView::Role::all));
      broker_view_->set_hook({on_store, this});
    }
    return *broker_view_;
  }
  // Two at a time, from behind the last that was.
  bool announce(Worker& worker, bool begin) {
    if (begin) worker.announced = {};
    for (int i = 0; i < 2; ++i) {
      const auto next = worker.present.upper_bound(worker.announced);
      if (next == worker.present.end()) return true;
      worker.announced = *next;
      worker.broker->add_presence(next->first, ClientInfo{.client = next->second}, false);
    }
    return false;
  }

  // --- Steps.

  void step() {
    const auto index = static_cast<std::uint32_t>(random_.below(workers_.size()));
    Worker& worker = *workers_[index];
    for (const auto& each : workers_)
      if (each->stopped > 0) --each->stopped;
    if (server_stopped_ > 0) --server_stopped_;
    const std::uint64_t what = random_.below(100);
    if (what < 4) {
      if (random_.chance(300))
        server_stopped_ = random_.below(40);
      else
        worker.stopped = random_.below(80);
      return;
    }
    if (what < 8) {
      now_ns_ += static_cast<std::int64_t>(random_.spread(31));
      return tick();
    }
    if (what < 45) return serve_broker(1 + random_.spread(5));
    if (worker.broker == nullptr) return begin_worker(index);
    if (worker.stopped > 0) return;
    living(
        [&] {
          if (what < 70)
            drain(worker, 1 + random_.spread(13));
          else
            act(worker, index);
        },
        [&] { end_worker(index); });
  }
  void serve_broker(std::size_t requests) {
    if (server_stopped_ > 0) return;
    if (server_ == nullptr) return begin_broker();
    living([&] { server_->serve(requests); }, [&] { server_.reset(); });
  }
  void drain(Worker& worker, std::size_t bytes) {
    worker.broker->drain(bytes);
    while (!worker.hub->idle()) worker.hub->flush();
  }
  void tick() {
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
      Worker& worker = *workers_[i];
      if (worker.broker == nullptr || worker.stopped > 0) continue;
      living(
          [&] {
            worker.broker->tick(now_ns_);
            worker.hub->tick();
          },
          [&] { end_worker(i); });
    }
    if (server_ != nullptr && server_stopped_ == 0)
      living([&] { server_->tick(now_ns_); }, [&] { server_.reset(); });
  }

  void act(Worker& worker, std::uint32_t index) {
    const std::uint64_t what = random_.below(100);
    if (what < 45) {
      const bool kept = random_.chance(700);
      Post post;
      post.kept = kept;
      post.channel = kept ? kept_name(random_.below(kKept)) : passed_name(random_.below(kPassed));
      post.data = std::to_string(posts_.size()) + ":" +
                  std::string(random_.spread(9), static_cast<char>('a' + index));
      if (kept && random_.chance(600)) post.key = "key-" + std::to_string(posts_.size());
      posts_.push_back(post);
      asked_by_.push_back({});
      return publish(worker, index, posts_.size() - 1);
    }
    if (what < 55) {
      const std::size_t at = random_.below(posts_.size() + 1);
      if (at < posts_.size()) repeat(worker, index, at);
      return;
    }
    if (what < 70) return follow(worker);
    if (what < 80) {
      const std::string channel = kept_name(random_.below(kKept));
      const std::string client = std::to_string(index) + "-" + std::to_string(random_.below(6));
      if (worker.present.insert({channel, client}).second)
        worker.broker->add_presence(channel, ClientInfo{.client = client}, false);
      return;
    }
    if (what < 86 && !worker.present.empty()) {
      const auto at = std::next(worker.present.begin(),
                                static_cast<std::ptrdiff_t>(random_.below(worker.present.size())));
      const auto [channel, client] = *at;
      worker.present.erase(at);
      return worker.broker->remove_presence(channel, client);
    }
    if (what < 92) {
      ++questions_asked_;
      worker.broker->ask_all(Topic::connections, "who?",
                             [this, slots = workers_.size()](const Answers& answers) {
                               ++questions_answered_;
                               if (answers.answers.size() > slots)
                                 throw Contradiction("more answers than workers");
                             });
      return;
    }
    worker.broker->user_connected("user", std::to_string(index),
                                  static_cast<std::uint32_t>(random_.below(3)));
  }
  void publish(Worker& worker, std::uint32_t index, std::size_t number) {
    Post& post = posts_[number];
    post.asked = true;
    asked_by_[number] = {index, worker.life};
    PublishRequest request;
    request.channel = post.channel;
    request.publication.data = post.data;
    if (post.kept) request.history = kPolicy;
    request.idempotency_key = post.key;
    worker.broker->publish(request, [this, number](const PublishResult& result) {
      Post& answered = posts_[number];
      if (!answered.asked) throw Contradiction("answered twice");
      answered.asked = false;
      if (result.error == BrokerError::none) {
        if (answered.acknowledged && *answered.acknowledged != result.position)
          throw Contradiction("acknowledged with two positions");
        answered.acknowledged = result.position;
      } else if (result.error != BrokerError::unavailable) {
        throw Contradiction("refused");
      }
    });
  }
  // As a publisher does who has a key and no answer.
  void repeat(Worker& worker, std::uint32_t index, std::size_t number) {
    if (posts_[number].key.empty() || posts_[number].asked || posts_[number].acknowledged) return;
    ++repeated;
    publish(worker, index, number);
  }
  void follow(Worker& worker) {
    if (random_.chance(300)) {
      const std::string channel = passed_name(random_.below(kPassed));
      auto& follower = worker.passed_followers.emplace_back(std::make_unique<Follower>());
      worker.hub->add(*follower, channel, options_, false, {});
      worker.following.emplace_back(channel, follower.get());
      return;
    }
    const std::string channel = kept_name(random_.below(kKept));
    HistoryRequest request;
    request.channel = channel;
    request.history = kPolicy;
    worker.broker->history(request, [this, &worker, channel](const HistoryResult& result) {
      if (result.error == BrokerError::unavailable) return;
      auto& follower = worker.kept_followers.emplace_back(std::make_unique<Follower>());
      follower->from = result.top.offset;
      worker.hub->add(*follower, channel, options_, true, result.top);
      worker.following.emplace_back(channel, follower.get());
      ++followed;
    });
  }

  // --- The end.

  // Everybody lives, all that was asked is answered, and publishers with keys repeat until they are
  // told.
  void finish() {
    again_ = nullptr;
    left_.reset();
    server_stopped_ = 0;
    for (int round = 0; round < 60; ++round) {
      if (server_ == nullptr) begin_broker();
      for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        workers_[i]->stopped = 0;
        if (workers_[i]->broker == nullptr) begin_worker(i);
      }
      settle();
      bool waits = false;
      for (std::size_t i = 0; i < posts_.size(); ++i) {
        if (posts_[i].asked) waits = true;
        if (posts_[i].key.empty() || posts_[i].acknowledged || posts_[i].asked) continue;
        publish(*workers_[0], 0, i);
        waits = true;
      }
      settle();
      if (!waits && round > 10) return;
      now_ns_ += 400'000'000;
      tick();
    }
    throw Contradiction("something is not answered, however long one waits");
  }
  void settle() {
    for (bool more = true; more;) {
      more = server_->serve(1000);
      for (const auto& worker : workers_) {
        more = worker->broker->drain(1 << 20) || more;
        while (!worker->hub->idle()) worker->hub->flush();
        more = !worker->hub->caught_up() || more;
      }
      more = !server_->may_sleep() || more;
    }
  }

  void check() {
    for (std::size_t i = 0; i < kKept; ++i) check_kept(kept_name(i));
    for (std::size_t i = 0; i < kPassed; ++i) check_passed(passed_name(i));
    check_presence();
  }
  std::vector<std::string> history_of(const std::string& channel) {
    std::vector<std::string> history;
    HistoryRequest request;
    request.channel = channel;
    request.history = kPolicy;
    request.limit = -1;
    server_->broker().history(request, [&](const HistoryResult& result) {
      for (const KeptPublication& kept : result.publications) {
        if (kept.publication.offset != history.size() + 1)
          throw Contradiction(channel + ": the history has a hole");
        history.emplace_back(kept.publication.data);
      }
    });
    return history;
  }
  void check_kept(const std::string& channel) {
    const std::vector<std::string> history = history_of(channel);
    for (const Post& post : posts_) {
      if (post.channel != channel) continue;
      const auto times = std::ranges::count(history, post.data);
      if (times > 1) throw Contradiction(channel + ": published twice: " + post.data);
      if (post.acknowledged && times != 1)
        throw Contradiction(channel + ": acknowledged and not there: " + post.data);
      if (post.acknowledged && history[post.acknowledged->offset - 1] != post.data)
        throw Contradiction(channel + ": acknowledged with another's position: " + post.data);
    }
    for (const auto& worker : workers_)
      for (const auto& [name, follower] : worker->following) {
        if (name != channel) continue;
        const auto from = history.begin() + static_cast<std::ptrdiff_t>(follower->from);
        if (follower->seen != std::vector<std::string>(from, history.end()))
          throw Contradiction(channel + ": a follower from " + std::to_string(follower->from) +
                              " has seen " + std::to_string(follower->seen.size()) + " of " +
                              std::to_string(history.size()));
      }
  }
  // Numbers of one publisher, which is to say all of a channel in the order of posts, need not be
  // those in which the broker took them; but nobody sees one twice.
  void check_passed(const std::string& channel) {
    for (const auto& worker : workers_)
      for (const auto& [name, follower] : worker->following) {
        if (name != channel) continue;
        std::map<char, std::uint64_t> last;
        std::set<std::string> seen;
        for (const std::string& data : follower->seen) {
          if (!seen.insert(data).second) throw Contradiction(channel + ": seen twice: " + data);
          const std::uint64_t number = std::strtoull(data.c_str(), nullptr, 10);
          const char publisher = data.back();  // ':' for one without a letter
          if (publisher == ':') continue;
          if (number < last[publisher]) throw Contradiction(channel + ": out of order: " + data);
          last[publisher] = number;
        }
      }
  }
  void check_presence() {
    for (std::size_t i = 0; i < kKept; ++i) {
      const std::string channel = kept_name(i);
      std::set<std::string> wanted, there;
      for (const auto& worker : workers_)
        for (const auto& [name, client] : worker->present)
          if (name == channel) wanted.insert(client);
      bool answered = false;
      workers_[0]->broker->presence(channel, [&](const PresenceResult& result) {
        answered = result.error == BrokerError::none;
        for (const PresenceEntry& entry : result.entries) there.emplace(entry.info.client);
      });
      settle();
      if (!answered) throw Contradiction(channel + ": who is there is not known");
      if (there != wanted)
        throw Contradiction(channel + ": " + std::to_string(there.size()) + " are present, " +
                            std::to_string(wanted.size()) + " are there");
    }
  }

  Random random_;
  std::vector<std::unique_ptr<Worker>> workers_;
  core::LogMemory log_;
  core::BusMemory memory_;
  std::optional<core::BusView> broker_view_;
  std::unique_ptr<BusServer> server_;
  std::size_t server_stopped_ = 0;
  ChannelOptions options_;
  std::vector<Post> posts_;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> asked_by_;  // slot and life
  std::uint64_t questions_asked_ = 0, questions_answered_ = 0;
  std::int64_t now_ns_ = 1'000'000'000'000;
  std::uint64_t stores_ = 0;
  std::optional<std::uint64_t> left_;
  Random* again_ = nullptr;
};

struct Totals {
  std::uint64_t runs = 0, kills = 0, laps = 0, followed = 0, repeated = 0;
  void add(const World& world) {
    ++runs;
    kills += world.kills;
    laps += world.laps;
    followed += world.followed;
    repeated += world.repeated;
  }
};

// One schedule in all its ways. The schedule's random numbers are the same in each; only what is
// killed differs, and what follows from that.
void run_round(std::uint64_t seed, Totals& totals) {
  const std::size_t workers = 1 + seed % 3;
  std::uint64_t stores = 0;
  {
    World world(seed, workers);
    world.run();
    stores = world.stores();
    totals.add(world);
  }
  Random kills(seed ^ 0xB05);
  for (int i = 0; i < kKillsOfARound; ++i) {
    World world(seed, workers);
    world.kill_at(kills.below(stores));
    world.run();
    totals.add(world);
  }
  for (int i = 0; i < kStormRuns; ++i) {
    World world(seed, workers);
    world.kill_at(kills.spread(10));
    world.kill_again(kills);
    world.run();
    totals.add(world);
  }
}

}  // namespace
}  // namespace spate::sim

int main(int argc, char** argv) {
  using namespace spate::sim;  // NOLINT
  const auto number = [&](int at, std::uint64_t otherwise) {
    std::uint64_t value = otherwise;
    if (at < argc)
      std::from_chars(argv[at], argv[at] + std::char_traits<char>::length(argv[at]), value);
    return value;
  };
  const std::uint64_t rounds = number(1, 0);
  const std::uint64_t first = number(2, 1);
  if (rounds == 0) {
    std::fprintf(stderr, "usage: sim_bus ROUNDS [SEED]\n");
    return 2;
  }
  spate::core::log::init(spate::core::log::Level::off, spate::core::log::Format::text);
  Totals totals;
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    try {
      run_round(seed, totals);
    } catch (const std::exception& error) {
      std::printf("not ok: seed %" PRIu64 ": %s (after %" PRIu64 " runs)\n", seed, error.what(),
                  totals.runs);
      return 1;
    }
  }
  std::printf("ok: %" PRIu64 " runs of %" PRIu64 " schedules, %" PRIu64 " kills, %" PRIu64
              " laps, %" PRIu64 " followers joined, %" PRIu64 " publications repeated\n",
              totals.runs, rounds, totals.kills, totals.laps, totals.followed, totals.repeated);
  const bool tried = totals.kills > 0 && totals.followed > 0 && totals.repeated > 0;
  if (!tried) std::printf("not ok: nothing was tried\n");
  return tried ? 0 : 1;
}
