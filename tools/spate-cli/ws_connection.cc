// The handshake and the frames are the load generator's: the one client that the tree has.
#include "tools/spate-cli/ws_connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/printable.h"
#include "tools/spate-bench/handshake.h"

namespace spate::cli {
namespace {

constexpr std::int64_t kConnectTimeoutMs = 5'000;
constexpr std::int64_t kSendTimeoutMs = 10'000;
constexpr std::size_t kMaxMessageBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxHeadBytes = 16 * 1024;
constexpr std::size_t kMaxShownBytes = 200;
constexpr std::uint16_t kNormalClosure = 1000;

std::int64_t now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

}  // namespace

core::Result<WsUrl> parse_ws_url(std::string_view url) {
  constexpr std::string_view kScheme = "ws://";
  if (url.starts_with("wss://"))
    return core::Failure{"no TLS here; give a listener without it, as ws://HOST:PORT/PATH"};
  if (!url.starts_with(kScheme)) return core::Failure{"no ws://HOST:PORT/PATH; write one"};
  url.remove_prefix(kScheme.size());
  if (std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~'; }))
    return core::Failure{"has a byte that no URL has; write it percent-encoded"};
  WsUrl out;
  const std::size_t path = std::min(url.find_first_of("/?"), url.size());
  out.authority = url.substr(0, path);
  if (path < url.size()) out.path = url.substr(path);
  if (out.path.starts_with('?')) out.path.insert(0, "/");
  const bool bracket = out.authority.starts_with('[');
  const std::size_t end = bracket ? out.authority.find(']') : out.authority.find(':');
  if (bracket && end == std::string::npos) return core::Failure{"no ] behind the address; add it"};
  out.host = bracket ? out.authority.substr(1, end - 1) : out.authority.substr(0, end);
  const std::size_t colon = bracket ? end + 1 : end;
  if (colon < out.authority.size()) out.port = out.authority.substr(colon + 1);
  if (out.host.empty() || out.port.empty()) return core::Failure{"no host or no port; write both"};
  return out;
}

core::Result<std::unique_ptr<WsConnection>> WsConnection::open(const WsUrl& url,
                                                               const sigset_t& waiting) {
  std::unique_ptr<WsConnection> made(new WsConnection(waiting));
  if (getrandom(&made->seed_, sizeof made->seed_, 0) != sizeof made->seed_)
    return core::Failure{"no random numbers for masking keys"};
  std::string wrong = made->connect(url);
  if (wrong.empty()) wrong = made->shake_hands(url);
  if (!wrong.empty()) return core::Failure{std::move(wrong)};
  return made;
}

WsConnection::~WsConnection() {
  if (fd_ >= 0) ::close(fd_);
}

// The first of the host's addresses that answers. What is wrong, or nothing.
std::string WsConnection::connect(const WsUrl& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found); error != 0)
    return url.authority + ": " + gai_strerror(error);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  int error = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return url.authority + ": " + std::strerror(errno);
    error = ::connect(fd_, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      socklen_t bytes = sizeof error;
      const Waited waited = wait(POLLOUT, now_ms() + kConnectTimeoutMs);
      if (waited == Waited::interrupted) return "interrupted";
      error = ETIMEDOUT;
      if (waited == Waited::ready) getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &bytes);
    }
    if (error != 0) continue;
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return {};
  }
  return url.authority + ": " + std::strerror(error);
}

std::string WsConnection::shake_hands(const WsUrl& url) {
  bench::Handshake handshake(url.authority, url.path, {});
  const auto id = static_cast<std::uint32_t>(seed_);
  const auto attempt = static_cast<std::uint32_t>(seed_ >> 32);
  if (!send_bytes(handshake.request(id, attempt))) return url.authority + ": " + close_reason_;
  const std::int64_t deadline = now_ms() + kConnectTimeoutMs;
  std::string head;
  std::optional<std::size_t> end;
  while (!(end = bench::head_end(head))) {
    if (head.size() > kMaxHeadBytes) return "the answer to the handshake is too long";
    const Waited waited = wait(POLLIN, deadline);
    if (waited == Waited::interrupted) return "interrupted";
    if (waited == Waited::timed_out) return "no answer to the handshake";
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0) return "the connection ended before the handshake was answered";
    head.append(bytes, static_cast<std::size_t>(count));
  }
  if (handshake.refuse(std::string_view(head).substr(0, *end), id, attempt))
    return "the handshake is refused: " +
           core::printable(std::string_view(head).substr(0, head.find("\r\n")), kMaxShownBytes);
  if (!frames_.feed(as_bytes(std::string_view(head).substr(*end)), *this))
    return "the server sends what is no frame";
  return {};
}

