// Signals as events of the loop: blocked for the process, read from a descriptor, handled between
// other events and not in the middle of them.
#pragma once

#include <functional>
#include <initializer_list>

#include "core/reactor.h"

namespace spate::core {

class SignalWatch final : public EventSink {
 public:
  SignalWatch(Reactor& reactor, std::function<void(int signal)> receive);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // 0 or a negative errno.
  int watch(std::initializer_list<int> signals);
  // In a forked child: closes the descriptor. The signals stay blocked.
  void forget();
  void on_event(std::uint32_t index, std::uint32_t generation, std::uint32_t events) override;

 private:
  Reactor& reactor_;
  std::function<void(int)> receive_;
  const std::uint16_t sink_;
  int fd_ = -1;
};

}  // namespace spate::core
