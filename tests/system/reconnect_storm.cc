// A reconnect storm: many clients of a hub over several workers, some of which are killed at once.
// Those who have lost their connection come back as SDKs do (a random part of half a second,
// doubled with each attempt) and recover; those who have not must hardly notice.
//
//   reconnect_storm [CLIENTS] [WORKERS] [KILLED] [SECONDS-BEFORE]     20000 4 2 5
//
// Everybody must end with every publication of its channel, each once and in order, and nobody with
// `recovered: false`. With 20,000 clients there is a bound, too: 99 of 100 publications reach those
// who kept their connection within 100 ms, from the blow until the last one is back; and whoever
// looks in at that time is answered within 100 ms. Exit 1 when something of it does not hold, 3
// when a process may have too few descriptors here.
//
// Clients are in processes of their own, ten thousand in each; what they see lies in memory that
// all share.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/base.h"
#include "core/sys.h"
#include "tests/system/hub_client.h"
#include "tests/system/process_facts.h"
#include "tests/system/storm_load.h"

namespace {

using namespace spate::tests;
using spate::core::sys::monotonic_ns;

constexpr std::uint32_t kClientsAProcess = 10'000;
constexpr std::uint32_t kPublicationsASecond = 20;
constexpr std::int64_t kPatienceNs = 60 * kSecondNs;
constexpr std::uint32_t kVisits = 20;
constexpr double kBoundMs = 100;

constexpr const char* kRules = R"({"namespaces": [{"name": "storm", "history_size": 2000,
  "history_ttl": "600s", "force_recovery": true, "allow_subscribe_for_client": true}]})";

// The one that publishes, kills and judges.
class Storm {
 public:
  Storm(Shared& shared, std::uint32_t clients, std::uint32_t channels)
      : shared_(shared), clients_(clients), channels_(channels) {}

