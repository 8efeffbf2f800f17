// Workers and their broker as threads over one mapping, so that ThreadSanitizer sees what processes
// do to each other: each sleeps and is woken as a process would be, and the broker is replaced now
// and then.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "handlers/hub/bus_broker.h"
#include "handlers/hub/bus_server.h"

namespace spate::test {
namespace {

using namespace handlers::hub;  // NOLINT: what all of this is about
using core::BusView;

constexpr std::uint32_t kWorkers = 3;
constexpr std::uint32_t kChannels = 4;
constexpr std::uint32_t kEach = 1500;  // publications of a worker
constexpr std::uint32_t kInFlight = 64;
constexpr HistoryPolicy kHistory{100, 600'000, 3'600'000};

void sleep_on(int fd) {
  pollfd wait{fd, POLLIN, 0};
  if (poll(&wait, 1, 20) == 1) BusView::take_wake(fd);
}

std::string channel_name(std::uint32_t channel) {
  return "news" + std::to_string(channel);
}

struct Shared {
  core::LogMemory log;
  core::BusMemory memory;
  BusView view;
  std::atomic<std::uint32_t> listening{0};  // workers
  std::atomic<std::uint32_t> finished{0};   // those that have heard all there is
  std::atomic<std::uint32_t> restarts{0};
};

// Publishes its share, reads histories, comes and goes in a channel, asks the others; and hears
// all.
class ThreadWorker final : public BrokerSink {
 public:
  ThreadWorker(Shared& shared, std::uint32_t index) : shared_(shared), index_(index) {}

  void run() {
    BusBroker::Home home;
    home.on_lost = [this] { ++losses_; };
    home.announce = [this](bool) {
      if (present_) here();
      return true;
    };
    home.each_channel = [](const auto& visit) {
      for (std::uint32_t i = 0; i < kChannels; ++i) visit(channel_name(i));
      visit("room");
    };
    BusMetrics metrics;
    broker_ = std::make_unique<BusBroker>(shared_.view, index_, shared_.log, *this, home, &metrics);
    broker_->set_on_question(Topic::connections, [this](std::string_view text, const auto& answer) {
      answer(std::string(text) + std::to_string(index_));
    });
    broker_->open();
    for (std::uint32_t i = 0; i < kChannels; ++i) broker_->follow(channel_name(i));
    broker_->follow("room");
    shared_.listening.fetch_add(1);
    const std::int64_t end = core::sys::monotonic_ns() + 60'000'000'000;
    std::int64_t next_tick = 0;
    bool counted = false;
    while (shared_.finished.load() < kWorkers && !testing::Test::HasFailure()) {
      const std::int64_t now = core::sys::monotonic_ns();
      ASSERT_LT(now, end) << heard_ << " heard, " << asked_ << " asked, " << answered_
                          << " answered";
      if (now > next_tick) {
        broker_->tick(now);
        next_tick = now + 100'000'000;
      }
      act();
      if (!counted && heard_ == kWorkers * kEach && answered_ == asked_) {
        counted = true;
        shared_.finished.fetch_add(1);
      }
      if (broker_->drain(64 << 10)) continue;
      if (broker_->may_sleep()) sleep_on(shared_.view.wake_fd(index_));
    }
    EXPECT_EQ(metrics.events_lost, 0u);
    EXPECT_GE(losses_, shared_.restarts.load());
  }

  void on_publication(std::string_view channel, const Publication& publication,
                      StreamPosition position, std::span<const std::string_view>,
                      std::span<const std::string_view>) override {
    const auto i = static_cast<std::size_t>(channel.back() - '0');
    ASSERT_EQ(position.offset, ++tops_[i]) << channel;
    ASSERT_EQ(publication.data, "a publication");
    ++heard_;
  }
  void on_join(std::string_view, const ClientInfo&) override {}
  void on_leave(std::string_view, const ClientInfo&) override {}
  void on_user_status(std::string_view, std::string_view, bool) override {}

 private:
  void act() {
    if (shared_.listening.load() < kWorkers) return;
    while (published_ < kEach && asked_ - answered_ < kInFlight && broker_->has_room()) {
      publish();
      if (published_ % 50 == 0) read();
      if (published_ % 75 == 0) come_or_go();
      if (published_ % 200 == 0) ask();
    }
  }

  void publish() {
    const std::string channel = channel_name(published_ % kChannels);
    PublishRequest request;
    request.channel = channel;
    request.publication.data = "a publication";
    request.history = kHistory;
    ++published_;
    ++asked_;
    broker_->publish(request, [this](const PublishResult& result) {
      ++answered_;
      EXPECT_EQ(result.error, BrokerError::none);
      EXPECT_FALSE(result.suppressed);
    });
  }
  void read() {
    const std::uint32_t channel = published_ / 50 % kChannels;
    const std::string name = channel_name(channel);
    HistoryRequest request;
    request.channel = name;
    request.history = kHistory;
    request.limit = -1;
    ++asked_;
    broker_->history(request, [this, channel](const HistoryResult& result) {
      ++answered_;
      EXPECT_EQ(result.error, BrokerError::none);
      // Everything before it has been heard, and nothing behind it.
      EXPECT_EQ(result.top.offset, tops_[channel]);
      EXPECT_EQ(result.publications.size(), std::min<std::uint64_t>(result.top.offset, 100));
      if (!result.publications.empty()) {
        EXPECT_EQ(result.publications.back().publication.offset, result.top.offset);
      }
    });
  }
  void come_or_go() {
    present_ = !present_;
    const std::string client = "client" + std::to_string(index_);
    if (present_) {
      here();
      broker_->publish_join("room", {.user = "anna", .client = client});
    } else {
      broker_->remove_presence("room", client);
      broker_->publish_leave("room", {.user = "anna", .client = client});
    }
  }
  void here() {
    broker_->add_presence("room", {.user = "anna", .client = "client" + std::to_string(index_)},
                          true);
  }
  // A new broker knows nothing of what the last one was asked.
  void ask() {
    broker_->ask_all(Topic::connections, "who", [](const Answers& answers) {
      if (answers.error == BrokerError::none) {
        EXPECT_LE(answers.answers.size(), kWorkers);
      }
    });
  }

  Shared& shared_;
  const std::uint32_t index_;
  std::unique_ptr<BusBroker> broker_;
  std::array<std::uint64_t, kChannels> tops_{};
  std::uint32_t published_ = 0;
  std::uint32_t asked_ = 0;
  std::uint32_t answered_ = 0;
  std::uint32_t heard_ = 0;
  std::uint32_t losses_ = 0;
  bool present_ = false;
};

void serve(Shared& shared) {
  std::unique_ptr<BusServer> server;
  std::int64_t next_start = 0;
  while (shared.finished.load() < kWorkers && !testing::Test::HasFailure()) {
    const std::int64_t now = core::sys::monotonic_ns();
    if (now > next_start) {
      if (server != nullptr) shared.restarts.fetch_add(1);
      server = std::make_unique<BusServer>(shared.view, shared.log, BusServer::Options{}, nullptr,
                                           nullptr);
      ASSERT_TRUE(server->open().ok());
      next_start = now + 300'000'000;
    }
    server->tick(now);
    if (!server->serve(64) && server->may_sleep()) sleep_on(shared.view.broker_wake_fd());
  }
}

TEST(BusThreads, EveryoneHearsEveryPublicationInOneOrder) {
  Shared shared;
  ASSERT_EQ(shared.log.create(64 << 20), 0);
  ASSERT_EQ(shared.memory.create(kWorkers, {}), 0);
  ASSERT_TRUE(shared.view.open(shared.memory, BusView::Role::all));
  for (std::uint32_t i = 0; i < kWorkers; ++i) shared.memory.generations(i).born.store(1);
  std::vector<std::unique_ptr<ThreadWorker>> workers;
  for (std::uint32_t i = 0; i < kWorkers; ++i)
    workers.push_back(std::make_unique<ThreadWorker>(shared, i));
  std::vector<std::thread> threads;
  for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
  serve(shared);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace spate::test
