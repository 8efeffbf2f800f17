// A descriptor that does not take lines: nothing here may wait for it. A test that does is ended by
// the alarm.
#include "core/log_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <iterator>

namespace spate::core::log {
namespace {

constexpr unsigned kAlarmSeconds = 60;

class LogOutputTest : public testing::Test {
 protected:
  LogOutputTest() {
    std::signal(SIGPIPE, SIG_IGN);
    alarm(kAlarmSeconds);
  }
  ~LogOutputTest() override {
    alarm(0);
    for (const int fd : ends) close(fd);
  }

  void make_pipe() { ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0); }
  // Small buffers, so that a line goes out in pieces.
  void make_socket() {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const int bytes = 2048;
    ASSERT_EQ(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
  }
  int writer() const { return ends[1]; }

  // What is there to be read now.
  std::string read_some() {
    std::string out;
    std::array<char, 4096> block;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (ssize_t bytes; (bytes = read(ends[0], block.data(), block.size())) > 0;)
      out.append(block.data(), static_cast<std::size_t>(bytes));
    return out;
  }

  static std::string line(int number) {
    return "line " + std::to_string(number) + std::string(200, '.') + "\n";
  }

  // Writes `count` lines, then reads and flushes in turn; what came out must be the first of them,
  // whole.
  void expect_first_lines_whole(LogOutput& output, int count) {
    for (int i = 0; i < count; ++i) output.write(line(i));
    ASSERT_GT(output.dropped(), 0u);
    std::string got = read_some();
    while (!output.flush()) got += read_some();
    got += read_some();
    std::string expect;
    for (int i = 0; i < count - static_cast<int>(output.dropped()); ++i) expect += line(i);
    EXPECT_EQ(got, expect);
  }

  std::array<int, 2> ends{-1, -1};
};

TEST_F(LogOutputTest, FullPipeKeepsThenDropsInOrder) {
  make_pipe();
  LogOutput output(writer());
  expect_first_lines_whole(output, 5'000);
}

TEST_F(LogOutputTest, FullSocketTakesPiecesAndLinesStayWhole) {
  make_socket();
  LogOutput output(writer());
  expect_first_lines_whole(output, 5'000);
}

TEST_F(LogOutputTest, PipeThatCannotBeReopenedIsPolled) {
  make_pipe();
  // Without a reader the reopening fails; the reader that comes back afterwards is the same pipe's.
  const std::string path = "/proc/self/fd/" + std::to_string(writer());
  close(ends[0]);
  LogOutput output(writer());
  ends[0] = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(ends[0], 0);
  expect_first_lines_whole(output, 5'000);
}

TEST_F(LogOutputTest, FlagsOfTheSharedDescriptionStay) {
  make_pipe();
  const int before = fcntl(writer(), F_GETFL);
  LogOutput output(writer());
  output.write("x\n");
  EXPECT_EQ(fcntl(writer(), F_GETFL), before);
  EXPECT_EQ(before & O_NONBLOCK, 0);
}

TEST_F(LogOutputTest, KeptIsBounded) {
  make_pipe();
  LogOutput output(writer());
  for (int i = 0; i < 5'000; ++i) output.write(line(i));
  EXPECT_FALSE(output.has_room(line(0).size()));
  EXPECT_FALSE(output.flush(1));
  const std::string pipe_full = read_some();
  EXPECT_FALSE(pipe_full.empty());
  std::string kept;
  while (!output.flush(1)) kept += read_some();
  kept += read_some();
  EXPECT_GT(kept.size(), LogOutput::kMaxKeptBytes - line(0).size() - 10);
  EXPECT_LE(kept.size(), LogOutput::kMaxKeptBytes);
}

TEST_F(LogOutputTest, ReaderGoneIsDroppedAndCounted) {
  make_pipe();
  LogOutput output(writer());
  for (int i = 0; i < 1'000; ++i) output.write(line(i));
  const std::uint64_t before = output.dropped();
  std::string in_pipe = read_some();
  const auto delivered =
      static_cast<std::uint64_t>(std::count(in_pipe.begin(), in_pipe.end(), '\n'));
  close(ends[0]);
  ends[0] = -1;
  EXPECT_TRUE(output.flush());
  EXPECT_EQ(output.dropped(), 1'000 - delivered);
  EXPECT_GT(output.dropped(), before);
  output.write("x\n");
  EXPECT_EQ(output.dropped(), 1'001 - delivered);
}

TEST_F(LogOutputTest, ForgetLeavesNothingToWrite) {
  make_pipe();
  LogOutput output(writer());
  for (int i = 0; i < 5'000; ++i) output.write(line(i));
  read_some();
  output.forget();
  EXPECT_EQ(output.dropped(), 0u);
  EXPECT_EQ(output.unreported(), 0u);
  EXPECT_TRUE(output.flush());
  EXPECT_EQ(read_some(), "");
}

TEST_F(LogOutputTest, UnreportedEndsWithMarkReported) {
  make_pipe();
  LogOutput output(writer());
  for (int i = 0; i < 5'000; ++i) output.write(line(i));
  EXPECT_EQ(output.unreported(), output.dropped());
  output.mark_reported();
  EXPECT_EQ(output.unreported(), 0u);
  output.write(line(0));
  EXPECT_EQ(output.unreported(), 1u);
}

TEST_F(LogOutputTest, RegularFileIsAppendedWhereTheDescriptorStands) {
  const std::string path = testing::TempDir() + "log-output-" + std::to_string(getpid());
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "before\n", 7), 7);
  LogOutput output(fd);
  output.write("one\n");
  ASSERT_EQ(write(fd, "between\n", 8), 8);
  output.write("two\n");
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "before\none\nbetween\ntwo\n");
  close(fd);
  unlink(path.c_str());
}

TEST_F(LogOutputTest, FullDiskAndClosedDescriptorAreCounted) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  LogOutput disk(full);
  disk.write("x\n");
  EXPECT_EQ(disk.dropped(), 1u);
  close(full);
  LogOutput closed(full);
  closed.write("x\n");
  EXPECT_EQ(closed.dropped(), 1u);
}

}  // namespace
}  // namespace spate::core::log