  std::string run(std::uint32_t workers, std::uint32_t killed, std::int64_t before_ns) {
    std::string why;
    hub_ = HubProcess::start(kRules, {"--workers", std::to_string(workers)}, &why);
    if (hub_.server == nullptr) return why;
    for (std::uint32_t first = 0; first < clients_; first += kClientsAProcess)
      begin_load(first, std::min(kClientsAProcess, clients_ - first));
    std::string wrong = blow(killed, before_ns);
    shared_.over.store(true);
    for (const pid_t load : loads_) {
      int status = 0;
      waitpid(load, &status, 0);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) wrong = "a load process has died";
    }
    return wrong;
  }

  std::uint64_t shared_readings() const { return shared_readings_; }

 private:
  void begin_load(std::uint32_t first, std::uint32_t count) {
    const pid_t pid = fork();
    SPATE_CHECK(pid >= 0);
    if (pid > 0) return loads_.push_back(pid);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Load(shared_, hub_.server->port(), first, count).run();
    _exit(0);
  }

  std::string blow(std::uint32_t killed, std::int64_t before_ns) {
    if (!wait([&] { return shared_.subscribed.load() == clients_; }))
      return std::to_string(shared_.subscribed.load()) + " clients could connect";
    publish_for([&, end = monotonic_ns() + before_ns] { return monotonic_ns() >= end; });
    std::vector<pid_t> victims;
    for (const pid_t pid : process_tree(hub_.server->pid()))
      if (command_line(pid).starts_with("spate: worker") && victims.size() < killed)
        victims.push_back(pid);
    const std::uint64_t shared_before = hub_.metric("spate_bus_shared_readings_total");
    shared_.blow_ns.store(wall_ns());
    for (const pid_t pid : victims) kill(pid, SIGKILL);
    std::jthread visitor([this] { visit(); });
    publish_for([&] {
      return shared_.lost_connections.load() > 0 && shared_.subscribed.load() == clients_;
    });
    shared_.back_ns.store(wall_ns());
    if (shared_.subscribed.load() != clients_)
      return std::to_string(shared_.subscribed.load()) + " clients are back after a minute";
    publish_for([&, end = monotonic_ns() + kSecondNs] { return monotonic_ns() >= end; });
    shared_readings_ = hub_.metric("spate_bus_shared_readings_total") - shared_before;
    // Whoever is still without the last ones says so when it ends.
    const std::uint64_t due = due_;
    (void)wait([&] { return shared_.delivered.load() + shared_.missing.load() >= due; });
    return {};
  }

  // Whoever looks in while workers are dying: each visit is a connection of its own, to whichever
  // worker the kernel chooses.
  void visit() {
    for (std::uint32_t i = 0; i < kVisits; ++i) {
      const std::int64_t begun = monotonic_ns();
      const Deadline deadline = within(std::chrono::seconds(10));
      // One that is begun is lost with its worker.
      bool answered = false;
      while (!answered && monotonic_ns() < begun + kPatienceNs) {
        auto stream = tcp_endpoint(hub_.internal_port).connect(deadline);
        if (stream == nullptr) continue;
        RawClient client(std::move(stream));
        answered = client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n", deadline) &&
                   client.receive_through("\r\n\r\n", deadline) != std::string::npos;
      }
      shared_.visits.add(monotonic_ns() - begun);
    }
  }

  template <typename Condition>
  bool wait(Condition condition) {
    const std::int64_t end = monotonic_ns() + kPatienceNs;
    while (!condition()) {
      if (monotonic_ns() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  // At an even rate to each channel in turn, until the condition holds, a minute at most.
  template <typename Condition>
  void publish_for(Condition condition) {
    const std::int64_t begin = monotonic_ns();
    for (std::int64_t due = begin; !condition() && due < begin + kPatienceNs;
         due += kSecondNs / kPublicationsASecond) {
      const std::int64_t now = monotonic_ns();
      if (now < due) std::this_thread::sleep_for(std::chrono::nanoseconds(due - now));
      publish(number_++ % channels_);
    }
  }

  // Over a connection that is kept, as backends do. False: it is of no use any more.
  bool call(std::string_view method, std::string_view body, std::string& answer) {
    const Deadline deadline = within(std::chrono::seconds(10));
    if (backend_ == nullptr) {
      auto stream = tcp_endpoint(hub_.internal_port).connect(deadline);
      if (stream == nullptr) return false;
      backend_ = std::make_unique<RawClient>(std::move(stream));
    }
    const std::string request =
        "POST /api/" + std::string(method) +
        " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        std::string(body);
    if (!backend_->send(request, deadline)) return false;
    const std::size_t end = backend_->receive_through("\r\n\r\n", deadline);
    if (end == std::string::npos) return false;
    const std::uint64_t bytes = number_behind(backend_->inbox(), "Content-Length: ");
    if (!backend_->receive_bytes(end + bytes, deadline)) return false;
    answer = backend_->take().substr(end);
    return answer.starts_with(R"({"result":)");
  }

  // Repeated under its key until it is acknowledged: the call may be to a worker that is killed.
  // The time that it carries is that of the attempt.
  void publish(std::uint32_t channel) {
    const std::string body = R"({"channel":")" + channel_name(channel) +
                             R"(","idempotency_key":")" + std::to_string(number_) +
                             R"(","data":{"n":)" + std::to_string(number_) + R"(,"t":)";
    Publication& each = shared_.publications[number_ % kMaxPublications];
    const std::int64_t begun = monotonic_ns();
    std::string answer;
    for (;;) {
      const std::int64_t now = wall_ns();
      each.published_ns.store(now);
      each.connected.store(backend_ == nullptr);
      const bool done = call("publish", body + std::to_string(now) + "}}", answer);
      each.answered_ns.store(wall_ns() - now);
      if (done) break;
      backend_.reset();
    }
    shared_.acknowledged.add(monotonic_ns() - begun);
    shared_.published[channel].store(number_behind(answer, R"("offset":)"));
    due_ += std::min(kClientsAChannel, clients_ - channel * kClientsAChannel);
  }

  Shared& shared_;
  const std::uint32_t clients_;
  const std::uint32_t channels_;
  HubProcess hub_;
  std::unique_ptr<RawClient> backend_;
  std::vector<pid_t> loads_;
  std::uint32_t number_ = 0;
  std::uint64_t due_ = 0;  // deliveries
  std::uint64_t shared_readings_ = 0;
};

void print_latest(const Shared& shared) {
  const auto last_ns = [](const Publication* each) { return each->last_ns.load(); };
  std::vector<const Publication*> all;
  for (const Publication& each : shared.publications)
    if (each.last_ns.load() > 0) all.push_back(&each);
  std::ranges::sort(all, std::greater<>(), last_ns);
  all.resize(std::min<std::size_t>(all.size(), 3));
  for (const Publication* each : all) {
    const auto ms = [](std::int64_t ns) { return static_cast<double>(ns) / kMillisecondNs; };
    std::printf(
        "  late: %.1f ms after the blow, over a connection that was %s, answered after %.1f "
        "ms, delivered after %.1f to %.1f ms\n",
        ms(each->published_ns.load() - shared.blow_ns.load()),
        each->connected.load() ? "new" : "there", ms(each->answered_ns.load()),
        ms(each->first_ns.load()), ms(each->last_ns.load()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int index, std::uint32_t otherwise) {
    return argc > index ? static_cast<std::uint32_t>(std::strtoul(argv[index], nullptr, 10))
                        : otherwise;
  };
  const std::uint32_t clients = argument(1, 20'000), workers = argument(2, 4);
  const std::uint32_t killed = argument(3, 2), before_s = argument(4, 5);
  const std::uint32_t channels = (clients + kClientsAChannel - 1) / kClientsAChannel;
  const std::size_t needed =
      std::max(std::min(clients, kClientsAProcess), clients * 2 / workers) + 500;
  if (!raise_descriptors(needed)) return 3;
  void* const memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  SPATE_CHECK(memory != MAP_FAILED);
  Shared& shared = *new (memory) Shared;
  Storm storm(shared, clients, channels);
  const std::string wrong = storm.run(workers, killed, before_s * kSecondNs);
  const auto number = [](const std::atomic<std::uint64_t>& each) {
    return static_cast<unsigned long long>(each.load());
  };
  std::printf(
      "%u clients in %u channels over %u workers, %u of them killed: %llu connections lost, %llu "
      "recovered (%llu publications) in %llu attempts; %llu readings of history were answered with "
      "another's\n",
      clients, channels, workers, killed, number(shared.lost_connections),
      number(shared.recoveries), number(shared.recovered_publications), number(shared.attempts),
      static_cast<unsigned long long>(storm.shared_readings()));
  std::printf("back after the blow: p50 %.1f ms, p99 %.1f ms, the last %.1f ms\n",
              shared.returns.at(0.5), shared.returns.at(0.99), shared.returns.at(1));
  for (const auto& [what, times] : {std::pair{"before the blow", &shared.before},
                                    std::pair{"survivors, until all are back", &shared.during}})
    std::printf("publish to deliver, %s: p50 %.1f ms, p99 %.1f ms, longest %.1f ms (%llu)\n", what,
                times->at(0.5), times->at(0.99), times->at(1),
                static_cast<unsigned long long>(times->count()));
  print_latest(shared);
  std::printf("publishing: p99 %.1f ms, longest %.1f ms\n", shared.acknowledged.at(0.99),
              shared.acknowledged.at(1));
  std::printf("%u connections to /health after the blow: answered within %.1f ms\n", kVisits,
              shared.visits.at(1));
  std::printf("the load's longest turn: %.1f ms\n",
              static_cast<double>(shared.longest_turn_ns.load()) / 1e6);
  bool good = wrong.empty();
  if (!good) std::printf("not ok: %s\n", wrong.c_str());
  for (const auto& [what, count] : {std::pair{"recovered: false", &shared.unrecovered},
                                    std::pair{"publications missing", &shared.missing},
                                    std::pair{"publications twice", &shared.doubled},
                                    std::pair{"clients without their last", &shared.incomplete}}) {
    if (number(*count) == 0) continue;
    std::printf("not ok: %llu %s\n", number(*count), what);
    good = false;
  }
  if (shared.recoveries.load() == 0) {
    std::printf("not ok: nobody had to recover anything\n");
    good = false;
  }
  if (const double longest = shared.visits.at(1); clients >= 20'000 && longest > kBoundMs) {
    std::printf("not ok: /health answered after %.1f ms, and not within %.0f ms\n", longest,
                kBoundMs);
    good = false;
  }
  if (const double p99 = shared.during.at(0.99); clients >= 20'000 && p99 > kBoundMs) {
    std::printf("not ok: 99 of 100 within %.1f ms, and not %.0f ms\n", p99, kBoundMs);
    good = false;
  }
  if (good) std::printf("ok: everybody ended with every publication, once and in order\n");
  return good ? 0 : 1;
}
