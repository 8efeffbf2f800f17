// The floor: the least that an epoll program can do for a message, so what every server's CPU per
// message is divided by. It parses nothing: it counts bytes in, and sends a count of bytes out.
//   floor echo   PORT REQUEST REPLY   for every REQUEST bytes in, REPLY bytes out
//   floor fanout PORT REQUEST REPLY   the same, to each connection that has only sent its request
//   head
// A client frame is 4 bytes longer than the server frame of the same payload: it has a masking key.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

struct Peer {
  bool upgraded = false, publisher = false;
  std::size_t partial = 0, unsent = 0;  // of a request; what the kernel refused of a reply
};
const std::string kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
constexpr std::size_t kReceiveBytes = 65536, kMaxPeers = 65536;
static std::vector<Peer> peers(kMaxPeers);
static std::vector<int> subscribers;
static std::string buffer;  // receives land here, replies leave from here
static std::size_t request_bytes, reply_bytes;
static int epoll_fd, fanout;

static void reply(int fd, std::size_t bytes) {
  const bool waited = peers[fd].unsent > 0;
  bytes += peers[fd].unsent;
  const ssize_t sent = send(fd, buffer.data(), std::min(bytes, buffer.size()), MSG_NOSIGNAL);
  peers[fd].unsent = sent >= 0 ? bytes - sent : errno == EAGAIN ? bytes : 0;
  if (waited == (peers[fd].unsent > 0)) return;
  epoll_event event{.events = waited ? EPOLLIN : EPOLLOUT, .data = {.fd = fd}};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void receive(int fd) {
  Peer& peer = peers[fd];
  const ssize_t got = recv(fd, buffer.data(), kReceiveBytes, 0);
  if (got <= 0) {
    if (fanout) std::erase(subscribers, fd);
    peer = {}, close(fd);
  } else if (!peer.upgraded) {
    peer.upgraded = true, send(fd, kSwitching.data(), kSwitching.size(), MSG_NOSIGNAL);
    if (fanout) subscribers.push_back(fd);
  } else {
    const std::size_t bytes = peer.partial + got, answer = bytes / request_bytes * reply_bytes;
    peer.partial = bytes % request_bytes;
    if (answer == 0 || !fanout) return answer > 0 ? reply(fd, answer) : void();
    if (!peer.publisher) peer.publisher = true, std::erase(subscribers, fd);
    for (int subscriber : subscribers) reply(subscriber, answer);
  }
}

int main(int argc, char** argv) {
  if (argc != 5) return fprintf(stderr, "floor echo|fanout PORT REQUEST REPLY\n"), 2;
  fanout = argv[1] == std::string("fanout");
  request_bytes = std::stoul(argv[3]), reply_bytes = std::stoul(argv[4]);
  buffer.assign(kReceiveBytes + reply_bytes, 'x');
  const int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in at{AF_INET, htons(in_port_t(std::stoi(argv[2]))), {htonl(INADDR_LOOPBACK)}, {}};
  setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);  // many floors may share a port
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  if (bind(listener, (sockaddr*)&at, sizeof at) || listen(listener, 4096))
    return perror("floor"), 1;
  epoll_fd = epoll_create1(0);
  epoll_event events[1024], event{.events = EPOLLIN, .data = {.fd = listener}};
  for (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);;) {
    for (int i = 0, ready = epoll_wait(epoll_fd, events, 1024, -1); i < ready; ++i) {
      if (const int fd = events[i].data.fd; fd != listener) {
        events[i].events& EPOLLOUT ? reply(fd, 0) : receive(fd);
      } else if ((event.data.fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
      }
    }
  }
}
