#include "tools/spate-bench/loads.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <new>
#include <numeric>

#include "tools/spate-bench/worker.h"

namespace spate::bench {

namespace {

// Zero pages that children map too.
template <class T>
T* shared_pages() {
  void* const pages =
      mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  SPATE_CHECK(pages != MAP_FAILED);
  return new (pages) T;
}

}  // namespace

Loads::Loads(const Options& options) : options_(options) {
  if (options.scenario == Scenario::fanout) board_ = shared_pages<Board>();
  for (std::uint32_t i = 0; i < options.procs; ++i) {
    Load load{shared_pages<Shared>(), eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 0};
    SPATE_CHECK(load.wake_fd >= 0);
    load.shared->board = board_;
    loads_.push_back(load);
    if (board_) board_->wake_fds[i] = load.wake_fd;
  }
  for (std::uint32_t i = 0; i < options.procs; ++i) {
    loads_[i].pid = fork();
    SPATE_CHECK(loads_[i].pid >= 0);
    if (loads_[i].pid == 0) run_load(i);
  }
}

Loads::~Loads() {
  for (const Load& load : loads_) {
    if (load.pid > 0) {
      kill(load.pid, SIGKILL);
      waitpid(load.pid, nullptr, 0);
    }
    close(load.wake_fd);
    munmap(load.shared, sizeof(Shared));
  }
  if (board_) munmap(board_, sizeof(Board));
}

void Loads::run_load(std::uint32_t number) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1);
  if (!options_.cpus.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(options_.cpus[number % options_.cpus.size()], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
      std::perror("spate-bench: --cpu");
      _exit(2);
    }
  }
  {
    Worker worker(options_, *loads_[number].shared, number, loads_[number].wake_fd);
    worker.run();
  }
  _exit(0);
}

std::vector<int> Loads::pids() const {
  std::vector<int> pids;
  for (const Load& load : loads_)
    if (load.pid > 0) pids.push_back(load.pid);
  return pids;
}

std::uint64_t Loads::sum(Counter Stats::*what) const {
  return std::accumulate(loads_.begin(), loads_.end(), std::uint64_t{0},
                         [&](std::uint64_t total, const Load& load) {
                           return total + (load.shared->stats.*what).get();
                         });
}

std::uint64_t Loads::errors(std::size_t kind) const {
  return std::accumulate(loads_.begin(), loads_.end(), std::uint64_t{0},
                         [&](std::uint64_t total, const Load& load) {
                           return total + load.shared->stats.errors[kind].get();
                         });
}

void Loads::wake() {
  for (const Load& load : loads_) eventfd_write(load.wake_fd, 1);
}

bool Loads::any_died() {
  for (Load& load : loads_) {
    int status = 0;
    if (load.pid == 0 || waitpid(load.pid, &status, WNOHANG) != load.pid) continue;
    load.pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    std::fprintf(stderr, "spate-bench: a load process died (status %#x)\n", status);
    return true;
  }
  return false;
}

}  // namespace spate::bench
