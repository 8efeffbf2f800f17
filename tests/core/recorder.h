// A protocol that notes what it is told, and does what the test hangs into its hooks. Fails the
// test when a connection is told anything before on_open or after on_close, or is closed twice.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/connection_table.h"

namespace spate::test {

class Recorder : public core::Protocol {
 public:
  std::function<void(core::Connection&)> open_hook;
  std::function<core::Kept(core::Connection&, const core::ReceiveWindow&)> bytes_hook;
  std::function<void(core::Connection&)> end_hook;
  std::function<void(core::Connection&)> keep_refused_hook;
  std::function<void(core::Connection&)> overflow_hook;
  std::function<void(core::Connection&)> drained_hook;
  std::function<core::Tick(core::Connection&, core::Tick)> timer_hook;
  std::function<void(core::Connection&)> leave_hook;
  std::function<void(core::Connection&, core::CloseCause)> close_hook;

  // What was said, in order: "open", "bytes:…", "end", "close:reset" and so on.
  std::vector<std::string> said;
  std::vector<core::CloseCause> causes;

  std::size_t count(const std::string& event) const {
    std::size_t found = 0;
    for (const std::string& each : said) found += each == event;
    return found;
  }
  std::size_t living() const { return living_.size(); }

  void on_open(core::Connection& connection) override {
    EXPECT_TRUE(living_.emplace(key(connection), true).second);
    note(connection, "open");
    if (open_hook) open_hook(connection);
  }
  core::Kept on_bytes(core::Connection& connection, const core::ReceiveWindow& window) override {
    note(connection, "bytes:" + std::string(as_text(window.bytes)));
    return bytes_hook ? bytes_hook(connection, window) : core::Kept{};
  }
  void on_end(core::Connection& connection) override {
    note(connection, "end");
    if (end_hook) end_hook(connection);
  }
  void on_keep_refused(core::Connection& connection) override {
    note(connection, "keep refused");
    if (keep_refused_hook) keep_refused_hook(connection);
  }
  void on_overflow(core::Connection& connection) override {
    note(connection, "overflow");
    if (overflow_hook) overflow_hook(connection);
  }
  void on_drained(core::Connection& connection) override {
    note(connection, "drained");
    if (drained_hook) drained_hook(connection);
  }
  core::Tick on_timer(core::Connection& connection, core::Tick now) override {
    note(connection, "timer");
    return timer_hook ? timer_hook(connection, now) : core::kNoDeadline;
  }
  void on_leave(core::Connection& connection) override {
    note(connection, "leave");
    if (leave_hook) leave_hook(connection);
  }
  void on_close(core::Connection& connection, core::CloseCause cause) override {
    note(connection, "close");
    living_.erase(key(connection));
    causes.push_back(cause);
    if (close_hook) close_hook(connection, cause);
  }

 private:
  static std::pair<std::uint32_t, std::uint32_t> key(const core::Connection& connection) {
    return {connection.slot, connection.generation};
  }
  void note(const core::Connection& connection, std::string event) {
    EXPECT_TRUE(living_.contains(key(connection))) << event << " for one that is not open";
    said.push_back(std::move(event));
  }

  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> living_;
};

}  // namespace spate::test
