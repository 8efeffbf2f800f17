// A storm's clients, as many as a process has: they connect, subscribe, come back as SDKs do and
// recover, and note what they see in Shared.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base.h"
#include "core/sys.h"
#include "tests/system/hub_client.h"
#include "tests/system/storm_shared.h"

namespace spate::tests {

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
      const std::int64_t now = core::sys::monotonic_ns();
      while (!due_.empty() && due_.top().first <= now) {
        const std::uint32_t index = due_.top().second;
        due_.pop();
        dial(index);
      }
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 5);
      const std::int64_t woken = core::sys::monotonic_ns();
      for (int i = 0; i < ready; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        on_event(static_cast<std::uint32_t>(event.data.u64), event.events);
      }
      const std::int64_t turn = core::sys::monotonic_ns() - woken;
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
    due_.push({core::sys::monotonic_ns() + part(random_), index});
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

}  // namespace spate::tests
