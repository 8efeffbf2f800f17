// Unix-domain listeners of the real binary: whose the file is, and that all workers serve it.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/system/http_exchange.h"
#include "tests/system/process_facts.h"
#include "tests/system/test_certificate.h"

namespace spate::tests {
namespace {

namespace fs = std::filesystem;

class UnixListener : public HttpTest {
 protected:
  UnixListener() {
    std::string pattern = fs::temp_directory_path() / "spate-unix-test-XXXXXX";
    SPATE_CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~UnixListener() override {
    server_.reset();
    remove_folder(folder_);
  }

  std::string path() const { return folder_ / "spate.sock"; }
  std::string internal_path() const { return folder_ / "internal.sock"; }
  bool is_socket() const { return fs::is_socket(fs::symlink_status(path())); }

  // A server at both paths and no port.
  void start_at_paths(std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"--listen", "unix:" + path(), "--internal-listen",
                                 "unix:" + internal_path(), "--echo", "/echo"});
    server_ = std::make_unique<ServerProcess>(Launch{.flags = std::move(flags)});
    ASSERT_TRUE(server().wait_for_output("master: ready: ", soon())) << server().output();
  }
  RunResult run_at(const std::string& address) {
    return run_binary({.flags = {"--listen", address, "--internal-listen", ""}});
  }
  void expect_taken(const RunResult& result, const std::string& why) {
    EXPECT_TRUE(result.exit.exited && result.exit.status == 1) << describe(result.exit);
    EXPECT_NE(result.standard_error.find("cannot listen on unix:" + path() + ": " + why),
              std::string::npos)
        << result.standard_error;
    EXPECT_NE(result.standard_error.find("(--listen)"), std::string::npos);
  }
  std::unique_ptr<WsClient> client_at_path() {
    std::string why;
    auto out = WsClient::open(unix_endpoint(path()), soon(), "/echo", &why);
    EXPECT_NE(out, nullptr) << why;
    return out;
  }
  bool serves_at_path() {
    const auto fresh = client_at_path();
    return fresh != nullptr && fresh->echoes("over a path", soon());
  }
  // Connections of each worker, by its own count.
  std::vector<int> websockets(int workers) {
    auto stream = unix_endpoint(internal_path()).connect(soon());
    std::vector<int> counts;
    if (stream == nullptr) return counts;
    RawClient asker(std::move(stream));
    asker.send(request("GET", "/metrics?by=worker"), soon());
    const std::string body = response(asker).body;
    for (int i = 0; i < workers; ++i) {
      const std::string sample = "spate_websockets{worker=\"" + std::to_string(i) + "\"} ";
      const std::size_t at = body.find("\n" + sample);
      counts.push_back(at == std::string::npos ? -1 : std::atoi(&body[at + 1 + sample.size()]));
    }
    return counts;
  }
  std::vector<pid_t> workers() {
    auto tree = process_tree(server().pid());
    std::erase(tree, server().pid());
    return tree;
  }

