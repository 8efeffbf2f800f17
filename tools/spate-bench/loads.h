// The load processes, as their parent sees them. They end with it, whatever ends it.
#pragma once

#include <vector>

#include "tools/spate-bench/board.h"
#include "tools/spate-bench/options.h"
#include "tools/spate-bench/stats.h"

namespace spate::bench {

class Loads {
 public:
  // Forks them; each waits for orders.
  explicit Loads(const Options& options);
  ~Loads();
  Loads(const Loads&) = delete;
  Loads& operator=(const Loads&) = delete;

  [[nodiscard]] std::size_t size() const { return loads_.size(); }
  [[nodiscard]] Shared& operator[](std::size_t i) const { return *loads_[i].shared; }
  [[nodiscard]] std::vector<int> pids() const;
  [[nodiscard]] std::uint64_t sum(Counter Stats::*what) const;
  [[nodiscard]] std::uint64_t errors(std::size_t kind) const;

  // Makes them read their orders.
  void wake();
  // Whether one ended otherwise than it should; says which way.
  bool any_died();

 private:
  struct Load {
    Shared* shared;
    int wake_fd;
    int pid;
  };

  [[noreturn]] void run_load(std::uint32_t number);

  const Options& options_;
  std::vector<Load> loads_;
  Board* board_ = nullptr;
};

}  // namespace spate::bench
