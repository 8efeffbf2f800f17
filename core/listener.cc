#include "core/listener.h"

#include <netinet/tcp.h>

#include "core/sys.h"

namespace spate::core {

void Reserve::keep() {
  if (fd_ < 0) fd_ = sys::open_null();
}

bool Reserve::spend() {
  if (fd_ < 0) return false;
  sys::close(fd_);
  fd_ = -1;
  return true;
}

Listener::Listener(Reactor& reactor, ConnectionTable& table, Transport& transport,
                   Protocol& welcome, Protocol& refuse, int fd, const Options& options)
    : reactor_(reactor),
      table_(table),
      transport_(transport),
      welcome_(welcome),
      refuse_(refuse),
      fd_(fd),
      options_(options),
      metrics_(options.metrics),
      sink_(reactor.add_sink(*this)),
      reserve_(options.reserve != nullptr ? *options.reserve : own_reserve_),
      wake_([this] {
        resting_ = false;
        if (started_) reserve_.keep();
        if (started_ && poll() < 0) rest();
      }) {}

Listener::~Listener() {
  stop();
}

int Listener::start() {
  if (started_) return 0;
  reserve_.keep();
  const int result = poll();
  started_ = result == 0;
  return result;
}

int Listener::poll() {
  return reactor_.add(fd_, exclusive_ ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN, {sink_, 0, 0}, order_);
}

void Listener::stop() {
  // The socket lives on in other processes, so closing would not remove it from our epoll set.
  if (started_ && !resting_) (void)reactor_.remove(fd_, order_);
  started_ = resting_ = false;
  reactor_.precise().cancel(wake_);
}

void Listener::look_again() {
  if (!exclusive_ || !started_ || resting_) return;
  (void)reactor_.remove(fd_, order_);
  if (poll() < 0) rest();
}

void Listener::on_event(std::uint32_t, std::uint32_t, std::uint32_t) {
  const int most = options_.shared ? kMaxSharedAcceptsPerTurn : kMaxAcceptsPerTurn;
  int taken = 0;
  while (taken < most && started_ && !resting_ && accept_one()) ++taken;
  if (taken > 0) look_again();
}

// False when there is nothing more to accept now.
bool Listener::accept_one() {
  if ((table_.full() || table_.over_memory()) && handed_over()) return false;
  const int fd = sys::accept(fd_, nullptr, nullptr);
  if (fd >= 0) {
    // One writer at a time: no locked instruction is needed.
    if (options_.accepts != nullptr)
      options_.accepts->store(options_.accepts->load(std::memory_order_relaxed) + 1,
                              std::memory_order_relaxed);
    admit(fd);
    return true;
  }
  switch (-fd) {
    case EAGAIN:
      return false;
    case EINTR:
      return true;
    case EMFILE:
    case ENFILE:
      if (handed_over()) return false;
      return refuse_for_descriptors();
    case ENOMEM:
    case ENOBUFS:
      metrics_->accept_errors.add();
      rest();
      return false;
    default:
      // The connection died in the queue (ECONNABORTED), or brought an error of its network with
      // it.
      metrics_->accept_errors.add();
      return true;
  }
}

bool Listener::handed_over() {
  return options_.on_full && options_.on_full();
}

void Listener::admit(int fd) {
  if (options_.tcp) (void)sys::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options_.tcp && options_.user_timeout_ms > 0)
    (void)sys::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options_.user_timeout_ms);
  if (options_.sndbuf > 0) (void)sys::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, options_.sndbuf);
  if (options_.rcvbuf > 0) (void)sys::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, options_.rcvbuf);
  const bool full = !options_.over_limits && table_.full();
  const bool over_memory = !options_.over_limits && !full && table_.over_memory();
  Protocol& protocol = full || over_memory ? refuse_ : welcome_;
  if (full) metrics_->refused_connections.add();
  if (over_memory) metrics_->refused_memory.add();
  if (table_.open({.fd = fd}, transport_, protocol, order_) == nullptr) {
    if (!full && !over_memory) metrics_->refused_memory.add();
    sys::close(fd);
  } else if (!full && !over_memory) {
    metrics_->accepted.add();
  }
}

// Takes one connection off the queue with the reserved descriptor and closes it: the peer learns at
// once, and a level-triggered listener does not spin. There may be none: accept looks for a
// descriptor before it looks into the queue.
bool Listener::refuse_for_descriptors() {
  int fd = -EMFILE;
  if (reserve_.spend()) {
    fd = sys::accept(fd_, nullptr, nullptr);
    if (fd >= 0) sys::close(fd);
    reserve_.keep();
  }
  if (fd >= 0) {
    metrics_->refused_descriptors.add();
  } else if (fd != -EAGAIN) {
    metrics_->accept_errors.add();
    rest();
  }
  return fd >= 0;
}

void Listener::rest() {
  // Removed and not left without interest: EPOLLEXCLUSIVE cannot be modified.
  if (!resting_) (void)reactor_.remove(fd_, order_);
  resting_ = true;
  reactor_.precise().arm(wake_, sys::monotonic_ns() + kRestNs);
}

}  // namespace spate::core
