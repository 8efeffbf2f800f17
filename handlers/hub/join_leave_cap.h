// How many joins and leaves of a channel come out: a token bucket a channel, for twenty thousand
// leaves to twenty thousand subscribers are a storm. A bucket that has filled up again is dropped,
// so that only channels of the last seconds cost memory. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/age_list.h"
#include "core/pointer_index.h"
#include "core/siphash.h"
#include "core/slab.h"

namespace spate::handlers::hub {

class JoinLeaveCap {
 public:
  static constexpr std::int64_t kPerSecond = 100;
  static constexpr std::int64_t kBurst = 200;

  explicit JoinLeaveCap(const core::HashKey& key) : key_(key) {}
  ~JoinLeaveCap();
  JoinLeaveCap(const JoinLeaveCap&) = delete;
  JoinLeaveCap& operator=(const JoinLeaveCap&) = delete;

  // Whether one more may come out.
  bool pass(std::string_view channel, std::int64_t now_ns);
  // Drops the buckets that are full by now.
  void advance(std::int64_t now_ns);

  std::size_t channels() const { return buckets_.count(); }

 private:
  // A bucket is known by the hash of its channel's name alone: should two names ever meet in 64
  // bits, they share one.
  struct Bucket {
    std::uint64_t hash;
    std::int64_t full_ns;  // when it is, or was, full again
    Bucket* older = nullptr;
    Bucket* newer = nullptr;
  };

  const core::HashKey key_;
  core::PointerIndex<Bucket> buckets_;
  core::Slab<Bucket> slab_;
  core::AgeList<Bucket> used_;
};

}  // namespace spate::handlers::hub
