// RFC 6455 against the real binary over real sockets.
//   conformance [--list | --groups | --deflate-offered] [REGEX]
// Over TLS with SPATE_CONFORMANCE_TRANSPORT=tls, over a Unix-domain socket with =unix. With
// --deflate-offered the servers have --deflate and every client offers permessage-deflate: what it
// sends plain must be served the same. Starts a server for each set of flags that the chosen rows
// need, prints a line a row and a closing count, exits 1 when a row failed. Rows keep their numbers
// whatever REGEX chooses.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <regex>
#include <string>

#include "tests/conformance/exchange.h"
#include "tests/conformance/row.h"
#include "tests/system/server_process.h"

namespace spate::tests {
namespace {

// A row takes milliseconds, the largest a second; only a failing row waits for this long.
constexpr auto kRowTime = std::chrono::seconds(10);

Table full_table() {
  Table table;
  add_frame_rows(table);
  add_length_rows(table);
  add_control_rows(table);
  add_reserved_rows(table);
  add_fragment_rows(table);
  add_utf8_rows(table);
  add_close_rows(table);
  add_limit_rows(table);
  add_pipeline_rows(table);
  add_large_rows(table);
  add_disconnect_rows(table);
  add_handshake_rows(table);
  add_negotiation_rows(table);
  add_deflate_offer_rows(table);
  add_deflate_rows(table);
  return table;
}

std::string group_of(const Row& row) {
  return row.name.substr(0, row.name.find('/'));
}

// The plain handshake, with an offer; others are the business of their rows.
Case with_offer(Case out) {
  if (out.handshake.request != upgrade_request("{host}")) return out;
  out.handshake.request =
      upgrade_request("{host}", "/echo",
                      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  out.handshake.extensions =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  return out;
}

class Suite {
 public:
  Suite(std::string_view over, bool deflate_offered)
      : over_(over), deflate_offered_(deflate_offered) {}

  // Returns the exit status.
  int run(const Table& table, const std::regex& chosen) {
    std::string group;
    std::size_t number = 0;
    for (const Row& row : table.rows()) {
      ++number;
      if (!std::regex_search(row.name, chosen) || (deflate_offered_ && row.plain_only)) continue;
      if (group_of(row) != group) {
        judge_survivors(group);
        group = group_of(row);
      }
      const Verdict verdict = play_row(row);
      print(verdict, std::to_string(number), row.name, row.clause);
    }
    judge_survivors(group);
    stop_servers();
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    std::printf("%zu rows, %zu failed, %.1f s\n", rows_, failed_, seconds);
    return failed_ == 0 && rows_ > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  }

 private:
  void print(const Verdict& verdict, const std::string& number, const std::string& name,
             const std::string& clause) {
    ++rows_;
    if (!verdict.passed) ++failed_;
    std::printf("%s %s %s — %s\n%s", verdict.passed ? "ok" : "FAIL", number.c_str(), name.c_str(),
                clause.c_str(), verdict.report.c_str());
    std::fflush(stdout);
  }

  Verdict play_row(const Row& row) {
    ServerProcess* server = server_of(*row.profile);
    if (server == nullptr) return {false, "     the server does not start: " + why_ + "\n"};
    Verdict verdict = play(deflate_offered_ ? with_offer(row.make()) : row.make(),
                           server->endpoint(), within(kRowTime));
    if (!server->running()) {
      verdict.passed = false;
      verdict.report += "     the server has gone: " + describe(server->wait_exit(Clock::now())) +
                        "\n" + server->output();
      servers_.erase(row.profile->name);
    }
    return verdict;
  }

  // One server a profile, started by the first row that needs it. One that died under a row is
  // started anew for the next, so that a crash fails its own row only.
  ServerProcess* server_of(const Profile& profile) {
    auto& server = servers_[profile.name];
    if (server != nullptr) return server.get();
    Launch launch{.flags = profile.flags, .tls = over_ == "tls", .unix_domain = over_ == "unix"};
    if (deflate_offered_) launch.environment.emplace_back("SPATE_DEFLATE", "true");
    server = ServerProcess::start(launch, &why_);
    return server.get();
  }

  // After a group, with all its errors behind it, each server must serve on.
  void judge_survivors(const std::string& group) {
    if (group.empty()) return;
    for (const auto& [profile, server] : servers_) {
      if (server == nullptr) continue;
      std::string why;
      const bool serving = serves(server->endpoint(), within(kRowTime), &why);
      print({serving, serving ? "" : "     " + why + "\n"}, "-",
            group + "/the server serves on (" + std::string(profile) + ")", "RFC 6455 §7.1.7");
    }
  }

  void stop_servers() {
    for (const auto& [profile, server] : servers_) {
      if (server == nullptr) continue;
      const Exit exit = server->stop();
      const bool orderly = exit.exited && exit.status == 0;
      print({orderly, orderly ? "" : "     " + describe(exit) + "\n" + server->output()}, "-",
            "the server ends in order (" + std::string(profile) + ")", "RFC 6455 §7.1.1");
    }
  }

  const std::string_view over_;  // "tcp", "tls" or "unix"
  const bool deflate_offered_;
  Deadline start_ = Clock::now();
  std::map<std::string_view, std::unique_ptr<ServerProcess>> servers_;
  std::string why_;
  std::size_t rows_ = 0;
  std::size_t failed_ = 0;
};

void list(const Table& table, const std::regex& chosen) {
  std::size_t number = 0;
  for (const Row& row : table.rows()) {
    ++number;
    if (!std::regex_search(row.name, chosen)) continue;
    std::printf("%zu %s — %s\n", number, row.name.c_str(), row.clause.c_str());
  }
}

void list_groups(const Table& table) {
  std::string last;
  for (const Row& row : table.rows()) {
    if (group_of(row) != last) std::printf("%s\n", group_of(row).c_str());
    last = group_of(row);
  }
}

}  // namespace
}  // namespace spate::tests

int main(int argc, char** argv) {
  using namespace spate::tests;
  const char* transport = std::getenv("SPATE_CONFORMANCE_TRANSPORT");
  const std::string_view over = transport == nullptr ? "tcp" : transport;
  if (over != "tcp" && over != "tls" && over != "unix") {
    std::fprintf(stderr, "conformance: SPATE_CONFORMANCE_TRANSPORT=%s: write tcp, tls or unix\n",
                 transport);
    return 2;
  }
  const Table table = full_table();
  std::string_view mode;
  std::string pattern;
  for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
    (argument.starts_with("--") ? void(mode = argument) : void(pattern = argument));
  }
  if (mode == "--groups") return list_groups(table), 0;
  const std::regex chosen(pattern);
  if (mode == "--list") return list(table, chosen), 0;
  if (!mode.empty() && mode != "--deflate-offered") {
    std::fprintf(stderr, "usage: conformance [--list | --groups | --deflate-offered] [REGEX]\n");
    return 2;
  }
  return Suite(over, mode == "--deflate-offered").run(table, chosen);
}
