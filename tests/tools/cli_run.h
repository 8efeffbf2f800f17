// Runs spate-cli, and what it talks to: a server that plays a script.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "codec/frame.h"
#include "core/base.h"

namespace spate::cli {

struct Finished {
  int status;
  std::string out;
  std::string err;
};

// The program in a process of its own, for at most twenty seconds.
class Running {
 public:
  // `environment` is added to an environment without SPATE_… of ours.
  explicit Running(std::vector<std::string> arguments, std::vector<std::string> environment = {});
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // Standard output up to a text in it.
  void wait_for(std::string_view text);
  void signal(int number) const;
  Finished finish();

 private:
  bool read_more();

  int pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::int64_t deadline_ms_;
  std::string out_text_;
  std::string err_text_;
};

inline Finished spate_cli(std::vector<std::string> arguments,
                          std::vector<std::string> environment = {}) {
  return Running(std::move(arguments), std::move(environment)).finish();
}

// A connection as the server of the script has it. Every read has a deadline; what does not come
// ends the test.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // A request with its body, whole.
  std::string read_request();
  void write(std::string_view bytes);

  // The server's side of a WebSocket.
  void shake_hands();
  std::string read_text();
  void send_text(std::string_view text);
  void send_close(std::uint16_t code, std::string_view reason);
  // Until the client has closed too.
  void wait_for_end();

 private:
  bool receive();
  void send_frame(codec::Opcode opcode, std::string_view payload);

  int fd_;
  std::string in_;
};

// Serves one connection for each part of the script, one after another.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::function<void(Peer&)>> script);
  ~ScriptedServer();  // after the last part is through
  int port() const { return port_; }

 private:
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace spate::cli
