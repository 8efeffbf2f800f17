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
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <queue>
#include <random>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include "core/base.h"
#include "core/sys.h"
#include "tests/system/hub_client.h"
#include "tests/system/process_facts.h"

namespace {

using namespace spate::tests;
using spate::core::sys::monotonic_ns;

constexpr std::uint32_t kClientsAProcess = 10'000;
constexpr std::uint32_t kClientsAChannel = 1000;
constexpr std::uint32_t kPublicationsASecond = 20;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kMillisecondNs = 1'000'000;
constexpr std::int64_t kPatienceNs = 60 * kSecondNs;
constexpr std::size_t kMaxPublications = 10'000;
constexpr std::uint32_t kVisits = 20;
constexpr double kBoundMs = 100;

constexpr const char* kRules = R"({"namespaces": [{"name": "storm", "history_size": 2000,
  "history_ttl": "600s", "force_recovery": true, "allow_subscribe_for_client": true}]})";

// Times in buckets of a tenth of a millisecond.
class Times {
 public:
  void add(std::int64_t ns) {
    const auto bucket = static_cast<std::size_t>(std::max<std::int64_t>(ns, 0) / 100'000);
    buckets_[std::min(bucket, kBuckets - 1)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const auto& bucket : buckets_) sum += bucket.load();
    return sum;
  }
  // Milliseconds: the end of the bucket that the quantile is in.
  double at(double quantile) const {
    const auto wanted = static_cast<double>(count()) * quantile;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBuckets; ++i)
      if ((sum += buckets_[i].load()) > 0 && static_cast<double>(sum) >= wanted)
        return static_cast<double>(i + 1) / 10;
    return 0;
  }

 private:
  static constexpr std::size_t kBuckets = 200'000;  // twenty seconds
  std::array<std::atomic<std::uint32_t>, kBuckets> buckets_{};
};

// One publication, for whoever asks what made it late.
struct Publication {
  std::atomic<std::int64_t> published_ns{0};  // wall time
  std::atomic<bool> connected{false};         // over a connection made for it
  std::atomic<std::int64_t> answered_ns{0};   // since published_ns, as all below
  std::atomic<std::int64_t> first_ns{0};      // delivery to a survivor
  std::atomic<std::int64_t> last_ns{0};
};

// What the processes tell each other.
struct Shared {
  std::atomic<std::uint32_t> subscribed{0};  // clients that are, now
  std::atomic<std::int64_t> blow_ns{0};      // wall time, as everything that is stamped
  std::atomic<std::int64_t> back_ns{0};      // when all were again
  std::atomic<bool> over{false};
  std::array<std::atomic<std::uint64_t>, 1000> published{};  // offsets, by channel
  std::array<Publication, kMaxPublications> publications{};
  Times before;                                  // latency, before the blow
  Times during;                                  // of survivors, until all are back
  Times acknowledged;                            // how long publishing took
  Times visits;                                  // to /health, after the blow
  Times returns;                                 // from the blow to being subscribed
  std::atomic<std::int64_t> longest_turn_ns{0};  // of a load process: how late it may have looked
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> recovered_publications{0};
  std::atomic<std::uint64_t> lost_connections{0};
  std::atomic<std::uint64_t> recoveries{0};
  std::atomic<std::uint64_t> attempts{0};  // to connect, after the blow
  std::atomic<std::uint64_t> unrecovered{0};
  std::atomic<std::uint64_t> missing{0};
  std::atomic<std::uint64_t> doubled{0};
  std::atomic<std::uint64_t> incomplete{0};  // clients that ended without their last publication
};

std::int64_t wall_ns() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
}

std::string channel_name(std::uint32_t channel) {
  return "storm:" + std::to_string(channel);
}

// The number behind `key` at or behind `from`; none: 0. *end is moved behind it.
std::uint64_t number_behind(std::string_view text, std::string_view key, std::size_t from = 0,
                            std::size_t* end = nullptr) {
  std::uint64_t value = 0;
  const std::size_t at = text.find(key, from);
  if (end != nullptr) *end = at;
  if (at == std::string_view::npos) return 0;
  const char* const digits = text.data() + at + key.size();
  const auto [stop, error] = std::from_chars(digits, text.data() + text.size(), value);
  if (end != nullptr) *end = static_cast<std::size_t>(stop - text.data());
  return error == std::errc() ? value : 0;
}

// --- A load process.

class Load {
 public:
  Load(Shared& shared, std::uint16_t port, std::uint32_t first, std::uint32_t count)
      : shared_(shared), port_(port), first_(first), clients_(count), random_(first + 1) {}

