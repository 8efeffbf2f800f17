#include "core/signals.h"

#include "core/sys.h"

namespace spate::core {

SignalWatch::SignalWatch(Reactor& reactor, std::function<void(int)> receive)
    : reactor_(reactor), receive_(std::move(receive)), sink_(reactor.add_sink(*this)) {}

SignalWatch::~SignalWatch() {
  forget();
}

void SignalWatch::forget() {
  if (fd_ >= 0) sys::close(fd_);
  fd_ = -1;
}

int SignalWatch::watch(std::initializer_list<int> signals) {
  fd_ = sys::signal_fd(signals);
  if (fd_ < 0) return fd_;
  return reactor_.add(fd_, EPOLLIN, {sink_, 0, 0});
}

void SignalWatch::on_event(std::uint32_t, std::uint32_t, std::uint32_t) {
  for (int signal = sys::read_signal(fd_); signal > 0; signal = sys::read_signal(fd_))
    receive_(signal);
}

}  // namespace spate::core
