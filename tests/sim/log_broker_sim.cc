// Kills a LogBroker after each of its stores into shared memory, as SIGKILL would, makes another
// one over what is left, and compares what that one tells with a model.
//
//   sim_log_broker ROUNDS [SEED]
//
// A round is a random schedule of requests and of time that passes. It runs once whole, then once
// for each of its stores, killed there; then a few times killed again and again, also while a new
// broker reads the log. Every second round's log is too small for what is published.
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "core/log.h"
#include "handlers/hub/log_broker.h"
#include "tests/core/random.h"
#include "tests/sim/broker_model.h"

namespace spate::sim {
namespace {

using test::Random;

constexpr std::size_t kChannels = 5;
constexpr std::size_t kSteps = 60;
constexpr int kStormRuns = 20;
constexpr std::size_t kSegmentBytes = 4096;
constexpr HistoryPolicy kPolicy{6, 20'000, 60'000};

struct Killed {};

struct Step {
  enum class Kind { publish, result_only, read, remove, come, go, pass } kind = Kind::publish;
  std::size_t channel = 0;
  std::string data;
  std::string key;
  std::uint64_t version = 0;
  std::int64_t pass_ms = 0;
};

std::vector<Step> make_schedule(Random& random, bool evicts) {
  std::vector<Step> steps(kSteps);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& step = steps[i];
    step.channel = random.below(kChannels);
    step.data = std::to_string(i) + ":" +
                std::string(evicts ? random.below(1500) : random.spread(8),
                            static_cast<char>('a' + i % 26));
    if (random.chance(500)) step.key = "k" + std::to_string(random.below(12));
    if (random.chance(200)) step.version = random.between(1, 20);
    const std::uint64_t kind = random.below(100);
    if (kind < 55) {
      step.kind = Step::Kind::publish;
    } else if (kind < 60) {
      step.kind = Step::Kind::result_only;
      step.key = "r" + std::to_string(random.below(4));
    } else if (kind < 72) {
      step.kind = Step::Kind::read;
    } else if (kind < 78) {
      step.kind = Step::Kind::remove;
    } else if (kind < 84) {
      step.kind = kind < 81 ? Step::Kind::come : Step::Kind::go;
    } else {
      step.kind = Step::Kind::pass;
      step.pass_ms =
          static_cast<std::int64_t>(random.chance(50) ? random.below(400'000) : random.spread(14));
    }
  }
  return steps;
}

// What others have been told of users, the last word of each.
class TellingSink final : public BrokerSink {
 public:
  void on_publication(std::string_view, const Publication&, StreamPosition,
                      std::span<const std::string_view>,
                      std::span<const std::string_view>) override {}
  void on_join(std::string_view, const ClientInfo&) override {}
  void on_leave(std::string_view, const ClientInfo&) override {}
  void on_user_status(std::string_view user, std::string_view, bool online) override {
    told[std::string(user)] = online;
  }

  std::map<std::string, bool> told;
};

// One run of a schedule: the shared memory, the brokers that come and go over it, and the model.
class Run {
 public:
  Run(const std::vector<Step>& steps, bool evicts)
      : steps_(steps), evicts_(evicts), model_(kPolicy, kChannels, evicts) {
    SPATE_CHECK(memory_.create((evicts ? 4 : 24) * kSegmentBytes, kSegmentBytes) == 0);
    start();
  }

  // Killed after the store of that number from now; `again` draws the distance to the next one.
  void kill_at(std::uint64_t store) { left_ = store; }
  void kill_again(Random& random) { again_ = &random; }

  void run() {
    arm(true);
    for (const Step& step : steps_) {
      try {
        perform(step);
      } catch (const Killed&) {
        ++kills_;
        resurrect();
        resolve(step);
        check();
        if (again_ != nullptr) left_ = again_->spread(7);
        arm(true);
      }
    }
    arm(false);
    check();
  }

  std::uint64_t stores() const { return stores_; }
  std::uint64_t kills() const { return kills_; }
  const BrokerMetrics& metrics() const { return metrics_; }

 private:
  static void after_store(void* self) { static_cast<Run*>(self)->stored(); }
  void stored() {
    if (!armed_) return;
    ++stores_;
    if (left_ && (*left_)-- == 0) {
      left_.reset();
      armed_ = false;
      throw Killed{};
    }
  }
  void arm(bool on) { armed_ = on; }

  void start() {
    const BrokerClock clock{[this] { return now_ms_ * 1'000'000; }, [] { return std::int64_t{1}; }};
    broker_ = std::make_unique<LogBroker>(memory_, sink_, LogBrokerOptions{}, &metrics_, clock);
    broker_->log().set_after_store(after_store, this);
    const auto opened = broker_->open();
    if (!opened.ok()) throw Contradiction(opened.error());
  }
  // The new broker may be killed while it puts things in order.
  void resurrect() {
    broker_.reset();
    connections_.clear();  // the worker was the same process
    model_.restarted();
    if (again_ != nullptr && again_->chance(500)) {
      left_ = again_->spread(5);
      arm(true);
      try {
        start();
      } catch (const Killed&) {
        ++kills_;
      }
      arm(false);
      left_.reset();
      broker_.reset();
    }
    start();
  }

  static std::string user_name(std::size_t number) { return "user-" + std::to_string(number); }
  static std::string name(std::size_t channel) { return "channel-" + std::to_string(channel); }

  PublishResult ask(const Step& step) {
    PublishRequest request;
    const std::string channel = name(step.channel);
    request.channel = channel;
    request.publication.data = step.data;
    if (step.kind == Step::Kind::publish) request.history = kPolicy;
    request.idempotency_key = step.key;
    request.version = step.version;
    std::optional<PublishResult> result;
    broker_->publish(request, [&](const PublishResult& given) { result = given; });
    if (!result) throw Contradiction("no answer");
    return *result;
  }
  Observed look(std::size_t channel) {
    Observed seen;
    const std::string channel_name = name(channel);
    HistoryRequest request;
    request.channel = channel_name;
    request.history = kPolicy;
    request.limit = -1;
    broker_->history(request, [&](const HistoryResult& result) {
      if (result.error != BrokerError::none) throw Contradiction("no room to read");
      seen.top = result.top;
      for (const KeptPublication& each : result.publications)
        seen.kept.emplace_back(each.publication.offset, each.publication.data);
    });
    return seen;
  }
  // Reading is a use of the stream, for the model as for the broker. Not to be killed.
  void observe(std::size_t channel) {
    const bool armed = std::exchange(armed_, false);
    const std::uint64_t evicted = metrics_.evictions[1];
    const Observed seen = look(channel);
    if (metrics_.evictions[1] != evicted) model_.streams_were_evicted();
    model_.observe(channel, seen, now_ms_);
    armed_ = armed;
  }

  void perform(const Step& step) {
    switch (step.kind) {
      case Step::Kind::publish:
      case Step::Kind::result_only:
        observe(step.channel);
        return accept(step, ask(step));
      case Step::Kind::read: {
        const Observed seen = look(step.channel);
        note_evictions();
        return model_.observe(step.channel, seen, now_ms_);
      }
      case Step::Kind::remove:
        broker_->remove_history(name(step.channel), [](BrokerError) {});
        note_evictions();
        return model_.removed(step.channel);
      case Step::Kind::come: {
        const std::string user = user_name(step.channel);
        const std::uint32_t count = ++connections_[user];
        return broker_->user_connected(user, "c", count);
      }
      case Step::Kind::go: {
        const std::string user = user_name(step.channel);
        std::uint32_t& count = connections_[user];
        if (count == 0) return;
        return broker_->user_gone(user, "c", --count);
      }
      case Step::Kind::pass:
        now_ms_ += step.pass_ms;
        return broker_->tick(now_ms_ * 1'000'000);
    }
  }
  void note_evictions() {
    if (metrics_.evictions[1] > 0) model_.streams_were_evicted();
  }

  // An answer, against what the model expects.
  void accept(const Step& step, const PublishResult& result) {
    note_evictions();
    if (result.error == BrokerError::no_room) {
      if (!evicts_) throw Contradiction("no room in a log that is large enough");
      return;
    }
    if (!step.key.empty()) {
      const std::string key = full_key(step);
      if (const StreamPosition* const earlier = model_.result(key, now_ms_)) {
        if (!result.suppressed || result.position != *earlier)
          throw Contradiction("a repeat of a key got another answer");
        return;
      }
      model_.keep_result(key, result.position, now_ms_);
    }
    if (step.kind == Step::Kind::result_only) {
      if (result.suppressed) throw Contradiction("a new key was taken for a repeat");
      return;
    }
    const bool outdated = model_.outdated(step.channel, step.version);
    if (result.suppressed && !outdated)
      throw Contradiction("a publication was suppressed without a cause");
    if (!result.suppressed && outdated && !evicts_)
      throw Contradiction("an old version was published");
    if (!result.suppressed)
      model_.published(step.channel, step.data, step.version, result.position, now_ms_);
  }
  static std::string full_key(const Step& step) { return name(step.channel) + "/" + step.key; }

  // The step that was killed has happened or not, but not half; a client that asks again with the
  // same key gets the answer to either.
  void resolve(const Step& step) {
    note_evictions();
    if (step.kind == Step::Kind::come || step.kind == Step::Kind::go) return;
    const Observed seen = step.kind == Step::Kind::pass ? Observed{} : look(step.channel);
    note_evictions();
    const ChannelModel& channel = model_.channel(step.channel);
    const bool same = channel.exists && channel.position.epoch == seen.top.epoch;
    const bool happened = step.kind == Step::Kind::publish &&
                          seen.top.offset == (same ? channel.position.offset : 0) + 1;
    if (happened) model_.published(step.channel, step.data, step.version, seen.top, now_ms_);
    if (step.kind == Step::Kind::remove && seen.kept.empty() && !channel.kept.empty())
      model_.removed(step.channel);
    if (step.kind != Step::Kind::pass) model_.observe(step.channel, seen, now_ms_);
    if (happened && !step.key.empty()) {
      model_.keep_result(full_key(step), seen.top, now_ms_);
      accept(step, ask(step));
    } else if (step.kind == Step::Kind::result_only) {
      // Whether it was kept shows in the answer alone.
      const PublishResult again = ask(step);
      if (again.error == BrokerError::none) model_.keep_result(full_key(step), {}, now_ms_);
    } else if (step.kind == Step::Kind::publish && !step.key.empty()) {
      resolve_unseen(step);
    }
  }
  // Published before under this key, or an old version, or not at all.
  void resolve_unseen(const Step& step) {
    const PublishResult again = ask(step);
    const bool repeat = model_.result(full_key(step), now_ms_) != nullptr;
    if (!repeat && again.error == BrokerError::none && again.suppressed &&
        again.position != model_.channel(step.channel).position)
      throw Contradiction("a request that left no trace was taken for a repeat");
    accept(step, again);
  }

  // Whoever is here is online, and others know; whoever is offline, others do not take for online.
  // Only a log without room for it may forget that somebody came.
  void check_users() {
    for (std::size_t i = 0; i < kChannels; ++i) {
      const std::string user = user_name(i);
      UserStatus status;
      broker_->user_status(user, [&](const UserStatus& given) { status = given; });
      const auto told = sink_.told.find(user);
      const bool told_online = told != sink_.told.end() && told->second;
      if (connections_[user] > 0 && (!status.online || !told_online))
        throw Contradiction(user + " is here, and nobody knows");
      if (!status.online && told_online && !evicts_)
        throw Contradiction(user + " is offline, and others think it is not");
    }
  }

  void check() {
    check_users();
    for (std::size_t i = 0; i < kChannels; ++i) observe(i);
    broker_->tick(now_ms_ * 1'000'000);
    // What a scan finds is what the broker counts, and nothing lives that it does not know of.
    core::RecordLog log(memory_);
    std::uint64_t records = 0;
    const auto opened = log.open([&](const core::RecordLog::Record&) { ++records; });
    if (!opened.ok()) throw Contradiction(opened.error());
    if (log.live_bytes() != broker_->log().live_bytes())
      throw Contradiction("the log has " + std::to_string(log.live_bytes()) +
                          " live bytes, the broker counts " +
                          std::to_string(broker_->log().live_bytes()));
    if (records > metrics_.streams + metrics_.kept + metrics_.results + metrics_.users_online)
      throw Contradiction("records live that nobody needs");
  }

  const std::vector<Step>& steps_;
  const bool evicts_;
  BrokerModel model_;
  core::LogMemory memory_;
  TellingSink sink_;
  std::map<std::string, std::uint32_t> connections_;  // by user, of this broker's worker
  BrokerMetrics metrics_;
  std::int64_t now_ms_ = 1'000'000;
  std::unique_ptr<LogBroker> broker_;
  bool armed_ = false;
  std::uint64_t stores_ = 0;
  std::uint64_t kills_ = 0;
  std::optional<std::uint64_t> left_;
  Random* again_ = nullptr;
};

struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t kills = 0;
  std::uint64_t evicted = 0;
  std::uint64_t forgotten = 0;
  std::uint64_t copied = 0;

  void add(const Run& run) {
    ++runs;
    kills += run.kills();
    evicted += run.metrics().evictions[0];
    forgotten += run.metrics().evictions[1];
    copied += run.metrics().copied_bytes;
  }
};

// Where it went wrong, should it.
struct Place {
  std::uint64_t seed;
  bool evicts;
  const char* how;
  std::uint64_t number;
};

void run_round(std::uint64_t seed, bool evicts, Totals& totals, Place& place) {
  Random random(seed);
  const std::vector<Step> steps = make_schedule(random, evicts);
  place = {seed, evicts, "whole", 0};
  Run whole(steps, evicts);
  whole.run();
  totals.add(whole);
  for (std::uint64_t store = 0; store < whole.stores(); ++store) {
    place = {seed, evicts, "killed after store", store};
    Run run(steps, evicts);
    run.kill_at(store);
    run.run();
    totals.add(run);
  }
  for (int i = 0; i < kStormRuns; ++i) {
    place = {seed, evicts, "killed again and again, run", static_cast<std::uint64_t>(i)};
    Random storm(seed + 1 + static_cast<std::uint64_t>(i));
    Run run(steps, evicts);
    run.kill_at(storm.spread(7));
    run.kill_again(storm);
    run.run();
    totals.add(run);
  }
}

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  std::from_chars(text, text + std::char_traits<char>::length(text), value);
  return value;
}

int run_all(std::uint64_t rounds, std::uint64_t seed) {
  Totals totals;
  Place place{};
  try {
    for (std::uint64_t round = 0; round < rounds; ++round)
      run_round(seed + round, round % 2 == 1, totals, place);
  } catch (const Contradiction& wrong) {
    std::printf("%s\nseed %" PRIu64 "%s: %s %" PRIu64 "\n", wrong.what(), place.seed,
                place.evicts ? ", small log" : "", place.how, place.number);
    return 1;
  }
  std::printf(
      "%" PRIu64 " schedules from seed %" PRIu64 ": %" PRIu64 " runs, %" PRIu64 " kills, %" PRIu64
      " bytes copied forward, %" PRIu64 " histories and %" PRIu64 " streams evicted\n",
      rounds, seed, totals.runs, totals.kills, totals.copied, totals.evicted, totals.forgotten);
  return totals.kills > 0 ? 0 : 1;
}

}  // namespace
}  // namespace spate::sim

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: sim_log_broker ROUNDS [SEED]\n");
    return 2;
  }
  spate::core::log::init(spate::core::log::Level::off, spate::core::log::Format::text);
  const std::uint64_t seed = argc == 3 ? spate::sim::number(argv[2]) : spate::test::test_seed();
  return spate::sim::run_all(spate::sim::number(argv[1]), seed);
}
