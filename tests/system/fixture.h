// What the system tests share: a server with given flags, clients of it, and waiting for a
// condition.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/server_process.h"
#include "tests/system/ws_client.h"

namespace spate::tests {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long a condition may take that holds at once on an idle machine.
inline Deadline soon() {
  return within(seconds(10));
}

class SystemTest : public testing::Test {
 protected:
  // Starts the server of this test, with an echo endpoint; the test fails if it does not start.
  void start(std::vector<std::string> flags, std::uint64_t max_open_files = 0) {
    flags.insert(flags.begin(), {"--echo", "/echo"});
    std::string why;
    server_ =
        ServerProcess::start({.flags = std::move(flags), .max_open_files = max_open_files}, &why);
    ASSERT_NE(server_, nullptr) << why;
  }

  void TearDown() override {
    if (server_ == nullptr) return;
    EXPECT_TRUE(server_->running()) << server_->output();
    if (HasFailure()) std::fputs(server_->output().c_str(), stderr);
  }

  ServerProcess& server() { return *server_; }

  // A connection that has been upgraded; null, and a failure, if the server does not.
  std::unique_ptr<WsClient> client(TcpOptions options = {}) {
    std::string why;
    auto out = WsClient::open(server_->endpoint(options), soon(), "/echo", &why);
    EXPECT_NE(out, nullptr) << why;
    return out;
  }

  // A TCP connection and nothing more.
  std::unique_ptr<RawClient> raw_client(TcpOptions options = {}) {
    auto stream = server_->endpoint(options).connect(soon());
    EXPECT_NE(stream, nullptr);
    return stream == nullptr ? nullptr : std::make_unique<RawClient>(std::move(stream));
  }

  // A fresh connection is upgraded and echoes.
  bool serves() {
    const auto fresh = client();
    return fresh != nullptr && fresh->echoes("served", soon());
  }

  std::unique_ptr<ServerProcess> server_;
};

// Asks until it is so; false at the deadline.
template <typename Condition>
bool eventually(Condition condition, Deadline deadline = soon()) {
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    ::usleep(5000);
  }
  return true;
}

// With what is in it, which workers of a killed master may be removing at the same time.
inline void remove_folder(const std::filesystem::path& folder) {
  std::error_code error;
  EXPECT_TRUE(eventually([&] {
    std::filesystem::remove_all(folder, error);
    return !std::filesystem::exists(folder, error);
  }));
}

}  // namespace spate::tests
