// Runs spate-bench against a misbehaving server and hands back its JSON.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <vector>

namespace spate::bench {

class MisbehavingServer {
 public:
  explicit MisbehavingServer(const std::string& fault, bool broadcast = false);
  ~MisbehavingServer();
  MisbehavingServer(const MisbehavingServer&) = delete;
  MisbehavingServer& operator=(const MisbehavingServer&) = delete;

  [[nodiscard]] std::string url() const;
  [[nodiscard]] int pid() const { return pid_; }

 private:
  int pid_ = -1;
  int out_ = -1;
  int port_ = 0;
};

struct BenchRun {
  int status;  // exit status
  rapidjson::Document json;

  [[nodiscard]] std::uint64_t errors(const char* kind) const;
  [[nodiscard]] std::uint64_t all_errors() const;
  [[nodiscard]] double number(const char* group, const char* name) const;
};

// Adds --quiet and --json.
BenchRun spate_bench(std::vector<std::string> arguments);

}  // namespace spate::bench
