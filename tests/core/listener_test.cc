#include "core/listener.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <vector>

#include "core/sys.h"
#include "tests/core/faulty_sys.h"
#include "tests/core/loopback.h"
#include "tests/core/process_state.h"
#include "tests/core/recorder.h"

namespace spate::core {
namespace {

using test::Call;
using test::Client;
using test::Recorder;
using test::sys_faults;

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() : descriptors_(test::open_descriptors().size()), door_(new test::Door) {
    sys_faults().reset();
    refuse.open_hook = [this](Connection& connection) {
      table->write(connection, as_bytes("full"));
      table->finish(connection);
    };
  }
  ~ListenerTest() override {
    clients.clear();
    listener.reset();
    table.reset();
    reactor.reset();
    door_.reset();
    sys_faults().reset();
    EXPECT_EQ(test::open_descriptors().size(), descriptors_);
  }

  void start(const Listener::Options& options = {}, const ConnectionTable::Options& limits = {}) {
    reactor = std::make_unique<Reactor>(Reactor::Options{});
    ASSERT_EQ(reactor->open(), 0);
    table = std::make_unique<ConnectionTable>(*reactor, limits);
    ASSERT_TRUE(table->open_ring());
    listener =
        std::make_unique<Listener>(*reactor, *table, tcp, welcome, refuse, door_->fd(), options);
    ASSERT_EQ(listener->start(), 0);
  }
  void connect(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) clients.emplace_back(*door_);
  }
  void turn() { ASSERT_EQ(reactor->turn(0), 0); }
  const ListenerMetrics& counters() const { return listener->counters(); }
  static std::uint64_t accepts() { return sys_faults().calls(Call::accept); }
  // Turns, and sees that nothing is accepted and nothing spins.
  void expect_rest() {
    const std::uint64_t before = accepts();
    for (int i = 0; i < 10; ++i) turn();
    EXPECT_EQ(accepts(), before);
    sys_faults().fail(Call::epoll_wait, 0, EINTR);
    turn_sleepily();
    EXPECT_GT(sys_faults().last_timeout_ns(), 0);
  }
  void turn_sleepily() { ASSERT_EQ(reactor->turn(Reactor::kMaxSleepNs), 0); }

  std::size_t descriptors_;
  std::unique_ptr<test::Door> door_;
  Recorder welcome, refuse;
  TcpTransport tcp;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<ConnectionTable> table;
  std::unique_ptr<Listener> listener;
  std::vector<Client> clients;
};

TEST_F(ListenerTest, AcceptsABoundedNumberATurn) {
  start();
  connect(100);
  turn();
  EXPECT_EQ(counters().accepted, static_cast<std::uint64_t>(Listener::kMaxAcceptsPerTurn));
  turn();
  EXPECT_EQ(counters().accepted, 100u);
  EXPECT_EQ(table->count(), 100u);
  EXPECT_EQ(welcome.count("open"), 100u);
}

TEST_F(ListenerTest, SetsTheSocketsOptions) {
  std::atomic<std::uint64_t> accepted{0};
  start({.accepts = &accepted, .sndbuf = 16384, .rcvbuf = 8192, .user_timeout_ms = 1234});
  welcome.open_hook = [](Connection& connection) {
    const auto option = [&](int level, int name) {
      int value = -1;
      EXPECT_EQ(sys::getsockopt(connection.link.fd, level, name, &value), 0);
      return value;
    };
    EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
    EXPECT_EQ(option(SOL_SOCKET, SO_SNDBUF), 2 * 16384);  // the kernel doubles it, socket(7)
    EXPECT_EQ(option(SOL_SOCKET, SO_RCVBUF), 2 * 8192);
  };
  connect(3);
  turn();
  EXPECT_EQ(welcome.count("open"), 3u);
  EXPECT_EQ(accepted, 3u);
}

TEST_F(ListenerTest, BeyondTheLimitTheyAreToldSo) {
  start({}, {.max_connections = 2});
  connect(3);
  turn();
  EXPECT_EQ(counters().accepted, 2u);
  EXPECT_EQ(counters().refused_connections, 1u);
  test::until(
      [&] {
        turn();
        clients[2].receive();
      },
      [&] { return clients[2].ended; });
  EXPECT_EQ(clients[2].received, "full");
  EXPECT_TRUE(clients[0].received.empty());
}

