// wslay on libev, one thread: echo, or every message to all other connections.
//   wslay echo|fanout PORT
// wslay knows frames only; the request's head is looked at just as far as its key.
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <unordered_set>

#include "codec/accept_key.h"
#include "codec/base64.h"

namespace {

struct Session {
  ev_io io;  // first, because libev hands back its address
  wslay_event_context_ptr frames = nullptr;
  std::string head;  // of the request, as long as it is not whole
  std::string out;   // what one turn produces leaves in one send
  bool upgraded = false;
};

bool fanout = false;
struct ev_loop* event_loop = nullptr;
std::unordered_set<Session*> everyone;

ssize_t receive(wslay_event_context_ptr context, std::uint8_t* to, std::size_t room, int,
                void* user) {
  const ssize_t got = recv(static_cast<Session*>(user)->io.fd, to, room, 0);
  if (got > 0) return got;
  const bool later = got < 0 && errno == EAGAIN;
  wslay_event_set_error(context, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
  return -1;
}

ssize_t collect(wslay_event_context_ptr, const std::uint8_t* bytes, std::size_t count, int,
                void* user) {
  static_cast<Session*>(user)->out.append(reinterpret_cast<const char*>(bytes), count);
  return static_cast<ssize_t>(count);
}

void end(Session* session) {
  ev_io_stop(event_loop, &session->io);
  close(session->io.fd);
  everyone.erase(session);
  if (session->frames) wslay_event_context_free(session->frames);
  delete session;
}

void watch(Session& session, int events) {
  if ((session.io.events & (EV_READ | EV_WRITE)) == events) return;
  ev_io_stop(event_loop, &session.io);
  ev_io_modify(&session.io, events);
  ev_io_start(event_loop, &session.io);
}

// A connection that breaks here is found broken by the next read.
void flush(Session& session) {
  if (session.frames && wslay_event_want_write(session.frames)) wslay_event_send(session.frames);
  if (session.out.empty()) return;
  const ssize_t sent = send(session.io.fd, session.out.data(), session.out.size(), MSG_NOSIGNAL);
  if (sent > 0) session.out.erase(0, static_cast<std::size_t>(sent));
  watch(session, session.out.empty() ? EV_READ : EV_READ | EV_WRITE);
}

void on_message(wslay_event_context_ptr context, const wslay_event_on_msg_recv_arg* message,
                void* user) {
  if (wslay_is_ctrl_frame(message->opcode)) return;
  const wslay_event_msg reply{message->opcode, message->msg, message->msg_length};
  if (!fanout) {
    wslay_event_queue_msg(context, &reply);
    return;
  }
  for (Session* other : everyone) {
    if (other == user || !other->upgraded) continue;
    wslay_event_queue_msg(other->frames, &reply);
    flush(*other);
  }
}

// False when the connection is over.
bool upgrade(Session& session) {
  char buffer[4096];
  const ssize_t got = recv(session.io.fd, buffer, sizeof buffer, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  session.head.append(buffer, static_cast<std::size_t>(got));
  if (!session.head.ends_with("\r\n\r\n")) return session.head.size() < sizeof buffer;
  constexpr std::string_view kName = "Sec-WebSocket-Key: ";
  const std::size_t name = session.head.find(kName);
  if (name == std::string::npos) return false;
  const auto accept = spate::codec::accept_key(
      session.head.substr(name + kName.size(), spate::codec::kWebSocketKeyBytes));
  session.out =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      std::string(accept.data(), accept.size()) + "\r\n\r\n";
  session.head = {};
  session.upgraded = true;
  const wslay_event_callbacks callbacks{receive, collect, nullptr,   nullptr,
                                        nullptr, nullptr, on_message};
  return wslay_event_context_server_init(&session.frames, &callbacks, &session) == 0;
}

void on_io(struct ev_loop*, ev_io* io, int events) {
  auto* const session = reinterpret_cast<Session*>(io);
  if (events & EV_READ) {
    const bool good =
        session->upgraded ? wslay_event_recv(session->frames) == 0 : upgrade(*session);
    if (!good) return end(session);
  }
  flush(*session);
  if (session->frames && wslay_event_get_close_sent(session->frames) && session->out.empty())
    end(session);
}

void on_accept(struct ev_loop*, ev_io* io, int) {
  for (;;) {
    const int fd = accept4(io->fd, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    auto* const session = new Session;
    ev_io_init(&session->io, on_io, fd, EV_READ);
    ev_io_start(event_loop, &session->io);
    everyone.insert(session);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "wslay echo|fanout PORT\n"), 2;
  fanout = argv[1] == std::string("fanout");
  const int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const sockaddr_in at{
      AF_INET, htons(static_cast<in_port_t>(std::stoi(argv[2]))), {htonl(INADDR_LOOPBACK)}, {}};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  if (bind(listener, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      listen(listener, 4096) != 0)
    return std::perror("wslay"), 1;
  event_loop = ev_default_loop(EVBACKEND_EPOLL);
  ev_io accepting;
  ev_io_init(&accepting, on_accept, listener, EV_READ);
  ev_io_start(event_loop, &accepting);
  ev_run(event_loop, 0);
}
