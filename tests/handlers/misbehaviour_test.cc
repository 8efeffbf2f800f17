// An endpoint of one's own in a worker, which throws and takes too long: what its worker says of
// it.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/slots.h"
#include "core/supervisor.h"
#include "handlers/worker.h"
#include "tests/codec/frames.h"
#include "tests/core/loopback.h"

namespace spate::handlers {
namespace {

constexpr std::uint32_t kWarnMs = 20;

// Takes its time over "slow", throws at "throw", and tells its worker to leave when it is closed.
class Rude final : public WebSocketHandler {
  void on_message(WebSocket&, const Message& message) override {
    if (as_text(message.payload) == "slow")
      std::this_thread::sleep_for(std::chrono::milliseconds(2 * kWarnMs));
    if (as_text(message.payload) == "throw") throw std::runtime_error("rude");
  }
  void on_close(WebSocket&, codec::CloseCode code, std::string_view) override {
    EXPECT_EQ(code, 1011);
    EXPECT_EQ(::kill(::getpid(), SIGTERM), 0);
  }
};

class RudeModule final : public Module {
  void mount(const Mounts& mounts) override {
    mounts.clients.add("/polite", std::make_unique<Rude>());
    mounts.clients.add("/rude", std::make_unique<Rude>());
  }
};

TEST(Misbehaviour, IsNamedByTheEndpointsPath) {
  core::log::init(core::log::Level::error, core::log::Format::text);
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  test::Door door;
  test::Client client(door);
  client.send(
      "GET /rude HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n\r\n");
  // In one event: the first message is timed, the second is not, and the turn tells of it.
  const std::string messages = test::Frames().text("slow").text("slow").text("throw");
  client.send(messages);
  client.end();
  Registry registry;
  registry.add(std::make_unique<RudeModule>());
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
  Settings settings;
  settings.handler_warn_ms = kWarnMs;
  {
    Worker worker(settings, registry, slots, metrics, sockets, certificates,
                  {.slot = 0, .lifeline = lifeline[0], .master_pid = ::getpid()});
    EXPECT_EQ(worker.run(), 0);
  }
  client.receive();
  EXPECT_EQ(client.received.substr(0, 12), "HTTP/1.1 101");
  EXPECT_NE(client.received.find("\x88\x10\x03\xF3internal error"), std::string::npos);
  const std::string text = metrics.text(core::MetricSplit::none);
  for (const char* const line : {"spate_handler_exceptions_total{endpoint=\"/rude\"} 1\n",
                                 "spate_handler_exceptions_total{endpoint=\"/polite\"} 0\n",
                                 "spate_handler_overruns_total{endpoint=\"/rude\"} 2\n",
                                 "spate_handler_overruns_total{endpoint=\"/polite\"} 0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
  ::close(lifeline[0]);
  ::close(lifeline[1]);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

}  // namespace
}  // namespace spate::handlers
