// A LogBroker over a log of its own, small enough that a test fills it.
#pragma once

#include <gtest/gtest.h>

#include "handlers/hub/log_broker.h"
#include "tests/handlers/hub/broker_fixture.h"

namespace spate::test {

class LogBrokerHost final : public BrokerHost {
 public:
  LogBrokerHost(BrokerSink& sink, BrokerTime& time, std::uint64_t bytes = 64 << 20,
                std::size_t segment_bytes = core::LogMemory::kSegmentBytes)
      : sink_(sink), time_(time) {
    EXPECT_EQ(memory_.create(bytes, segment_bytes), 0);
    EXPECT_TRUE(restart());
  }

  LogBroker& broker() override { return *broker_; }
  bool restart() override {
    broker_.reset();
    const BrokerClock clock{[this] { return time_.monotonic_ns; },
                            [this] { return time_.wall_ms; }};
    broker_ =
        std::make_unique<LogBroker>(memory_, sink_, LogBrokerOptions{kGraceMs}, nullptr, clock);
    const auto opened = broker_->open();
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error());
    return opened.ok();
  }
  core::LogMemory& memory() { return memory_; }

 private:
  BrokerSink& sink_;
  BrokerTime& time_;
  core::LogMemory memory_;
  std::unique_ptr<LogBroker> broker_;
};

}  // namespace spate::test
