// The workers of an instance, asking each other: who is connected where is known to the worker that
// has the connection, and to nobody else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "handlers/hub/broker.h"

namespace spate::handlers::hub {

inline constexpr std::uint32_t kEveryWorker = ~std::uint32_t{0};
// How long the answers to a question are waited for, by the one that asked and by the broker that
// passes them on, unless that is replaced meanwhile: what it asks may be to write to a hundred
// thousand clients. Who was asked and dies is noticed at once.
inline constexpr std::int64_t kQuestionPatienceNs = 60'000'000'000;

struct Answers {
  BrokerError error = BrokerError::none;  // unavailable: one did not answer; what it did is unknown
  std::span<const std::string> answers{};  // one a worker
};

// What a question is about: who answers one kind is not who answers another.
enum class Topic : std::uint8_t { connections, session };
inline constexpr std::size_t kTopics = 2;

class Workers {
 public:
  using Heard = std::function<void(const Answers&)>;
  using Respond = std::function<void(std::string)>;
  using OnQuestion = std::function<void(std::string_view question, Respond respond)>;

  virtual ~Workers() = default;

  // Asks every worker of this instance, the asking one included.
  virtual void ask_all(Topic topic, std::string_view question, const Heard& heard) = 0;
  // Asks the worker in `slot`. Nobody there, or died over it: no answers, and no error.
  virtual void ask(std::uint32_t slot, Topic topic, std::string_view question,
                   const Heard& heard) = 0;
  virtual std::uint32_t own_slot() const = 0;

  // Who answers here; an empty one: nobody. `respond` is called once, maybe later; before anybody
  // is set, and by a version that does not know the topic, the answer is empty.
  void set_on_question(Topic topic, OnQuestion on_question) {
    on_question_[static_cast<std::size_t>(topic)] = std::move(on_question);
  }

 protected:
  void take_question(Topic topic, std::string_view question, const Respond& respond) {
    const auto index = static_cast<std::size_t>(topic);
    if (index < kTopics && on_question_[index])
      on_question_[index](question, respond);
    else
      respond({});
  }

 private:
  std::array<OnQuestion, kTopics> on_question_;
};

// With one worker, which asks itself.
class OnlyWorker final : public Workers {
 public:
  void ask_all(Topic topic, std::string_view question, const Heard& heard) override {
    take_question(topic, question, [heard](std::string answer) {
      heard({BrokerError::none, std::span<const std::string>(&answer, 1)});
    });
  }
  void ask(std::uint32_t slot, Topic topic, std::string_view question,
           const Heard& heard) override {
    if (slot != 0) return heard({});
    ask_all(topic, question, heard);
  }
  std::uint32_t own_slot() const override { return 0; }
};

}  // namespace spate::handlers::hub
