// The log as a process has it: each test runs it in a child whose standard error is the test's to
// read.
#include "core/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

namespace spate::core::log {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

constexpr unsigned kAlarmSeconds = 60;
constexpr const char* kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z";

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    close_writer();
  }
  void close_writer() {
    if (ends[1] >= 0) close(std::exchange(ends[1], -1));
  }
  void tell() { EXPECT_EQ(::write(ends[1], "!", 1), 1); }
  void await() {
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
  }
  // To the end: until nobody can write any more.
  std::string read_all() {
    std::string out;
    std::array<char, 4096> block;
    for (ssize_t bytes; (bytes = read(ends[0], block.data(), block.size())) > 0;)
      out.append(block.data(), static_cast<std::size_t>(bytes));
    return out;
  }
  std::string read_some() {
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    std::string out = read_all();
    fcntl(ends[0], F_SETFL, 0);
    return out;
  }
  std::array<int, 2> ends;
};

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// A process that logs to `fd`. Its alarm ends one that waits for its standard error.
class Child {
 public:
  Child(int fd, const std::function<void()>& body) : pid_(fork()) {
    if (pid_ != 0) return;
    alarm(kAlarmSeconds);
    dup2(fd, STDERR_FILENO);
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  ~Child() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }

 private:
  pid_t pid_;
};

std::vector<std::string> logged(const std::function<void()>& body) {
  Pipe err;
  Child child(err.ends[1], body);
  err.close_writer();
  return lines(err.read_all());
}

TEST(Log, TextLine) {
  const auto got = logged([] {
    init(Level::info, Format::text);
    info("listening on {address}", {{"address", "127.0.0.1:8000"}, {"backlog", 4096}});
    set_process("worker 3");
    warn("slow");
    error("broken");
  });
  EXPECT_THAT(
      got, ElementsAre(
               MatchesRegex(kTime + std::string(" info  listening on 127.0.0.1:8000 backlog=4096")),
               MatchesRegex(kTime + std::string(" warn  worker 3: slow")),
               MatchesRegex(kTime + std::string(" error worker 3: broken"))));
}

TEST(Log, JsonLine) {
  const auto got = logged([] {
    init(Level::debug, Format::json);
    set_process("master");
    debug("listening on {address}", {{"address", "127.0.0.1:8000"}, {"backlog", 4096}});
  });
  ASSERT_EQ(got.size(), 1u);
  rapidjson::Document line;
  line.Parse(got[0].data(), got[0].size());
  ASSERT_FALSE(line.HasParseError()) << got[0];
  EXPECT_THAT(line["time"].GetString(), MatchesRegex(kTime));
  EXPECT_STREQ(line["level"].GetString(), "debug");
  EXPECT_STREQ(line["process"].GetString(), "master");
  EXPECT_STREQ(line["message"].GetString(), "listening on 127.0.0.1:8000");
  EXPECT_STREQ(line["address"].GetString(), "127.0.0.1:8000");
  EXPECT_EQ(line["backlog"].GetInt(), 4096);
}

TEST(Log, LessSevereThanTheLevelIsNotWritten) {
  const auto all = [] {
    debug("d");
    info("i");
    warn("w");
    error("e");
    limited(Level::warn, "rule", "l");
  };
  EXPECT_EQ(logged(all).size(), 4u) << "before init";
  constexpr std::array<std::size_t, 5> kWritten{5, 4, 3, 1, 0};
  for (std::size_t level = 0; level < kWritten.size(); ++level) {
    const auto got = logged([&] {
      init(static_cast<Level>(level), Format::text);
      all();
    });
    EXPECT_EQ(got.size(), kWritten[level]) << level;
  }
}

TEST(Log, FullPipeIsNotWaitedForAndTheGapIsStated) {
  Pipe err;
  Pipe filled;
  Pipe drained;
  constexpr int kLines = 5'000;
  Child child(err.ends[1], [&] {
    init(Level::info, Format::text);
    for (int i = 0; i < kLines; ++i) info("line {i} of many, of some length", {{"i", i}});
    EXPECT_GT(dropped(), 0u);
    EXPECT_FALSE(flush(1));
    filled.tell();
    drained.await();
    tick();
    info("after");
    EXPECT_TRUE(flush(10'000));
  });
  err.close_writer();
  filled.await();
  std::string text = err.read_some();
  drained.tell();
  text += err.read_all();

  const auto got = lines(text);
  ASSERT_GT(got.size(), 2u);
  const std::size_t whole = got.size() - 2;
  for (std::size_t i = 0; i < whole; ++i)
    ASSERT_TRUE(got[i].ends_with("line " + std::to_string(i) + " of many, of some length"))
        << got[i];
  EXPECT_TRUE(got[whole].ends_with("warn  " + std::to_string(kLines - static_cast<int>(whole)) +
                                   " log lines were dropped: standard error did not take them"))
      << got[whole];
  EXPECT_TRUE(got[whole + 1].ends_with("info  after"));
}

TEST(Log, StoppedTerminalIsNotWaitedFor) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal), 0);
  ASSERT_EQ(unlockpt(terminal), 0);
  const int line = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(line, 0);
  ASSERT_EQ(tcflow(line, TCOOFF), 0);
  {
    Child child(line, [] {
      init(Level::info, Format::text);
      for (int i = 0; i < 5'000; ++i) info("line {i}", {{"i", i}});
      EXPECT_GT(dropped(), 0u);
    });
  }
  close(line);
  close(terminal);
}

