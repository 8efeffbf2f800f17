// A bucket is one number, the time at which it would be full again: a token moves it on by the time
// that a token takes to come back, and it may be a burst's worth ahead of now.
#include "handlers/hub/join_leave_cap.h"

#include <algorithm>

namespace spate::handlers::hub {

namespace {

constexpr std::int64_t kTokenNs = 1'000'000'000 / JoinLeaveCap::kPerSecond;
constexpr std::int64_t kBurstNs = kTokenNs * JoinLeaveCap::kBurst;

}  // namespace

JoinLeaveCap::~JoinLeaveCap() {
  while (Bucket* const bucket = used_.oldest()) {
    used_.remove(*bucket);
    slab_.destroy(bucket);
  }
}

bool JoinLeaveCap::pass(std::string_view channel, std::int64_t now_ns) {
  const std::uint64_t hash = core::siphash64(key_, channel);
  Bucket* bucket = buckets_.find(hash, [](const Bucket&) { return true; });
  if (bucket == nullptr) {
    bucket = slab_.create(Bucket{hash, now_ns});
    SPATE_CHECK(bucket != nullptr);
    buckets_.insert(hash, bucket);
  } else {
    used_.remove(*bucket);
  }
  used_.push_newest(*bucket);
  const std::int64_t full_ns = std::max(bucket->full_ns, now_ns) + kTokenNs;
  if (full_ns - now_ns > kBurstNs) return false;
  bucket->full_ns = full_ns;
  return true;
}

// In the order of their last use: the first that may not be full yet ends it.
void JoinLeaveCap::advance(std::int64_t now_ns) {
  while (Bucket* const bucket = used_.oldest()) {
    if (bucket->full_ns > now_ns) break;
    used_.remove(*bucket);
    buckets_.erase(bucket->hash, bucket);
    slab_.destroy(bucket);
  }
}

}  // namespace spate::handlers::hub
