// Clients for tests with real sockets: non-blocking, over loopback, past the sys layer, so that
// what is injected there hits the server alone.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/address.h"
#include "core/listen_socket.h"

namespace spate::test {

// A listening socket on a port of the kernel's choice; closed by the test's end.
class Door {
 public:
  Door() {
    core::Address address = core::parse_address("127.0.0.1:0").value();
    const auto listening = core::listen_at(address, {});
    EXPECT_TRUE(listening.ok());
    fd_ = *listening;
    sockaddr_in bound{};
    socklen_t bytes = sizeof bound;
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &bytes), 0);
    port_ = ntohs(bound.sin_port);
  }
  ~Door() { ::close(fd_); }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

class Client {
 public:
  // The handshake is the kernel's: the server need not have accepted. `sndbuf`, `rcvbuf`: 0 for
  // the kernel's own.
  explicit Client(const Door& door, int rcvbuf = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_GE(fd_, 0);
    if (rcvbuf > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(door.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }
  Client(Client&& other) noexcept
      : received(std::move(other.received)),
        ended(other.ended),
        reset(other.reset),
        fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;

  int fd() const { return fd_; }
  // How much the kernel took.
  std::size_t send(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) reset = true;
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  // Takes what is there, up to `at_most`, into `received`.
  void receive(std::size_t at_most = ~std::size_t{0}) {
    char buffer[16 * 1024];
    while (at_most > 0 && !ended && !reset) {
      const ssize_t bytes = ::recv(fd_, buffer, std::min(at_most, sizeof buffer), MSG_DONTWAIT);
      if (bytes == 0) ended = true;
      if (bytes < 0 && errno != EAGAIN) reset = true;
      if (bytes <= 0) return;
      received.append(buffer, static_cast<std::size_t>(bytes));
      at_most -= static_cast<std::size_t>(bytes);
    }
  }
  void end() { ::shutdown(fd_, SHUT_WR); }
  void close() { ::close(std::exchange(fd_, -1)); }

  std::string received;
  bool ended = false;  // the server has
  bool reset = false;

 private:
  int fd_;
};

// Calls `step` until `done`, for a few seconds at most.
template <typename Step, typename Done>
void until(Step&& step, Done&& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain";
    step();
  }
}

}  // namespace spate::test