WsConnection::Waited WsConnection::wait(short events, std::int64_t deadline_ms) const {
  const std::int64_t left = std::max<std::int64_t>(deadline_ms - now_ms(), 0);
  const timespec timeout{.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1'000'000};
  pollfd polled{.fd = fd_, .events = events, .revents = 0};
  // Signals come in here and nowhere else, so that none falls between a check and the wait.
  const int count = ppoll(&polled, 1, &timeout, &waiting_);
  if (count < 0) return Waited::interrupted;
  return count == 0 ? Waited::timed_out : Waited::ready;
}

bool WsConnection::send_bytes(std::string_view bytes) {
  const std::int64_t deadline = now_ms() + kSendTimeoutMs;
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EAGAIN && errno != EINTR) {
      fail(std::strerror(errno));
      return false;
    } else if (wait(POLLOUT, deadline) == Waited::timed_out) {
      fail("the server does not read");
      return false;
    }
  }
  return true;
}

bool WsConnection::send_frame(bench::Opcode opcode, std::string_view payload) {
  return !closed_ &&
         send_bytes(bench::client_frame(opcode, payload, bench::random_masking_key(seed_)));
}

bool WsConnection::send_text(std::string_view text) {
  return send_frame(bench::Opcode::text, text);
}

void WsConnection::close() {
  const std::uint16_t code = big_endian(kNormalClosure);
  char payload[sizeof code];
  std::memcpy(payload, &code, sizeof code);
  send_frame(bench::Opcode::close, {payload, sizeof payload});
}

void WsConnection::fail(std::string reason) {
  if (!closed_) close_reason_ = std::move(reason);
  closed_ = true;
}

WsConnection::Got WsConnection::receive(std::string& message, std::int64_t timeout_ms) {
  const std::int64_t deadline = now_ms() + timeout_ms;
  for (;;) {
    if (!whole_.empty()) {
      message = std::move(whole_.front());
      whole_.pop_front();
      return Got::message;
    }
    if (closed_) return Got::closed;
    const Waited waited = wait(POLLIN, deadline);
    if (waited == Waited::interrupted) return Got::interrupted;
    if (waited == Waited::timed_out) return Got::timed_out;
    char bytes[16 * 1024];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) fail(std::strerror(errno));
    if (count == 0) fail("the connection ended");
    if (count > 0 && !frames_.feed(as_bytes({bytes, static_cast<std::size_t>(count)}), *this))
      fail("the server sends what is no frame");
  }
}

void WsConnection::message_bytes(ConstBytes bytes) {
  if (partial_.size() + bytes.size() > kMaxMessageBytes)
    return fail("a message is larger than 64 MiB");
  partial_.append(as_text(bytes));
}

void WsConnection::message_end() {
  if (!closed_) whole_.push_back(std::move(partial_));
  partial_.clear();
}

void WsConnection::control(bench::Opcode opcode, ConstBytes payload) {
  if (opcode == bench::Opcode::ping) send_frame(bench::Opcode::pong, as_text(payload));
  if (opcode != bench::Opcode::close || closed_) return;
  if (payload.size() >= 2) {
    close_code_ = big_endian(load<std::uint16_t>(payload.data()));
    close_reason_ = core::printable(as_text(payload.subspan(2)), kMaxShownBytes);
  }
  send_frame(bench::Opcode::close, as_text(payload));
  closed_ = true;
}

}  // namespace spate::cli
