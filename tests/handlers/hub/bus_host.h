// Workers and a broker process on one bus, all in this process: each is served when the test says
// so, and any of them can be killed, which is to say forgotten, and made again.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "handlers/hub/bus_broker.h"
#include "handlers/hub/bus_server.h"
#include "tests/handlers/hub/broker_fixture.h"

namespace spate::test {

class BusHost final : public BrokerHost {
 public:
  bool interested_in_all = true;  // those that begin from here on

  struct Worker {
    BrokerSink* sink = nullptr;
    BusBroker::Home home;
    std::unique_ptr<BusBroker> broker;
    std::uint64_t losses = 0;  // calls of on_lost
    BusMetrics metrics;
  };

  BusHost(std::vector<BrokerSink*> sinks, BrokerTime& time,
          const core::BusMemory::Sizes& sizes = {}, std::uint64_t log_bytes = 64 << 20,
          std::size_t segment_bytes = core::LogMemory::kSegmentBytes)
      : time_(time), workers_(sinks.size()) {
    EXPECT_EQ(log_.create(log_bytes, segment_bytes), 0);
    EXPECT_EQ(memory_.create(static_cast<std::uint32_t>(sinks.size()), sizes), 0);
    EXPECT_TRUE(view_.open(memory_, core::BusView::Role::all));
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
      workers_[i].sink = sinks[i];
      workers_[i].home.announce = [](bool) { return true; };
      workers_[i].home.each_channel = [](const auto&) {};
      workers_[i].home.on_lost = [this, i] { ++workers_[i].losses; };
      begin_worker(i);
    }
    begin_broker();
    settle();
  }

  BusBroker& broker() override { return *workers_[0].broker; }
  BusBroker& broker(std::size_t worker) { return *workers_[worker].broker; }
  Worker& worker(std::size_t worker) { return workers_[worker]; }
  BusServer& server() { return *server_; }
  bool has_broker() const { return server_ != nullptr; }
  core::BusView& view() { return view_; }
  core::LogMemory& log() { return log_; }

  bool restart() override {
    end_broker();
    begin_broker();
    settle();
    return true;
  }
  void end_broker() { server_.reset(); }
  void begin_broker() {
    BusServer::Options options{{kGraceMs}, {}};
    options.on_user = [this](std::string_view user, std::string_view client, bool online) {
      workers_[0].sink->on_user_status(user, client, online);
    };
    const BrokerClock clock{[this] { return time_.monotonic_ns; },
                            [this] { return time_.wall_ms; }};
    server_ = std::make_unique<BusServer>(view_, log_, options, nullptr, nullptr, clock);
    const auto opened = server_->open();
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error());
  }
  // As the master does.
  void end_worker(std::size_t index) {
    workers_[index].broker.reset();
    core::BusGenerations& words = memory_.generations(static_cast<std::uint32_t>(index));
    words.ended.store(words.born.load());
  }
  void begin_worker(std::size_t index) {
    core::BusGenerations& words = memory_.generations(static_cast<std::uint32_t>(index));
    words.born.store(words.born.load() + 1);
    Worker& worker = workers_[index];
    worker.broker = std::make_unique<BusBroker>(view_, static_cast<std::uint32_t>(index), log_,
                                                *worker.sink, worker.home, &worker.metrics,
                                                [this] { return time_.monotonic_ns; });
    worker.broker->open();
    if (interested_in_all)
      for (auto& word : view_.worker(static_cast<std::uint32_t>(index)).interest)
        word.store(~std::uint64_t{0});
  }

  // Until nobody has anything to do.
  void settle() override {
    for (bool more = true; more;) {
      more = false;
      if (server_ != nullptr) {
        more = server_->serve(1000);
        server_->tick(time_.monotonic_ns);
      }
      for (const Worker& worker : workers_)
        if (worker.broker != nullptr) more = worker.broker->drain(1 << 20) || more;
      if (server_ != nullptr) more = !server_->may_sleep() || more;
    }
  }
  void tick() {
    for (const Worker& worker : workers_)
      if (worker.broker != nullptr) worker.broker->tick(time_.monotonic_ns);
    if (server_ != nullptr) server_->tick(time_.monotonic_ns);
    settle();
  }

 private:
  BrokerTime& time_;
  core::LogMemory log_;
  core::BusMemory memory_;
  core::BusView view_;
  std::vector<Worker> workers_;
  std::unique_ptr<BusServer> server_;
};

}  // namespace spate::test