TEST(Log, ReaderThatWentAwayEndsNoProcess) {
  Pipe err;
  close(err.ends[0]);
  err.ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  Child child(err.ends[1], [] {
    init(Level::info, Format::text);
    info("to nobody");
    EXPECT_EQ(dropped(), 1u);
  });
}

TEST(Log, NoSocketGetsTheNumberOfAClosedStandardDescriptor) {
  Pipe unused;
  Child child(unused.ends[1], [] {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(fd);
    init(Level::info, Format::text);
    Pipe next;
    EXPECT_GT(next.ends[0], STDERR_FILENO);
    error("to nobody");
    next.close_writer();
    EXPECT_EQ(next.read_all(), "");
  });
}

TEST(Log, AForkedChildWritesNothingOfItsParents) {
  Pipe err;
  Pipe filled;
  Pipe drained;
  Child child(err.ends[1], [&] {
    init(Level::info, Format::text);
    set_process("parent");
    for (int i = 0; i < 5'000; ++i) info("line");
    filled.tell();
    drained.await();
    const pid_t forked = fork();
    if (forked == 0) {
      EXPECT_EQ(dropped(), 0u);
      set_process("child");
      info("alive");
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(forked, &status, 0), forked);
    EXPECT_EQ(status, 0);
    EXPECT_GT(dropped(), 0u);
    _exit(testing::Test::HasFailure() ? 1 : 0);  // what the parent kept is not written either
  });
  err.close_writer();
  filled.await();
  err.read_some();
  drained.tell();
  const auto got = lines(err.read_all());
  ASSERT_EQ(got.size(), 1u);
  EXPECT_TRUE(got[0].ends_with("info  child: alive")) << got[0];
}

TEST(Log, LinesOfSeveralProcessesNeverMix) {
  constexpr int kProcesses = 4;
  constexpr int kLines = 200;
  Pipe err;
  std::vector<std::unique_ptr<Child>> children;
  for (int process = 0; process < kProcesses; ++process) {
    children.push_back(std::make_unique<Child>(err.ends[1], [process] {
      init(Level::info, Format::text);
      const std::string filling(500, static_cast<char>('a' + process));
      for (int i = 0; i < kLines; ++i) {
        info("{f}{f}{f}{f}{f}{f}", {{"f", filling}});
        while (!flush(1'000)) {
        }
      }
    }));
  }
  err.close_writer();
  const auto got = lines(err.read_all());
  EXPECT_EQ(got.size(), std::size_t{kProcesses * kLines});
  for (const std::string& line : got) {
    ASSERT_GT(line.size(), 3'000u);
    EXPECT_EQ(line.substr(line.size() - 3'000), std::string(3'000, line.back()));
  }
}

TEST(Log, LinesOfSeveralThreadsNeverMix) {
  const auto got = logged([] {
    init(Level::info, Format::text);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([thread] {
        for (int i = 0; i < 50; ++i) info("thread {n}", {{"n", thread}});
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(flush(10'000));
  });
  EXPECT_EQ(got.size(), 200u);
  for (const std::string& line : got) EXPECT_THAT(line, MatchesRegex(".* info  thread [0-3]"));
}

TEST(Log, LimitedSpeaksOnceASecondAndCountsTheRest) {
  const auto got = logged([] {
    init(Level::warn, Format::text);
    const auto start = std::chrono::steady_clock::now();
    int calls = 0;
    for (; calls < 50; ++calls)
      limited(Level::warn, "origin", "refused {origin}", {{"origin", "http://a.example"}});
    const bool quick = std::chrono::steady_clock::now() - start < std::chrono::milliseconds(900);
    EXPECT_TRUE(quick) << "too slow a machine to tell";
    limited(Level::warn, "path", "no such path");
    // The rest is reported by a tick once the second is over, then not again.
    for (bool over = false; !over; poll(nullptr, 0, 10)) {
      over = std::chrono::steady_clock::now() - start > std::chrono::milliseconds(1'500);
      tick();
    }
  });
  EXPECT_THAT(got, ElementsAre(MatchesRegex(".* warn  refused http://a.example"),
                               MatchesRegex(".* warn  no such path"),
                               MatchesRegex(".* warn  49 more lines like the last about origin")));
}

}  // namespace
}  // namespace spate::core::log
