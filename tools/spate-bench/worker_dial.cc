// The part of a Worker that opens connections: from a socket to the 101.
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "tools/spate-bench/worker.h"

namespace spate::bench {

namespace {

constexpr std::size_t kMaxHeadBytes = 16 * 1024;

Error connect_error(int error) {
  return error == ECONNREFUSED ? Error::connect_refused
         : error == ETIMEDOUT  ? Error::connect_timed_out
                               : Error::connect_failed;
}

// Only loopback has source addresses to spare: 127.0.0.0/8, of which .0.0.1 is left to others.
sockaddr_in source_address(std::uint32_t which) {
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + which);
  return source;
}

}  // namespace

void Worker::dial_more(std::uint64_t now) {
  while (begun_ < wanted_ && dialing_ < most_dialing_ && dial_next_ns_ <= now) {
    const std::uint64_t due = dial_interval_ns_ > 0 ? dial_next_ns_ : now;
    dial_next_ns_ += dial_interval_ns_;
    dial(connections_[begun_++], due);
  }
}

void Worker::dial(Connection& connection, std::uint64_t due_ns) {
  stats().attempted.add();
  ++dialing_;
  ++connection.attempt;
  connection.due_ns = due_ns;
  give_up_dials_ns_ = std::min(give_up_dials_ns_, due_ns + timeout_ns_);
  connection.state = Connection::State::connecting;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  connection.io.fd = fd;
  if (fd < 0) return dial_failed(connection, Error::connect_failed);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (ntohl(options_.server.sin_addr.s_addr) >> 24 == 127) {
    const auto source = source_address((id_of(connection) + connection.attempt) % options_.sources);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0)
      return dial_failed(connection, Error::connect_failed);
  }
  const auto* server = reinterpret_cast<const sockaddr*>(&options_.server);
  if (connect(fd, server, sizeof options_.server) == 0) return on_connected(connection, now_ns());
  if (errno != EINPROGRESS) return dial_failed(connection, connect_error(errno));
  watch(connection, EV_WRITE);
}

void Worker::dial_failed(Connection& connection, Error why) {
  --dialing_;
  stats().failed.add();
  stats().error(why);
  release(connection);
  next_ns_ = 0;
  player_->dial_failed(connection, now_ns());
}

void Worker::on_connected(Connection& connection, std::uint64_t now) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection.io.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return dial_failed(connection, connect_error(error));
  if (!options_.tls) return request_upgrade(connection, now);
  connection.tls = tls_.session(connection.io.fd);
  connection.state = Connection::State::securing;
  on_securing(connection, now);
}

void Worker::on_securing(Connection& connection, std::uint64_t now) {
  const TlsMoved moved = tls_.shake_hands(connection.tls);
  if (moved.outcome == TlsMoved::Outcome::moved) {
    (TlsClient::resumed(connection.tls) ? stats().tls_resumed : stats().tls_full).add();
    return request_upgrade(connection, now);
  }
  if (moved.outcome != TlsMoved::Outcome::again) return dial_failed(connection, Error::tls_failed);
  watch(connection, moved.wants_write ? EV_WRITE : EV_READ);
}

void Worker::request_upgrade(Connection& connection, std::uint64_t now) {
  const std::string_view request = handshake_.request(id_of(connection), connection.attempt);
  connection.state = Connection::State::upgrading;
  // A fresh socket's send buffer holds a request head whole.
  if (send_some(connection, as_bytes(request)) != static_cast<ssize_t>(request.size()))
    return fail(connection, Error::connection_reset, now);
  watch(connection, EV_READ);
}

void Worker::on_head(Connection& connection, ConstBytes bytes, std::uint64_t now) {
  std::string joined;
  std::string_view text = as_text(bytes);
  if (connection.head) {
    joined = connection.head->append(text);
    text = joined;
  }
  const auto end = head_end(text);
  if (!end) {
    if (text.size() > kMaxHeadBytes) return fail(connection, Error::handshake_malformed, now);
    connection.head = std::make_unique<std::string>(text);
    return;
  }
  const auto wrong = handshake_.refuse(text.substr(0, *end), id_of(connection), connection.attempt);
  if (wrong && !(options_.raw && *wrong == Error::handshake_accept_key))
    return fail(connection, *wrong, now);
  connection.head.reset();
  connection.state = Connection::State::open;
  --dialing_;
  stats().opened.add();
  stats().open.add();
  stats().connecting.record(now - std::min(now, connection.due_ns));
  next_ns_ = 0;
  player_->opened(connection, now);
  if (connection.open() && *end < text.size())
    player_->received(connection, as_bytes(text.substr(*end)), now);
}

// Looking at every connection is dear where there are many: not before a dial can be overdue.
void Worker::give_up_dials(std::uint64_t now) {
  if (now < give_up_dials_ns_) return;
  give_up_dials_ns_ = now + timeout_ns_;
  for (Connection& connection : connections_) {
    if (connection.state == Connection::State::idle || connection.open()) continue;
    if (now < connection.due_ns + timeout_ns_) {
      give_up_dials_ns_ = std::min(give_up_dials_ns_, connection.due_ns + timeout_ns_);
      continue;
    }
    dial_failed(connection, connection.state == Connection::State::connecting
                                ? Error::connect_timed_out
                                : Error::handshake_timed_out);
  }
}

}  // namespace spate::bench
