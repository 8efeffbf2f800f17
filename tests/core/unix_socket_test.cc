#include "core/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "core/log.h"
#include "tests/core/faulty_sys.h"
#include "tests/core/process_state.h"

namespace spate::core {
namespace {

namespace fs = std::filesystem;
using test::Call;
using test::sys_faults;

class UnixSocket : public testing::Test {
 protected:
  // The log keeps a descriptor for as long as the process lives.
  static void SetUpTestSuite() { log::init(log::Level::error, log::Format::text); }
  UnixSocket() : descriptors_(test::open_descriptors().size()) {
    char name[] = "/tmp/spate-unix-XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    directory = name;
    address = parse_address("unix:" + path().string()).value();
    sys_faults().reset();
  }
  ~UnixSocket() override {
    sys_faults().reset();
    fs::remove_all(directory);
    EXPECT_EQ(test::open_descriptors().size(), descriptors_);
  }

  fs::path path() const { return directory / "spate.sock"; }
  // A socket that lies at the path; listening only if asked to.
  int bound(int type, bool listening) {
    const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(fd, address.get(), address.bytes), 0);
    EXPECT_TRUE(!listening || ::listen(fd, 1) == 0);
    return fd;
  }
  bool answers() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(fd, address.get(), address.bytes) == 0;
    ::close(fd);
    return connected;
  }
  bool is_socket() { return fs::is_socket(fs::symlink_status(path())); }
  void expect_refused(const std::string& why) {
    const auto listener = listen_at_path(address, 16, 0600);
    ASSERT_FALSE(listener.ok());
    EXPECT_EQ(listener.error(), "cannot listen on unix:" + path().string() + ": " + why);
  }

  fs::path directory;
  Address address;

 private:
  std::size_t descriptors_;
};

TEST_F(UnixSocket, ListensAndLeavesNothing) {
  {
    auto listener = listen_at_path(address, 16, 0600);
    ASSERT_TRUE(listener.ok()) << listener.error();
    EXPECT_TRUE(answers());
    ::close(listener->fd);
    EXPECT_TRUE(is_socket());
  }
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(UnixSocket, ModeIsWhatWasAskedForWhateverTheUmask) {
  for (const mode_t umask : {0u, 022u, 0777u}) {
    for (const unsigned mode : {0u, 0600u, 0660u, 0666u, 0777u}) {
      const mode_t before = ::umask(umask);
      auto listener = listen_at_path(address, 16, mode);
      ASSERT_TRUE(listener.ok()) << listener.error();
      struct stat file {};
      EXPECT_EQ(::lstat(path().c_str(), &file), 0);
      EXPECT_EQ(file.st_mode & 07777, mode);
      EXPECT_EQ(::umask(before), umask) << "it is as it was";
      ::close(listener->fd);
    }
  }
}

TEST_F(UnixSocket, StaleOneIsReplaced) {
  ::close(bound(SOCK_STREAM, true));
  ASSERT_TRUE(is_socket());
  const auto listener = listen_at_path(address, 16, 0600);
  ASSERT_TRUE(listener.ok()) << listener.error();
  EXPECT_TRUE(answers());
  ::close(listener->fd);
}

TEST_F(UnixSocket, OneThatSomebodyListensAtIsLeftToThem) {
  const int other = bound(SOCK_STREAM, true);
  expect_refused("another process listens there; stop it or choose another path");
  EXPECT_TRUE(answers());
  // Nor is it taken for a stale one when so many wait that the queue is full.
  sys_faults().fail(Call::connect, 0, EAGAIN);
  expect_refused("another process listens there; stop it or choose another path");
  EXPECT_TRUE(is_socket());
  ::close(other);
}

TEST_F(UnixSocket, OneOfAnotherTypeIsLeftAlone) {
  ::close(bound(SOCK_DGRAM, false));
  const auto listener = listen_at_path(address, 16, 0600);
  // Nobody holds it: as stale as a stream's.
  ASSERT_TRUE(listener.ok()) << listener.error();
  ::close(listener->fd);
  fs::remove(path());
  const int other = bound(SOCK_DGRAM, false);
  expect_refused(
      "there is a socket, and whether somebody uses it cannot be seen (Protocol wrong type for "
      "socket); remove it, or choose another path");
  EXPECT_TRUE(is_socket());
  ::close(other);
}

TEST_F(UnixSocket, WhatIsNoSocketIsNeverRemoved) {
  constexpr const char* kWhy =
      "there is something that is not a socket; move it away, or choose another path";
  std::ofstream(path()) << "kept";
  expect_refused(kWhy);
  EXPECT_TRUE(fs::is_regular_file(path()));
  fs::remove(path());
  fs::create_directory(path());
  expect_refused(kWhy);
  EXPECT_TRUE(fs::is_directory(path()));
  fs::remove(path());
  // A link is judged itself, not what it leads to.
  fs::create_symlink(directory / "elsewhere", path());
  expect_refused(kWhy);
  EXPECT_TRUE(fs::is_symlink(fs::symlink_status(path())));
}

TEST_F(UnixSocket, DirectoryMustBeThere) {
  fs::remove_all(directory);
  expect_refused("its directory: No such file or directory");
}

TEST_F(UnixSocket, FileOfAnotherIsNotRemovedAtTheEnd) {
  auto first = listen_at_path(address, 16, 0600);
  ASSERT_TRUE(first.ok());
  fs::remove(path());
  const int other = bound(SOCK_STREAM, true);
  first->file.remove();
  EXPECT_TRUE(answers());
  ::close(first->fd);
  ::close(other);
}

TEST_F(UnixSocket, TwoThatStartAtOnceDoNotTakeItFromEachOther) {
  const int directory_fd = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(directory_fd, LOCK_EX), 0);
  expect_refused("another process has locked the directory; try again");
  EXPECT_GT(sys_faults().calls(Call::sleep), 10u) << "it was waited for";
  ::close(directory_fd);
  const auto listener = listen_at_path(address, 16, 0600);
  EXPECT_TRUE(listener.ok());
  ::close(listener->fd);
}

// Whatever fails: it says so, nothing of ours is left, and nothing of others is gone.
TEST_F(UnixSocket, EveryFailureLeavesThingsAsTheyWere) {
  constexpr Call kCalls[] = {Call::open_reader, Call::lock_file,     Call::socket, Call::connect,
                             Call::bind,        Call::file_identity, Call::listen, Call::unlink};
  for (const bool stale : {false, true}) {
    for (const Call call : kCalls) {
      for (int number = 0; number < 3; ++number) {
        fs::remove(path());
        if (stale) ::close(bound(SOCK_STREAM, true));
        sys_faults().reset();
        sys_faults().fail(call, static_cast<std::uint64_t>(number), EIO);
        std::optional<Result<UnixListener>> listener = listen_at_path(address, 16, 0600);
        const bool failed = sys_faults().injected() > 0;
        ASSERT_EQ(listener->ok(), !failed) << static_cast<int>(call) << " " << number;
        if (listener->ok()) {
          ::close((*listener)->fd);
        } else {
          EXPECT_NE(listener->error().find("Input/output error"), std::string::npos);
          EXPECT_FALSE(answers());
        }
        sys_faults().reset();
        listener.reset();
        EXPECT_TRUE((stale && failed) || !fs::exists(path())) << static_cast<int>(call);
      }
    }
  }
}

}  // namespace
}  // namespace spate::core
