// An echo server that does one thing wrong, so that what judges servers can itself be judged.
//   misbehaving_server FAULT EVERY [broadcast]
// One message in EVERY suffers the fault. With broadcast a message goes not back but to all others.
// permessage-deflate is agreed to when offered: messages are inflated, and answered in stored
// blocks. Prints the port it listens on. Small and slow on purpose: one thread, poll(), no limits.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "codec/accept_key.h"
#include "codec/deflate.h"
#include "codec/deflate_terms.h"
#include "core/base.h"

namespace {

struct Peer {
  std::string in;
  std::string held_back;  // a reply that a later one overtakes, or that waits for a "pong!"
  bool pinged = false;    // in the protocol of the messages
  bool upgraded = false;
  bool deflate = false;
  bool over = false;  // to be closed once the reply is out
};

std::string fault;
std::uint64_t every = 0;
bool broadcast = false;
std::uint64_t messages = 0, upgrades = 0;
std::map<int, Peer> peers;

std::string frame(char opcode, std::string_view payload) {
  std::string bytes{static_cast<char>(0x80 | opcode)};
  if (payload.size() < 126) {
    bytes += static_cast<char>(payload.size());
  } else if (payload.size() < 65536) {
    bytes += {126, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
  } else {
    bytes += 127;
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes += static_cast<char>(payload.size() >> shift);
  }
  return bytes.append(payload);
}

constexpr char kRsv1 = 0x40;

// DEFLATE without compression (RFC 1951 §3.2.4), its last block empty and cut off as RFC 7692
// §7.2.1 says.
std::string stored(std::string_view payload) {
  std::string blocks;
  while (!payload.empty()) {
    const std::string_view part = payload.substr(0, 65535);
    const auto low = static_cast<char>(part.size()), high = static_cast<char>(part.size() >> 8);
    blocks += {0, low, high, static_cast<char>(~low), static_cast<char>(~high)};
    blocks += part;
    payload.remove_prefix(part.size());
  }
  return blocks += '\0';
}

std::string inflated(const std::string& payload) {
  static spate::codec::ZlibMemory memory;
  static spate::codec::Inflater inflater;
  static std::vector<std::byte> piece(1 << 16);
  if (!inflater.is_open()) SPATE_CHECK(inflater.open(memory, spate::codec::kMaxWindowBits));
  inflater.forget();
  inflater.start(spate::as_bytes(payload), UINT64_MAX);
  std::string message;
  auto status = spate::codec::InflateStatus::more;
  while (status == spate::codec::InflateStatus::more) {
    const auto result = inflater.next(piece);
    message += spate::as_text(spate::ConstBytes(piece).first(result.bytes));
    status = result.status;
  }
  SPATE_CHECK(status == spate::codec::InflateStatus::done);
  return message;
}

// Blocks until all is sent, in pieces of `piece` bytes.
void send_all(int fd, std::string_view bytes, std::size_t piece = std::string_view::npos) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), std::min(piece, bytes.size()), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Its close will be a reset.
void reset(int fd, Peer& peer) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  peer.over = true;
}

void stall() {
  using namespace std::chrono_literals;
  static auto last = std::chrono::steady_clock::now();
  if (std::chrono::steady_clock::now() - last < 400ms) return;
  std::this_thread::sleep_for(100ms);
  last = std::chrono::steady_clock::now();
}

bool compresses(const Peer& peer) {
  return peer.deflate && fault != "plain";
}

// What a message is on the wire, header apart.
std::string encoded(const Peer& peer, std::string_view payload) {
  return compresses(peer) ? stored(payload) : std::string(payload);
}

std::string message(const Peer& peer, char opcode, std::string_view payload) {
  return frame(static_cast<char>(compresses(peer) ? opcode | kRsv1 : opcode),
               encoded(peer, payload));
}

// Legal, with a ping between the fragments, unless the continuation claims to be compressed.
std::string fragments(const Peer& peer, char opcode, std::string_view payload) {
  const std::string bytes = encoded(peer, payload);
  std::string reply = frame(opcode, bytes.substr(0, 1));
  reply[0] = static_cast<char>(compresses(peer) ? opcode | kRsv1 : opcode);
  const char rest = fault == "rsv1-continuation" ? kRsv1 : 0;
  return reply + frame(9, "between") + frame(rest, bytes.substr(1));
}

// A compressed message whose DEFLATE data is none, or not all.
std::string broken_deflate(char opcode, std::string_view payload) {
  std::string bytes = stored(payload);
  if (fault == "cut-deflate") bytes.resize(bytes.size() / 2);
  if (fault == "corrupt-deflate") bytes[0] |= 6;  // a block type that there is not
  return frame(static_cast<char>(opcode | kRsv1), bytes);
}

// What goes out in answer to one message, faults included.
std::string faulty(int fd, Peer& peer, char opcode, std::string payload) {
  if (fault == "corrupt" && !payload.empty())
    payload.back() = static_cast<char>(payload.back() ^ 1);
  if (fault == "corrupt-number") payload.front() = static_cast<char>(payload.front() ^ 0x40);
  if (fault == "truncate") payload.pop_back();
  if (fault == "lengthen") payload += 'x';
  if (fault == "wrong-type") opcode = static_cast<char>(opcode ^ 3);
  if (fault.ends_with("-deflate")) return broken_deflate(opcode, payload);
  const std::string reply = message(peer, opcode, payload);
  if (fault == "drop") return {};
  if (fault == "double") return reply + reply;
  if (fault == "app-ping") {
    peer.pinged = true;
    return reply + frame(1, "ping?");
  }
  if (fault == "unasked") return reply + frame(opcode, "oooooooo") + frame(9, "ping");
  if (fault == "masked")
    return reply.substr(0, 1) + static_cast<char>(reply[1] | 0x80) + reply.substr(2);
  if (fault == "reserved-bits")
    return static_cast<char>(reply[0] | (peer.deflate ? kRsv1 / 2 : kRsv1)) + reply.substr(1);
  if (fault == "rsv1-ping") return reply + frame(9 | kRsv1, "ping");
  if (fault == "close") return frame(8, std::string_view("\x03\xe9", 2));
  if (fault == "reorder") {
    peer.held_back = reply;
    return {};
  }
  if (fault == "reset") reset(fd, peer);
  return reply;
}