TEST_F(ListenerTest, WhoLooksAfterAFullServerIsLetIn) {
  start({.over_limits = true}, {.max_connections = 1});
  connect(1 + ConnectionTable::kRefusalPlaces + 1);
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(counters().accepted, 1 + ConnectionTable::kRefusalPlaces);
  EXPECT_EQ(counters().refused_connections, 0u);
  EXPECT_EQ(counters().refused_memory, 1u);  // there is an end to it
}

TEST_F(ListenerTest, EvenThoseWhoAreToldAreBounded) {
  start({}, {.max_connections = 1});
  connect(1 + ConnectionTable::kRefusalPlaces + 5);
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(counters().refused_connections, ConnectionTable::kRefusalPlaces + 5);
  EXPECT_EQ(table->count(), 1 + ConnectionTable::kRefusalPlaces);
  // The last five were closed without a word.
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].receive();
  EXPECT_TRUE(clients.back().ended || clients.back().reset);
  EXPECT_EQ(clients.back().received, "");
}

TEST_F(ListenerTest, AboveTheMemoryCeilingTheyAreToldSo) {
  start({}, {.max_memory = 1});
  connect(2);
  turn();
  EXPECT_EQ(counters().accepted, 1u);  // the first found no memory in use
  EXPECT_EQ(counters().refused_memory, 1u);
}

TEST_F(ListenerTest, OutOfDescriptorsTheyAreClosedAndTheOldServed) {
  start();
  connect(1);
  turn();
  // A limit that leaves room for exactly one more, and three who come.
  connect(3);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  rlimit limit = before;
  limit.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  const std::uint64_t tried = accepts();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reactor->turn(0), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LE(accepts() - tried, 10u);
  EXPECT_EQ(counters().accepted, 2u);
  EXPECT_EQ(counters().refused_descriptors, 2u);
  for (std::size_t i = 2; i < 4; ++i) {
    clients[i].receive();
    EXPECT_TRUE(clients[i].ended || clients[i].reset) << i;
  }
  clients[0].send("still here");
  test::until([&] { turn(); }, [&] { return welcome.count("bytes:still here") == 1; });
  // And when there is room again, new ones too.
  connect(1);
  turn();
  EXPECT_EQ(counters().accepted, 3u);
}

// The kernel looks for a descriptor before it looks into the queue: with the last one in use and
// nobody waiting, nobody is refused.
TEST_F(ListenerTest, NobodyWaitingIsNobodyRefused) {
  start();
  connect(1);
  sys_faults().fail(Call::accept, 1, EMFILE);
  turn();
  EXPECT_EQ(counters().accepted, 1u);
  EXPECT_EQ(counters().refused_descriptors, 0u);
  connect(1);
  turn();
  EXPECT_EQ(counters().accepted, 2u);
}

TEST_F(ListenerTest, WithoutAReserveItRestsAndWakes) {
  start();
  connect(2);
  sys_faults().fail(Call::accept, 0, ENFILE);
  sys_faults().fail(Call::open_null, 0, ENFILE);  // the reserve is lost
  sys_faults().fail(Call::accept, 2, ENFILE);
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(counters().accepted, 0u);
  expect_rest();
  sys_faults().move_clock(Listener::kRestNs);
  turn();
  turn();
  EXPECT_EQ(counters().accepted, 1u);
  // The reserve is there again.
  connect(1);
  sys_faults().fail(Call::accept, 0, EMFILE);
  turn();
  EXPECT_EQ(counters().refused_descriptors, 2u);
}

TEST_F(ListenerTest, AReserveThatDoesNotHelpLetsItRest) {
  start();
  connect(1);
  sys_faults().fail(Call::accept, 0, EMFILE);
  sys_faults().fail(Call::accept, 1, EMFILE);
  turn();
  expect_rest();
  sys_faults().move_clock(Listener::kRestNs);
  turn();
  turn();
  EXPECT_EQ(counters().accepted, 1u);
}

