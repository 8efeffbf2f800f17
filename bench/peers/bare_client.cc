// The client's floor: the least that an epoll program can do to keep messages going round, so what
// spate-bench's own CPU per message is held against. It sends one prebuilt frame again and again,
// counts the bytes that come back, and looks at nothing.
//   bare_client PORT PATH CONNECTIONS BURST PAYLOAD_BYTES SECONDS
// BURST messages go out in one send; when as many replies are back, the next go out. Prints the
// messages of SECONDS and the CPU nanoseconds of each.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <ctime>
#include <string>
#include <vector>

static double seconds_of(clockid_t clock) {
  timespec at;
  clock_gettime(clock, &at);
  return double(at.tv_sec) + double(at.tv_nsec) / 1e9;
}

// A binary frame (RFC 6455 §5.2) of zeros; masked, its payload is the key again and again.
static std::string frame_of(size_t payload, bool masked) {
  std::string frame{'\x82', char(masked ? 0x80 : 0)};
  frame[1] |= char(payload < 126 ? payload : payload < 65536 ? 126 : 127);
  for (int shift = payload < 126 ? 0 : payload < 65536 ? 16 : 64; shift > 0;)
    frame += char(payload >> (shift -= 8));
  for (size_t i = 0; i < payload + (masked ? 4 : 0); ++i)
    frame += masked ? "\1\2\3\4"[i % 4] : '\0';
  return frame;
}

int main(int argc, char** argv) {
  if (argc != 7)
    return fprintf(stderr, "bare_client PORT PATH CONNECTIONS BURST PAYLOAD_BYTES SECONDS\n"), 2;
  const size_t connections = std::stoul(argv[3]), burst = std::stoul(argv[4]);
  const size_t payload = std::stoul(argv[5]), replies = burst * frame_of(payload, false).size();
  const std::string head = std::string("GET ") + argv[2] +
                           " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  std::string out, in(256 * 1024, '\0');
  for (size_t i = 0; i < burst; ++i) out += frame_of(payload, true);
  const sockaddr_in at{AF_INET, htons(in_port_t(std::stoi(argv[1]))), {htonl(INADDR_LOOPBACK)}, {}};
  const int epoll_fd = epoll_create1(0), on = 1;
  std::vector<size_t> to_come(connections + 64);  // reply bytes, by descriptor
  const auto go_on = [&](int fd) {
    to_come[fd] = replies;
    // Blocks where a reply would have to be read first; so little is in flight that it never is.
    if (send(fd, out.data(), out.size(), MSG_NOSIGNAL) != ssize_t(out.size())) std::exit(1);
  };
  for (size_t i = 0; i < connections; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const sockaddr*)&at, sizeof at) != 0) return perror("bare_client"), 1;
    send(fd, head.data(), head.size(), 0);
    if (recv(fd, in.data(), in.size(), 0) <= 0) return perror("bare_client"), 1;
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    go_on(fd);
  }
  size_t messages = 0;
  const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const double end = seconds_of(CLOCK_MONOTONIC) + std::stod(argv[6]);
  for (epoll_event events[1024]; seconds_of(CLOCK_MONOTONIC) < end;) {
    for (int i = 0, ready = epoll_wait(epoll_fd, events, 1024, 100); i < ready; ++i) {
      const int fd = events[i].data.fd;
      const ssize_t got = recv(fd, in.data(), in.size(), MSG_DONTWAIT);
      if (got <= 0) return fprintf(stderr, "bare_client: a connection is gone\n"), 1;
      if ((to_come[fd] -= size_t(got)) > 0) continue;
      messages += burst;
      go_on(fd);
    }
  }
  const double spent = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  printf("%zu messages, %.0f ns CPU a message\n", messages, spent * 1e9 / double(messages));
}
