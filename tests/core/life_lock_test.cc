#include "core/life_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <new>

namespace spate::core {
namespace {

class LifeLockTest : public testing::Test {
 protected:
  LifeLockTest() {
    void* const memory = ::mmap(nullptr, sizeof(LifeLock), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    lock_ = new (memory) LifeLock;
  }
  ~LifeLockTest() override { ::munmap(lock_, sizeof(LifeLock)); }

  // A process that holds it, and then waits to be killed.
  pid_t holder() {
    std::array<int, 2> holds;
    EXPECT_EQ(::pipe(holds.data()), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      lock_->hold();
      const char done = 1;
      (void)!::write(holds[1], &done, 1);
      for (;;) ::pause();
    }
    char done = 0;
    EXPECT_EQ(::read(holds[0], &done, 1), 1);
    ::close(holds[0]);
    ::close(holds[1]);
    return pid;
  }
  // It has ended, and is left to be reaped.
  static void kill_only(pid_t pid) {
    EXPECT_EQ(::kill(pid, SIGKILL), 0);
    siginfo_t info;
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  }
  static void reap(pid_t pid) { EXPECT_EQ(::waitpid(pid, nullptr, 0), pid); }

  LifeLock* lock_;
};

TEST_F(LifeLockTest, IsHeldByNobodyAtFirst) {
  EXPECT_FALSE(lock_->held());
  EXPECT_FALSE(lock_->held());
}

TEST_F(LifeLockTest, IsHeldUntilItsHolderIsKilled) {
  const pid_t pid = holder();
  EXPECT_TRUE(lock_->held());
  EXPECT_TRUE(lock_->held());
  kill_only(pid);
  EXPECT_FALSE(lock_->held());
  EXPECT_FALSE(lock_->held()) << "whoever asks first must not keep it";
  reap(pid);
}

TEST_F(LifeLockTest, IsHeldByTheNextProcessWhetherOrNotSomebodyAskedInBetween) {
  for (const bool asked : {true, false}) {
    const pid_t first = holder();
    kill_only(first);
    if (asked) {
      EXPECT_FALSE(lock_->held());
    }
    reap(first);
    lock_->reset();
    EXPECT_FALSE(lock_->held());
    const pid_t second = holder();
    EXPECT_TRUE(lock_->held());
    kill_only(second);
    EXPECT_FALSE(lock_->held());
    reap(second);
    lock_->reset();
  }
}

TEST_F(LifeLockTest, WhoAsksSurvivesWhatAnotherHasWrittenThere) {
  for (const int rubbish : {0x00, 0x5a, 0x80, 0xff}) {
    std::memset(static_cast<void*>(lock_), rubbish, sizeof *lock_);
    (void)lock_->held();
    lock_->reset();
    EXPECT_FALSE(lock_->held());
    const pid_t pid = holder();
    EXPECT_TRUE(lock_->held());
    kill_only(pid);
    reap(pid);
    lock_->reset();
  }
}

TEST_F(LifeLockTest, IsNotHeldByAProcessThatLeftByItself) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    lock_->hold();
    ::_exit(0);
  }
  reap(pid);
  EXPECT_FALSE(lock_->held());
}

}  // namespace
}  // namespace spate::core