  void run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    SPATE_CHECK(epoll_ >= 0);
    for (std::uint32_t i = 0; i < clients_.size(); ++i)
      clients_[i].channel = (first_ + i) / kClientsAChannel;
    std::vector<epoll_event> events(64);
    std::uint32_t begun = 0;
    while (!shared_.over.load()) {
      while (begun < clients_.size() && under_way_ < 64) dial(begun++);
      const std::int64_t now = monotonic_ns();
      while (!due_.empty() && due_.top().first <= now) {
        const std::uint32_t index = due_.top().second;
        due_.pop();
        dial(index);
      }
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 5);
      const std::int64_t woken = monotonic_ns();
      for (int i = 0; i < ready; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        on_event(static_cast<std::uint32_t>(event.data.u64), event.events);
      }
      const std::int64_t turn = monotonic_ns() - woken;
      if (turn > shared_.longest_turn_ns.load()) shared_.longest_turn_ns.store(turn);
    }
    for (const Client& client : clients_)
      if (client.stage != Stage::live || client.offset != shared_.published[client.channel].load())
        shared_.incomplete.fetch_add(1);
  }

 private:
  enum class Stage { away, connecting, upgrading, joining, subscribing, live };
  struct Client {
    int fd = -1;
    Stage stage = Stage::away;
    std::uint32_t channel = 0;
    std::uint32_t attempts = 0;
    bool survivor = true;
    std::uint64_t offset = 0;
    std::string epoch;
    std::string head;
    FrameReader frames;
  };

  void dial(std::uint32_t index) {
    Client& client = clients_[index];
    if (shared_.blow_ns.load() != 0) shared_.attempts.fetch_add(1);
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    SPATE_CHECK(client.fd >= 0);
    const int on = 1;
    setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(client.fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    // A source address for each thousand: the kernel looks for a free port at each, and long when
    // most of them are taken.
    setsockopt(client.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (first_ + index) / 1000);
    SPATE_CHECK(bind(client.fd, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.head.clear();
    client.frames = FrameReader();
    enter(client, Stage::connecting);
    const int result = connect(client.fd, reinterpret_cast<sockaddr*>(&to), sizeof to);
    if (result != 0 && errno != EINPROGRESS) return lose(index);
    epoll_event event{EPOLLIN | EPOLLOUT, {.u64 = index}};
    SPATE_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event) == 0);
  }

  void enter(Client& client, Stage stage) {
    const auto counts = [](Stage each) { return each != Stage::away && each != Stage::live; };
    under_way_ += (counts(stage) ? 1u : 0u) - (counts(client.stage) ? 1u : 0u);
    if (client.stage == Stage::live) shared_.subscribed.fetch_sub(1);
    client.stage = stage;
    if (stage == Stage::live) shared_.subscribed.fetch_add(1);
  }

  // It comes back later, by a random part of a time that doubles.
  void lose(std::uint32_t index) {
    Client& client = clients_[index];
    close(client.fd);
    client.fd = -1;
    if (client.stage == Stage::live) shared_.lost_connections.fetch_add(1);
    client.survivor = false;
    enter(client, Stage::away);
    const std::int64_t most = std::min<std::int64_t>(500ll << client.attempts, 20'000);
    client.attempts = std::min(client.attempts + 1, 10u);
    std::uniform_int_distribution<std::int64_t> part(0, most * kMillisecondNs);
    due_.push({monotonic_ns() + part(random_), index});
  }

  bool say(Client& client, const std::string& bytes) {
    return send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  void on_event(std::uint32_t index, std::uint32_t events) {
    Client& client = clients_[index];
    if (client.stage == Stage::connecting) {
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) return lose(index);
      epoll_event event{EPOLLIN, {.u64 = index}};
      SPATE_CHECK(epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event) == 0);
      enter(client, Stage::upgrading);
      if (!say(client, upgrade_request("127.0.0.1", kHubPath))) lose(index);
      return;
    }
    const ssize_t bytes = receive(client.fd);
    if (bytes < 0 && errno == EAGAIN) return;
    if (bytes <= 0) return lose(index);
    std::string_view heard(block_.data(), static_cast<std::size_t>(bytes));
    if (client.stage == Stage::upgrading) {
      client.head.append(heard);
      const std::size_t end = client.head.find("\r\n\r\n");
      if (end == std::string::npos) return;
      if (!client.head.starts_with("HTTP/1.1 101")) return lose(index);
      client.frames.feed(std::string_view(client.head).substr(end + 4));
      enter(client, Stage::joining);
      if (!say(client, text_frame(R"({"id":1,"connect":{"token":")" +
                                  token_of("user" + std::to_string(first_ + index)) + "\"}}")))
        return lose(index);
    } else {
      client.frames.feed(heard);
    }
    while (client.fd >= 0) {
      const auto frame = client.frames.next();
      if (!frame) break;
      if (frame->opcode != kText) return lose(index);
      for (std::string_view rest = frame->payload; !rest.empty() && client.fd >= 0;) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        if (!hear(client, rest.substr(0, end))) return lose(index);
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    if (!client.frames.violation().empty()) lose(index);
  }

  // Notes when the last of it came to this machine, which is not when we look: how late that is,
  // is the load's own affair.
  ssize_t receive(int fd) {
    iovec into{block_.data(), block_.size()};
    alignas(cmsghdr) std::array<char, 256> control;
    msghdr message{};
    message.msg_iov = &into;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t bytes = recvmsg(fd, &message, 0);
    arrived_ns_ = wall_ns();
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); bytes > 0 && each != nullptr;
         each = CMSG_NXTHDR(&message, each)) {
      if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_TIMESTAMPNS) continue;
      timespec time;
      std::memcpy(&time, CMSG_DATA(each), sizeof time);
      arrived_ns_ = std::int64_t{time.tv_sec} * kSecondNs + time.tv_nsec;
    }
    return bytes;
  }

  // False: the connection is of no use.
  bool hear(Client& client, std::string_view line) {
    if (line == "{}") return say(client, text_frame("{}"));
    if (line.starts_with(R"({"push":{"channel":)")) {
      publication(client, number_behind(line, R"("offset":)"), number_behind(line, R"("t":)"),
                  number_behind(line, R"("n":)"));
      return true;
    }
    if (client.stage == Stage::joining && line.starts_with(R"({"id":1,"connect":)")) {
      std::string request =
          R"({"id":2,"subscribe":{"channel":")" + channel_name(client.channel) + "\"";
      if (!client.epoch.empty())
        request += R"(,"recover":true,"epoch":")" + client.epoch + R"(","offset":)" +
                   std::to_string(client.offset);
      enter(client, Stage::subscribing);
      return say(client, text_frame(request + "}}"));
    }
    if (client.stage == Stage::subscribing && line.starts_with(R"({"id":2,"subscribe":)"))
      return subscribed(client, line);
    std::fprintf(stderr, "unexpected: %.*s\n", static_cast<int>(line.size()), line.data());
    return false;
  }

  bool subscribed(Client& client, std::string_view line) {
    constexpr std::string_view kEpoch = R"("epoch":")";
    const std::size_t epoch = line.find(kEpoch) + kEpoch.size();
    const bool first = client.epoch.empty();
    client.epoch = line.substr(epoch, line.find('"', epoch) - epoch);
    if (first) {
      client.offset = number_behind(line, R"("offset":)");
    } else {
      if (line.find(R"("recovered":true)") == std::string_view::npos)
        shared_.unrecovered.fetch_add(1);
      shared_.recoveries.fetch_add(1);
      // They hold no brackets of their own.
      constexpr std::string_view kPublications = R"("publications":[)";
      if (const std::size_t begin = line.find(kPublications); begin != std::string_view::npos) {
        const std::string_view all = line.substr(begin, line.find(']', begin) - begin);
        for (std::size_t at = 0;;) {
          const std::uint64_t offset = number_behind(all, R"("offset":)", at, &at);
          if (at == std::string_view::npos) break;
          advance(client, offset);
          shared_.recovered_publications.fetch_add(1);
        }
      }
      shared_.returns.add(wall_ns() - shared_.blow_ns.load());
    }
    client.attempts = 0;
    enter(client, Stage::live);
    return true;
  }

  void publication(Client& client, std::uint64_t offset, std::uint64_t published_ns,
                   std::uint64_t number) {
    advance(client, offset);
    const auto published = static_cast<std::int64_t>(published_ns);
    const std::int64_t took = arrived_ns_ - published;
    const std::int64_t blow = shared_.blow_ns.load(), back = shared_.back_ns.load();
    if (blow == 0 || published < blow) return shared_.before.add(took);
    if (!client.survivor || (back != 0 && published >= back)) return;
    shared_.during.add(took);
    Publication& each = shared_.publications[number % kMaxPublications];
    std::int64_t first = each.first_ns.load(), last = each.last_ns.load();
    while ((first == 0 || took < first) && !each.first_ns.compare_exchange_weak(first, took)) {
    }
    while (took > last && !each.last_ns.compare_exchange_weak(last, took)) {
    }
  }

  void advance(Client& client, std::uint64_t offset) {
    shared_.delivered.fetch_add(1, std::memory_order_relaxed);
    if (offset <= client.offset) {
      shared_.doubled.fetch_add(1);
      return;
    }
    shared_.missing.fetch_add(offset - client.offset - 1);
    client.offset = offset;
  }

  Shared& shared_;
  const std::uint16_t port_;
  const std::uint32_t first_;
  std::vector<Client> clients_;
  std::mt19937 random_;
  std::priority_queue<std::pair<std::int64_t, std::uint32_t>,
                      std::vector<std::pair<std::int64_t, std::uint32_t>>, std::greater<>>
      due_;
  std::uint32_t under_way_ = 0;
  int epoll_ = -1;
  std::int64_t arrived_ns_ = 0;  // of what is in block_; wall time
  std::array<char, 65536> block_;
};

// --- The one that publishes, kills and judges.

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
  for (const Publication* each : all | std::views::take(3)) {
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
