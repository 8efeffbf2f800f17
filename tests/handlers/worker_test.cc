// A worker's end, in this process: what it still serves when it must go is closed before the
// endpoints that served it.
#include "handlers/worker.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "core/log.h"
#include "core/slots.h"
#include "core/supervisor.h"
#include "tests/core/loopback.h"
#include "tests/core/process_state.h"

namespace spate::handlers {
namespace {

struct Diary {
  int opened = 0;
  int closed = 0;
  bool handler_is_gone = false;
};

// Tells its worker to leave, and when it is asked to close, to leave at once.
class Impatient final : public WebSocketHandler {
 public:
  explicit Impatient(Diary& diary) : diary_(diary) {}
  ~Impatient() override { diary_.handler_is_gone = true; }

  void on_open(WebSocket&) override {
    ++diary_.opened;
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  }
  void on_message(WebSocket&, const Message&) override {}
  codec::CloseCode on_drain(WebSocket&) override {
    EXPECT_EQ(::kill(::getpid(), SIGTERM), 0);
    return codec::kCloseGoingAway;
  }
  void on_close(WebSocket&, codec::CloseCode, std::string_view) override {
    EXPECT_FALSE(diary_.handler_is_gone);
    ++diary_.closed;
  }

 private:
  Diary& diary_;
};

class ImpatientModule final : public Module {
 public:
  explicit ImpatientModule(Diary& diary) : diary_(diary) {}
  void mount(const Mounts& mounts) override {
    mounts.clients.add("/impatient", std::make_unique<Impatient>(diary_));
  }

 private:
  Diary& diary_;
};

TEST(Worker, ClosesWhatIsOpenBeforeItsEndpointsGo) {
  // The log keeps a descriptor for as long as the process lives.
  core::log::init(core::log::Level::error, core::log::Format::text);
  const std::size_t descriptors = test::open_descriptors().size();
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  Diary diary;
  {
    test::Door door;
    test::Client client(door);
    client.send(
        "GET /impatient HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n");
    Registry registry;
    registry.add(std::make_unique<ImpatientModule>(diary));
    core::Slots slots;
    ASSERT_EQ(slots.create(1), 0);
    ServerMetrics metrics(registry, slots);
    ASSERT_EQ(metrics.create(), 0);
    int lifeline[2];
    ASSERT_EQ(::pipe(lifeline), 0);
    ServerSockets sockets;
    sockets.of_slot = {{{.fd = door.fd()}}};
    core::Snapshot certificates;
    ASSERT_EQ(certificates.create(), 0);
    const Settings settings;
    {
      Worker worker(settings, registry, slots, metrics, sockets, certificates,
                    {.slot = 0, .lifeline = lifeline[0], .master_pid = ::getpid()});
      EXPECT_EQ(worker.run(), 0);
      EXPECT_EQ(diary.opened, 1);
      EXPECT_EQ(diary.closed, 0);
    }
    EXPECT_TRUE(diary.handler_is_gone);
    EXPECT_EQ(diary.closed, 1);
    client.receive();
    EXPECT_EQ(client.received.substr(0, 12), "HTTP/1.1 101");
    EXPECT_TRUE(client.ended || client.reset);
    ::close(lifeline[0]);
    ::close(lifeline[1]);
  }
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(test::open_descriptors().size(), descriptors);
}

}  // namespace
}  // namespace spate::handlers