  fs::path folder_;
};

TEST_F(UnixListener, ServesWithTheModeThatWasAskedForAndLeavesNothing) {
  start_at_paths({"--workers", "2", "--unix-mode", "0640"});
  for (const std::string& each : {path(), internal_path()}) {
    struct stat file {};
    ASSERT_EQ(::lstat(each.c_str(), &file), 0);
    EXPECT_TRUE(S_ISSOCK(file.st_mode));
    EXPECT_EQ(file.st_mode & 07777, 0640u);
  }
  EXPECT_TRUE(serves_at_path());
  const Exit exit = server().stop(soon());
  EXPECT_TRUE(exit.exited && exit.status == 0) << describe(exit);
  EXPECT_TRUE(fs::is_empty(folder_));
  server_.reset();
}

TEST_F(UnixListener, ModeIs0660UnlessToldOtherwise) {
  start_at_paths({"--workers", "1"});
  struct stat file {};
  ASSERT_EQ(::lstat(path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0660u);
}

TEST_F(UnixListener, SpeaksTls) {
  const TestCertificate certificate;
  server_ = std::make_unique<ServerProcess>(
      Launch{.flags = {"--listen", "tls:unix:" + path(), "--internal-listen", "", "--echo", "/echo",
                       "--tls-cert", certificate.certificate(), "--tls-key", certificate.key()}});
  ASSERT_TRUE(server().wait_for_output("listening on tls:unix:" + path(), soon()));
  std::string why;
  const auto client = WsClient::open(tls_unix_endpoint(path()), soon(), "/echo", &why);
  ASSERT_NE(client, nullptr) << why;
  EXPECT_TRUE(client->echoes("secret", soon()));
}

TEST_F(UnixListener, FileOfAServerThatWasKilledIsReplaced) {
  const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(left, 1), 0);
  ::close(left);
  ASSERT_TRUE(is_socket());
  start_at_paths();
  EXPECT_TRUE(serves_at_path());
  EXPECT_NE(server().output().find("where nobody listened any more"), std::string::npos);
}

TEST_F(UnixListener, SecondInstanceAtAPathIsRefused) {
  start_at_paths({"--workers", "2"});
  expect_taken(run_at("unix:" + path()), "another process listens there");
  EXPECT_TRUE(is_socket());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(serves_at_path());
}

TEST_F(UnixListener, WhatIsNoSocketIsNeverRemoved) {
  std::ofstream(path()) << "kept";
  expect_taken(run_at("unix:" + path()), "there is something that is not a socket");
  EXPECT_EQ(fs::file_size(path()), 4u);
}

TEST_F(UnixListener, RefusalOfALaterListenerLeavesNoFileOfTheFirst) {
  std::ofstream(internal_path()) << "kept";
  const RunResult result = run_binary(
      {.flags = {"--listen", "unix:" + path(), "--internal-listen", "unix:" + internal_path()}});
  EXPECT_EQ(result.exit.status, 1);
  EXPECT_NE(result.standard_error.find("(--internal-listen)"), std::string::npos);
  EXPECT_FALSE(fs::exists(path()));
}

// One socket, and the kernel would give all that come one by one to the same worker.
TEST_F(UnixListener, WorkersShareIt) {
  constexpr int kWorkers = 3;
  start_at_paths({"--workers", std::to_string(kWorkers)});
  std::vector<std::unique_ptr<WsClient>> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(client_at_path());
    ASSERT_NE(clients.back(), nullptr);
    ASSERT_TRUE(clients.back()->echoes("shared", soon()));
  }
  int sum = 0;
  for (const int count : websockets(kWorkers)) {
    EXPECT_GE(count, 60 / kWorkers / 4);
    sum += count;
  }
  EXPECT_EQ(sum, 60);
}

TEST_F(UnixListener, WorkersThatDieLeaveItToTheOthers) {
  constexpr int kWorkers = 3;
  start_at_paths({"--workers", std::to_string(kWorkers)});
  // One of each kind of end; the socket is never without somebody, and never without its file.
  for (const int blow : {SIGKILL, SIGTERM, SIGSTOP}) {
    ASSERT_EQ(::kill(workers().front(), blow), 0);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(serves_at_path()) << "after signal " << blow;
    EXPECT_TRUE(is_socket());
    ASSERT_TRUE(eventually([&] { return workers().size() == kWorkers; }));
  }
  for (const pid_t worker : workers()) ::kill(worker, SIGCONT);
}

TEST_F(UnixListener, OneWorkerThatDrainsServesItsOwnToTheEnd) {
  start_at_paths({"--workers", "2", "--drain-seconds", "1"});
  std::vector<std::unique_ptr<WsClient>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(client_at_path());
  ASSERT_EQ(::kill(workers().front(), SIGTERM), 0);
  int left = 0;
  for (const auto& each : clients) {
    ASSERT_NE(each, nullptr);
    if (each->echoes("still", soon())) continue;
    ++left;  // closed with 1001: it was the leaving one's
  }
  EXPECT_LT(left, 20);
  EXPECT_TRUE(serves_at_path());
}

TEST_F(UnixListener, FullServerSaysSoThere) {
  start_at_paths({"--workers", "2", "--max-connections", "3"});
  std::vector<std::unique_ptr<WsClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(client_at_path());
    ASSERT_NE(clients.back(), nullptr) << "there was room at a neighbour's: " << i;
  }
  RawClient seventh(unix_endpoint(path()).connect(soon()));
  EXPECT_EQ(response(seventh).status(), 503);
  // The internal one goes on to serve.
  EXPECT_EQ(websockets(2), (std::vector<int>{3, 3}));
}

TEST_F(UnixListener, WorkersOfAKilledMasterRemoveIt) {
  start_at_paths({"--workers", "2", "--drain-seconds", "0"});
  ASSERT_TRUE(serves_at_path());
  server().signal(SIGKILL);
  EXPECT_EQ(server().wait_exit(soon()).signal, SIGKILL);
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_); }));
  server_.reset();
}

}  // namespace
}  // namespace spate::tests