std::string reply_to(int fd, Peer& peer, char opcode, const std::string& payload) {
  std::string reply;
  if (peer.pinged) {
    peer.held_back += message(peer, opcode, payload);
  } else if ((fault == "fragment" || fault == "rsv1-continuation") && payload.size() > 1) {
    reply = fragments(peer, opcode, payload);
  } else if (++messages % every == 0) {
    reply = faulty(fd, peer, opcode, payload);
  } else {
    reply = message(peer, opcode, payload) + peer.held_back;
    peer.held_back.clear();
  }
  return reply;
}

std::string answer(int fd, Peer& peer, char opcode, const std::string& payload) {
  if (opcode == 8) {
    peer.over = true;
    return frame(8, payload);
  }
  if (opcode == 9) return frame(10, fault == "wrong-pong" ? "?" + payload : payload);
  if (opcode == 10) return {};
  if (fault == "stall") stall();
  if (payload == "pong!") {
    peer.pinged = false;
    return std::exchange(peer.held_back, {});
  }
  if (!broadcast) return reply_to(fd, peer, opcode, payload);
  for (auto& [other, subscriber] : peers)
    if (other != fd && subscriber.upgraded)
      send_all(other, reply_to(other, subscriber, opcode, payload));
  return {};
}

// The header line that answers an offer of permessage-deflate. The faults are those of every second
// connection, so that some remain.
std::string extensions(Peer& peer) {
  const bool faulty = ++upgrades % 2 == 0;
  peer.deflate =
      peer.in.find("permessage-deflate") != std::string::npos && !(faulty && fault == "declines");
  if (!peer.deflate) return {};
  const char* const server_terms =
      faulty && fault == "keeps-context" ? "" : "; server_no_context_takeover";
  return std::string("sec-websocket-extensions: permessage-deflate") + server_terms +
         "; client_no_context_takeover\r\n";
}

void upgrade(int fd, Peer& peer) {
  const std::size_t end = peer.in.find("\r\n\r\n");
  if (end == std::string::npos) return;
  constexpr std::string_view kName = "Sec-WebSocket-Key: ";
  const std::string key =
      peer.in.substr(peer.in.find(kName) + kName.size(), spate::codec::kWebSocketKeyBytes);
  auto accept = spate::codec::accept_key(key);
  if (fault == "bad-accept") std::swap(accept[0], accept[1]), accept[2] = '!';
  std::string head = fault == "refuse"
                         ? "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
                         : "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
                           "connection: upgrade\r\nsec-websocket-accept: " +
                               std::string(accept.data(), accept.size()) + "\r\n" +
                               extensions(peer) + "\r\n";
  if (fault == "no-answer") head.clear();
  send_all(fd, head, fault == "dribble" ? 1 : std::string_view::npos);
  peer.in.erase(0, end + 4);
  peer.upgraded = true;
}

// Takes whole client frames from the front; what they are answered with.
std::string take_frames(int fd, Peer& peer) {
  std::string out;
  for (;;) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(peer.in[i]); };
    if (peer.in.size() < 2) return out;
    std::uint64_t length = byte(1) & 0x7f;
    const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    const std::size_t header = 2 + extended + 4;
    if (peer.in.size() < header) return out;
    if (extended > 0) length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | byte(2 + i);
    if (peer.in.size() < header + length) return out;
    std::string payload = peer.in.substr(header, length);
    for (std::size_t i = 0; i < length; ++i)
      payload[i] = static_cast<char>(payload[i] ^ peer.in[header - 4 + i % 4]);
    const char opcode = static_cast<char>(byte(0) & 0x0f);
    if (byte(0) & kRsv1) payload = inflated(payload);
    peer.in.erase(0, header + length);
    out += answer(fd, peer, opcode, payload);
  }
}

// False when the connection is gone.
bool receive(int fd, Peer& peer) {
  static char buffer[1 << 16];
  const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  peer.in.append(buffer, static_cast<std::size_t>(got));
  if (!peer.upgraded) upgrade(fd, peer);
  if (peer.upgraded && fault != "refuse" && fault != "mute")
    send_all(fd, take_frames(fd, peer), fault == "dribble" ? 1 : std::string_view::npos);
  return !peer.over;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  fault = argv[1];
  every = std::strtoull(argv[2], nullptr, 10);
  broadcast = argc > 3;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (bind(listener, address, size) != 0 || listen(listener, 128) != 0) return 1;
  getsockname(listener, address, &size);
  std::printf("%d\n", ntohs(at.sin_port));
  std::fflush(stdout);
  for (;;) {
    std::vector<pollfd> polled{{listener, POLLIN, 0}};
    for (const auto& [fd, peer] : peers) polled.push_back({fd, POLLIN, 0});
    poll(polled.data(), polled.size(), -1);
    for (const pollfd& one : polled) {
      if (one.revents == 0) continue;
      if (one.fd == listener) {
        if (const int fd = accept(listener, nullptr, nullptr); fd >= 0) peers[fd] = {};
      } else if (!receive(one.fd, peers[one.fd])) {
        close(one.fd);
        peers.erase(one.fd);
      }
    }
  }
}
