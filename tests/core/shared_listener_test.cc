// One Unix-domain socket, several loops that poll it, in one process: as several workers do.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include <memory>
#include <string>
#include <vector>

#include "core/listener.h"
#include "core/unix_socket.h"
#include "tests/core/faulty_sys.h"
#include "tests/core/process_state.h"
#include "tests/core/recorder.h"

namespace spate::core {
namespace {

using test::Call;
using test::sys_faults;

// What a worker has of it.
struct Poller {
  explicit Poller(int fd, const Listener::Options& options, Reactor::Options loop) : reactor(loop) {
    EXPECT_EQ(reactor.open(), 0);
    EXPECT_TRUE(table.open_ring());
    listener =
        std::make_unique<Listener>(reactor, table, transport, protocol, protocol, fd, options);
    EXPECT_EQ(listener->start(), 0);
  }
  std::uint64_t turn() {
    EXPECT_EQ(reactor.turn(0), 0);
    return listener->counters().accepted;
  }
  std::uint64_t accepted() const { return listener->counters().accepted; }

  test::Recorder protocol;
  TcpTransport transport;
  Reactor reactor;
  ConnectionTable table{reactor, {}};
  std::unique_ptr<Listener> listener;
};

class SharedListener : public testing::Test {
 protected:
  SharedListener() : descriptors_(test::open_descriptors().size()) {
    sys_faults().reset();
    const std::string path = "/tmp/spate-shared-" + std::to_string(::getpid());
    address_ = parse_address("unix:" + path).value();
    auto made = listen_at_path(address_, 256, 0600);
    EXPECT_TRUE(made.ok()) << made.error();
    socket_ = std::make_unique<UnixListener>(std::move(*made));
  }
  ~SharedListener() override {
    for (const int client : clients_) ::close(client);
    pollers.clear();
    ::close(socket_->fd);
    socket_.reset();
    sys_faults().reset();
    EXPECT_EQ(test::open_descriptors().size(), descriptors_);
  }

  Poller& add_poller(const Listener::Options& options = {.shared = true, .tcp = false},
                     Reactor::Options loop = {}) {
    return *pollers.emplace_back(std::make_unique<Poller>(socket_->fd, options, loop));
  }
  int connect() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, address_.get(), address_.bytes), 0);
    clients_.push_back(fd);
    return fd;
  }

  std::vector<std::unique_ptr<Poller>> pollers;

 private:
  std::size_t descriptors_;
  Address address_;
  std::unique_ptr<UnixListener> socket_;
  std::vector<int> clients_;
};

TEST_F(SharedListener, CarriesBytesBothWays) {
  Poller& poller = add_poller();
  poller.protocol.bytes_hook = [&](Connection& connection, const ReceiveWindow& window) {
    poller.table.write(connection, window.bytes);
    return Kept{};
  };
  const int client = connect();
  poller.turn();
  ASSERT_EQ(::send(client, "hello", 5, 0), 5);
  poller.turn();
  char reply[16] = {};
  EXPECT_EQ(::recv(client, reply, sizeof reply, MSG_DONTWAIT), 5);
  EXPECT_STREQ(reply, "hello");
}

TEST_F(SharedListener, LeavesSomeOfManyToTheOthers) {
  Poller& one = add_poller();
  Poller& other = add_poller();
  constexpr std::uint64_t kMost = Listener::kMaxSharedAcceptsPerTurn;
  for (std::uint64_t i = 0; i < 3 * kMost; ++i) connect();
  EXPECT_EQ(one.turn(), kMost);
  EXPECT_EQ(other.turn(), kMost);
  EXPECT_EQ(one.turn(), 2 * kMost);
  EXPECT_EQ(other.turn(), kMost);
}

TEST_F(SharedListener, OneThatStopsLeavesTheSocketToTheOthers) {
  Poller& one = add_poller();
  Poller& other = add_poller();
  one.listener->stop();
  connect();
  EXPECT_EQ(one.turn(), 0u);
  EXPECT_EQ(other.turn(), 1u);
  pollers.erase(pollers.begin());  // its process has ended
  connect();
  EXPECT_EQ(other.turn(), 2u);
}

// Each worker is busy with thousands of others, and none will come to it soon.
TEST_F(SharedListener, OfThoseServedFirstDoesNotWaitForTheUsual) {
  struct Quiet final : EventSink {
    void on_event(std::uint32_t, std::uint32_t, std::uint32_t) override {}
  } quiet;
  for (const bool first : {false, true}) {
    Poller& poller =
        add_poller({.over_limits = first, .shared = true, .tcp = false}, {.max_events = 2});
    std::vector<int> busy;
    for (std::uint32_t i = 0; i < 8; ++i) {
      busy.push_back(::eventfd(1, EFD_CLOEXEC));
      ASSERT_EQ(poller.reactor.add(busy[i], EPOLLIN, {poller.reactor.add_sink(quiet), i, 0}), 0);
    }
    connect();
    EXPECT_EQ(poller.turn(), first ? 1u : 0u);
    while (poller.turn() == 0) {
    }
    for (const int fd : busy) ::close(fd);
    pollers.clear();
  }
}

TEST_F(SharedListener, OfThoseServedFirstIsTakenByAnother) {
  const Listener::Options options{.over_limits = true, .shared = true, .tcp = false};
  Poller& one = add_poller(options);
  Poller& other = add_poller(options);
  connect();
  EXPECT_EQ(one.turn(), 1u);
  EXPECT_EQ(other.turn(), 0u);
  pollers.erase(pollers.begin());
  connect();
  EXPECT_EQ(other.turn(), 1u);
}

// What it costs whoever does not poll, and that whoever does still sees what waits.
TEST_F(SharedListener, LooksAgainOnlyWhereItPolls) {
  Poller& one = add_poller();
  connect();
  one.listener->look_again();
  EXPECT_EQ(one.turn(), 1u);
  sys_faults().fail(Call::accept, 0, ENOMEM);
  connect();
  one.turn();
  const std::uint64_t calls = sys_faults().calls(Call::epoll_ctl);
  one.listener->look_again();
  EXPECT_EQ(sys_faults().calls(Call::epoll_ctl), calls) << "a rest is a rest";
  one.listener->stop();
  one.listener->look_again();
  EXPECT_EQ(sys_faults().calls(Call::epoll_ctl), calls);
  EXPECT_EQ(one.turn(), 1u);
}

TEST_F(SharedListener, RestsAndWakesAlthoughItCannotBeModified) {
  Poller& one = add_poller();
  connect();
  sys_faults().fail(Call::accept, 0, ENOMEM);
  one.turn();
  const std::uint64_t tried = sys_faults().calls(Call::accept);
  for (int i = 0; i < 5; ++i) one.turn();
  EXPECT_EQ(sys_faults().calls(Call::accept), tried);
  sys_faults().move_clock(Listener::kRestNs);
  one.turn();
  EXPECT_EQ(one.turn(), 1u);
}

TEST_F(SharedListener, EpollThatRefusesItIsAskedAgainAfterARest) {
  Poller& one = add_poller();
  sys_faults().fail(Call::epoll_ctl, 1, ENOMEM);  // removed, and not added again
  one.listener->look_again();
  connect();
  EXPECT_EQ(one.turn(), 0u);
  sys_faults().move_clock(Listener::kRestNs);
  one.turn();
  EXPECT_EQ(one.turn(), 1u);
  EXPECT_TRUE(one.listener->started());
}

}  // namespace
}  // namespace spate::core
