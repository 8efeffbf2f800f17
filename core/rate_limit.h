// At most one line a second about each key, and how many were held back. For the log: keys are the
// names of rules, constants in the program; past kMaxKeys further ones share an entry, so that a
// key which a peer could choose would cost no memory. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base.h"

namespace spate::core {

class RateLimit {
 public:
  static constexpr std::size_t kMaxKeys = 64;
  static constexpr std::int64_t kIntervalMs = 1000;

  struct Held {
    std::string key;
    std::uint64_t count;
    int tag;
  };

  // Whether to speak now: if so, how many were held back since the last time; if not, nothing, and
  // it is counted. `now_ms` is monotonic; the last `tag` comes back from collect().
  std::optional<std::uint64_t> pass(std::string_view key, std::int64_t now_ms, int tag = 0);

  // What was held back and whose second is over; to be reported now, which counts as speaking.
  std::vector<Held> collect(std::int64_t now_ms);

 private:
  struct Entry {
    std::string key;
    std::int64_t spoke_ms;
    std::uint64_t held;
    int tag;
  };
  std::vector<Entry> entries_;
};

}  // namespace spate::core
