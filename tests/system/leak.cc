// Connect, echo one message, close, again and again: memory afterwards is where it was after the
// first tenth (at most 10,000 cycles). Usage: leak CYCLES
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base.h"
#include "tests/system/process_facts.h"
#include "tests/system/server_process.h"

namespace {

using spate::tests::owned_bytes;
using spate::tests::ServerProcess;

// A whole page or two of noise: stacks that were not touched before, a warm ring.
constexpr std::size_t kToleranceBytes = 64 * 1024;

const std::string kUpgrade =
    "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
// "Hello" and a close with 1000, masked with 37 fa 21 3d.
const std::string kMessage("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
const std::string kClose("\x88\x82\x37\xfa\x21\x3d\x34\x12", 8);
const std::string kEchoed("\x81\x05Hello\x88\x02\x03\xe8", 11);

int connect_from(std::uint32_t cycle, std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Closed connections keep their ports for a minute: many source addresses, so that none run out.
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(0x7F000002u + cycle % 200);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SPATE_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
  SPATE_CHECK(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

void send_all(int fd, const std::string& bytes) {
  SPATE_CHECK(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(bytes.size()));
}

void cycle(std::uint32_t number, std::uint16_t port) {
  const int fd = connect_from(number, port);
  send_all(fd, kUpgrade + kMessage + kClose);
  std::string answer;
  char block[1024];
  for (ssize_t bytes; (bytes = recv(fd, block, sizeof block, 0)) > 0;)
    answer.append(block, static_cast<std::size_t>(bytes));
  close(fd);
  if (!answer.ends_with(kEchoed)) {
    std::fprintf(stderr, "cycle %u: unexpected answer of %zu bytes\n", number, answer.size());
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto cycles = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 100'000);
  std::string why;
  const auto server = ServerProcess::start({.flags = {"--echo", "/echo", "--workers", "2"}}, &why);
  if (server == nullptr) return std::fprintf(stderr, "%s\n", why.c_str()), 1;
  const std::uint32_t mark = std::min(cycles / 10, 10'000u);
  std::size_t at_mark = 0;
  for (std::uint32_t i = 1; i <= cycles; ++i) {
    cycle(i, server->port());
    if (i == mark) at_mark = owned_bytes(server->pid());
    if (i == mark || i % (cycles / 10) == 0)
      std::printf("%8u cycles: %zu KiB\n", i, owned_bytes(server->pid()) / 1024);
  }
  const std::size_t at_end = owned_bytes(server->pid());
  const bool level = at_end <= at_mark + kToleranceBytes;
  std::printf("%s: %zu KiB after %u cycles, %zu KiB after %u\n", level ? "ok" : "LEAK",
              at_mark / 1024, mark, at_end / 1024, cycles);
  return level && server->stop().status == 0 ? 0 : 1;
}
