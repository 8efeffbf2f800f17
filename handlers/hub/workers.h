// The workers of an instance, asking each other: who is connected where is known to the worker that
// has the connection, and to nobody else.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "handlers/hub/broker.h"

namespace spate::handlers::hub {

inline constexpr std::uint32_t kEveryWorker = ~std::uint32_t{0};

struct Answers {
  BrokerError error = BrokerError::none;  // unavailable: one did not answer; what it did is unknown
  std::span<const std::string> answers{};  // one a worker
};

class Workers {
 public:
  virtual ~Workers() = default;

  // Asks every worker of this instance, the asking one included.
  virtual void ask_all(std::string_view question,
                       const std::function<void(const Answers&)>& done) = 0;
  // Asks the worker in `slot`.
  virtual void ask(std::uint32_t slot, std::string_view question,
                   const std::function<void(const Answers&)>& done) = 0;
  virtual std::uint32_t own_slot() const = 0;

  // Who answers here; set once. `answer` is called once, maybe later.
  std::function<void(std::string_view question, std::function<void(std::string)> answer)>
      on_question;
};

// With one worker, which asks itself.
class OnlyWorker final : public Workers {
 public:
  void ask_all(std::string_view question,
               const std::function<void(const Answers&)>& done) override {
    on_question(question, [done](std::string answer) {
      done({BrokerError::none, std::span<const std::string>(&answer, 1)});
    });
  }
  void ask(std::uint32_t, std::string_view question,
           const std::function<void(const Answers&)>& done) override {
    ask_all(question, done);
  }
  std::uint32_t own_slot() const override { return 0; }
};

}  // namespace spate::handlers::hub
