#include "tests/tools/cli_run.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "codec/handshake.h"
#include "codec/mask.h"

extern char** environ;

namespace spate::cli {
namespace {

constexpr std::int64_t kTimeoutMs = 20'000;

std::int64_t now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// False at the end of the stream.
bool drain(int fd, std::string& to) {
  char bytes[4096];
  const ssize_t count = read(fd, bytes, sizeof bytes);
  if (count > 0) to.append(bytes, static_cast<std::size_t>(count));
  return count > 0;
}

}  // namespace

Running::Running(std::vector<std::string> arguments, std::vector<std::string> environment)
    : deadline_ms_(now_ms() + kTimeoutMs) {
  int out[2], err[2];
  SPATE_CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  arguments.insert(arguments.begin(), SPATE_CLI);
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!std::string_view(*entry).starts_with("SPATE_")) environment.emplace_back(*entry);
  SPATE_CHECK(posix_spawn(&pid_, SPATE_CLI, &actions, nullptr, pointers(arguments).data(),
                          pointers(environment).data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

Running::~Running() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(out_);
  if (err_ >= 0) close(err_);
}

// False at the end of standard output, or when the time is over.
bool Running::read_more() {
  pollfd polled[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  const std::int64_t left = deadline_ms_ - now_ms();
  if (left <= 0 || poll(polled, 2, static_cast<int>(left)) <= 0) return false;
  if (polled[1].revents != 0 && !drain(err_, err_text_)) {
    close(err_);
    err_ = -1;
  }
  return polled[0].revents == 0 || drain(out_, out_text_);
}

void Running::wait_for(std::string_view text) {
  while (out_text_.find(text) == std::string::npos)
    ASSERT_TRUE(read_more()) << "waits for " << text << " in " << out_text_ << err_text_;
}

void Running::signal(int number) const {
  kill(pid_, number);
}

Finished Running::finish() {
  while (read_more()) {
  }
  if (now_ms() >= deadline_ms_) {
    ADD_FAILURE() << "still running: " << out_text_ << err_text_;
    kill(pid_, SIGKILL);
  }
  while (err_ >= 0 && drain(err_, err_text_)) {
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out_text_, err_text_};
}

Peer::~Peer() {
  close(fd_);
}

bool Peer::receive() {
  char bytes[4096];
  const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  in_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

void Peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string Peer::read_request() {
  codec::HttpHead head;
  for (;;) {
    const auto parsed = codec::parse_http_head(as_bytes(in_), {}, head);
    EXPECT_NE(parsed.status, codec::HttpParse::bad) << in_;
    if (parsed.status == codec::HttpParse::ok &&
        in_.size() >= parsed.consumed + head.content_length)
      return std::exchange(in_, {});
    if (!receive()) {
      ADD_FAILURE() << "no request: " << in_;
      return {};
    }
  }
}

void Peer::shake_hands() {
  const std::string request = read_request();
  codec::HttpHead head;
  codec::Handshake handshake;
  ASSERT_EQ(codec::parse_http_head(as_bytes(request), {}, head).status, codec::HttpParse::ok);
  ASSERT_EQ(codec::check_handshake(head, handshake), codec::HandshakeError::none);
  std::byte response[codec::kHandshakeResponseBytes];
  const std::size_t bytes = codec::write_handshake_response(response, handshake);
  write(as_text({response, bytes}));
}

// Pings and pongs of the protocol are messages; control frames do not come.
std::string Peer::read_text() {
  codec::FrameHeader header{};
  for (;;) {
    const auto parsed = codec::parse_frame_header(as_bytes(in_), 0, header);
    EXPECT_NE(parsed.status, codec::ParseStatus::bad);
    if (parsed.status == codec::ParseStatus::ok &&
        in_.size() >= header.header_bytes + header.payload_bytes) {
      EXPECT_EQ(header.opcode, codec::Opcode::text);
      std::string payload = in_.substr(header.header_bytes, header.payload_bytes);
      in_.erase(0, header.header_bytes + header.payload_bytes);
      auto* const bytes = reinterpret_cast<std::byte*>(payload.data());
      codec::unmask(bytes, bytes, payload.size(), header.masking_key);
      return payload;
    }
    if (!receive()) {
      ADD_FAILURE() << "no message";
      return {};
    }
  }
}

void Peer::send_frame(codec::Opcode opcode, std::string_view payload) {
  std::byte header[codec::kMaxServerHeaderBytes];
  const std::size_t bytes = codec::build_server_header(header, opcode, payload.size());
  write(as_text({header, bytes}));
  write(payload);
}

void Peer::send_text(std::string_view text) {
  send_frame(codec::Opcode::text, text);
}

void Peer::send_close(std::uint16_t code, std::string_view reason) {
  const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
  send_frame(codec::Opcode::close, std::string(bytes, 2).append(reason));
}

void Peer::wait_for_end() {
  while (receive()) {
  }
}

ScriptedServer::ScriptedServer(std::vector<std::function<void(Peer&)>> script)
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  SPATE_CHECK(bind(listener_, generic, bytes) == 0 && listen(listener_, 8) == 0 &&
              getsockname(listener_, generic, &bytes) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this, parts = std::move(script)] {
    for (const auto& part : parts) {
      pollfd polled{listener_, POLLIN, 0};
      if (poll(&polled, 1, static_cast<int>(kTimeoutMs)) != 1) {
        ADD_FAILURE() << "no connection";
        return;
      }
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const timeval timeout{.tv_sec = kTimeoutMs / 1000, .tv_usec = 0};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
      Peer peer(fd);
      part(peer);
    }
  });
}

ScriptedServer::~ScriptedServer() {
  thread_.join();
  close(listener_);
}

}  // namespace spate::cli