TEST_F(ListenerTest, WithoutMemoryItRestsAndWakes) {
  start();
  for (const int error : {ENOMEM, ENOBUFS}) {
    connect(1);
    const std::uint64_t errors = counters().accept_errors;
    const std::uint64_t accepted = counters().accepted;
    sys_faults().fail(Call::accept, 0, error);
    turn();
    EXPECT_EQ(counters().accept_errors, errors + 1);
    expect_rest();
    sys_faults().move_clock(Listener::kRestNs);
    turn();
    turn();
    EXPECT_EQ(counters().accepted, accepted + 1);
  }
}

TEST_F(ListenerTest, AConnectionThatDiedInTheQueueIsSteppedOver) {
  start();
  connect(3);
  sys_faults().fail(Call::accept, 0, ECONNABORTED);
  sys_faults().fail(Call::accept, 2, EHOSTUNREACH);
  sys_faults().fail(Call::accept, 3, EINTR);
  turn();
  EXPECT_EQ(counters().accepted, 3u);
  EXPECT_EQ(counters().accept_errors, 2u);  // an interruption is none
}

TEST_F(ListenerTest, ErrorsWithoutEndDoNotHoldTheTurn) {
  start();
  connect(1);
  sys_faults().rate(Call::accept, ECONNABORTED, 1000);
  turn();
  EXPECT_EQ(accepts(), static_cast<std::uint64_t>(Listener::kMaxAcceptsPerTurn));
}

TEST_F(ListenerTest, ASocketThatEpollRefusesIsClosed) {
  start();
  connect(2);
  sys_faults().fail(Call::epoll_ctl, 0, ENOSPC);
  turn();
  EXPECT_EQ(counters().accepted, 1u);
  EXPECT_EQ(counters().refused_memory, 1u);
  EXPECT_EQ(table->count(), 1u);
  clients[0].receive();
  EXPECT_TRUE(clients[0].ended || clients[0].reset);
}

TEST_F(ListenerTest, StoppedItLeavesTheQueueAlone) {
  start();
  listener->stop();
  connect(1);
  const std::uint64_t before = accepts();
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(accepts(), before);
  EXPECT_FALSE(listener->started());
  EXPECT_EQ(listener->start(), 0);
  EXPECT_EQ(listener->start(), 0);
  turn();
  EXPECT_EQ(counters().accepted, 1u);
}

TEST_F(ListenerTest, StoppedWhileItRestsItStartsWell) {
  start();
  connect(1);
  sys_faults().fail(Call::accept, 0, ENOMEM);
  turn();
  listener->stop();
  ASSERT_EQ(listener->start(), 0);
  turn();
  EXPECT_EQ(counters().accepted, 1u) << "the rest was of the time before";
  // The old rest's end does nothing to it.
  sys_faults().move_clock(Listener::kRestNs);
  connect(1);
  turn();
  turn();
  EXPECT_EQ(counters().accepted, 2u);
}

TEST_F(ListenerTest, WhoeverTakesOverIsAskedFirst) {
  int asked = 0;
  bool takes_over = false;
  Listener::Options options{.on_full = [&] {
    ++asked;
    if (takes_over) listener->stop();
    return takes_over;
  }};
  start(options, {.max_connections = 1});
  connect(2);
  turn();
  EXPECT_EQ(asked, 2);  // before the second, and before an accept that found nobody
  EXPECT_EQ(counters().refused_connections, 1u);
  takes_over = true;
  connect(1);
  turn();
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(counters().refused_connections, 1u);  // it waits for somebody else
  EXPECT_FALSE(listener->started());
  clients[2].receive();
  EXPECT_FALSE(clients[2].ended || clients[2].reset);
}

TEST_F(ListenerTest, WhoeverTakesOverIsAskedOutOfDescriptorsToo) {
  int asked = 0;
  Listener::Options options{.on_full = [&] {
    ++asked;
    listener->stop();
    return true;
  }};
  start(options);
  connect(1);
  sys_faults().fail(Call::accept, 0, EMFILE);
  turn();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(counters().refused_descriptors, 0u);
  clients[0].receive();
  EXPECT_FALSE(clients[0].ended || clients[0].reset);
}

}  // namespace
}  // namespace spate::core
