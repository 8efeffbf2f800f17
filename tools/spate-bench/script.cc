#include "tools/spate-bench/script.h"

#include <algorithm>
#include <bit>

namespace spate::bench {

namespace {

// Enough variants that neighbours differ, few enough that the frames stay in a core's own cache, as
// those of a client that sends one prebuilt frame would.
constexpr std::size_t kMaxVariants = 64;
constexpr std::size_t kVariantBudgetBytes = 64 * 1024;

std::size_t choose_variants(std::size_t largest_payload) {
  const std::size_t fit = kVariantBudgetBytes / (largest_payload + kMaxHeaderBytes);
  return std::bit_floor(std::clamp<std::size_t>(fit, 2, kMaxVariants));
}

constexpr std::uint64_t kSixBits = 0x3f3f3f3f3f3f3f3f;
constexpr std::uint64_t kZeros = 0x3030303030303030;  // "00000000"

// 48 bits, six to a byte.
std::uint64_t spread(std::uint64_t bits) {
  bits = (bits & 0xffffff) | (bits & 0xffffff000000) << 8;
  bits = (bits & 0x00000fff00000fff) | (bits & 0x00fff00000fff000) << 4;
  return (bits & 0x003f003f003f003f) | (bits & 0x0fc00fc00fc00fc0) << 2;
}

std::uint64_t gather(std::uint64_t bytes) {
  bytes = (bytes & 0x003f003f003f003f) | (bytes >> 2 & 0x0fc00fc00fc00fc0);
  bytes = (bytes & 0x00000fff00000fff) | (bytes >> 4 & 0x00fff00000fff000);
  return (bytes & 0xffffff) | (bytes >> 8 & 0xffffff000000);
}

constexpr std::size_t kMostReplyBytes = 2048;

}  // namespace

std::uint64_t Script::stamp(std::uint32_t id, std::uint64_t number) {
  constexpr std::uint64_t kNumbers = (std::uint64_t{1} << kNumberBits) - 1;
  constexpr std::uint64_t kConnections = (std::uint64_t{1} << kConnectionBits) - 1;
  return spread((number & kNumbers) | (id & kConnections) << kNumberBits) + kZeros;
}

Script::Script(const Sizes& sizes, Opcode opcode, std::size_t max_burst)
    : sizes_(sizes),
      opcode_(opcode),
      max_burst_(max_burst),
      stamp_bytes_(std::min(kStampBytes, *std::ranges::min_element(sizes.distinct()))),
      variants_(choose_variants(sizes.largest())) {
  std::uint64_t seed = 0x5eed + static_cast<std::uint64_t>(sizes.largest());
  pattern_.resize(sizes_.largest() + kVariantStep * variants_);
  for (std::size_t i = 0; i < pattern_.size(); ++i)
    pattern_[i] = static_cast<std::byte>('0' + random_masking_key(seed) % 75);
  const std::size_t each = sizes_.fixed() ? variants_ + max_burst_ : variants_;
  for (const std::size_t payload : sizes_.distinct())
    for (std::size_t i = 0; i < each; ++i) built_.push_back(build(run_, payload, i, seed));
  if (sizes_.fixed())
    build_replies(each);
  else
    scratch_.resize(max_burst_ * (kMaxHeaderBytes + sizes_.largest()));
}

void Script::build_replies(std::size_t count) {
  const std::size_t payload = sizes_.largest();
  reply_bytes_ = server_header_bytes(payload) + payload;
  if (reply_bytes_ > kMostReplyBytes) {
    reply_bytes_ = 0;
    return;
  }
  reply_run_.resize(count * reply_bytes_);
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* const to = reply_run_.data() + i * reply_bytes_;
    to[0] = std::byte{0x80} | static_cast<std::byte>(opcode_);
    if (payload < 126) {
      to[1] = static_cast<std::byte>(payload);
    } else {
      to[1] = std::byte{126};
      store(to + 2, big_endian(static_cast<std::uint16_t>(payload)));
    }
    std::copy_n(filler(i), payload, to + server_header_bytes(payload));
  }
}

// The stamps of consecutive messages; most are the one before plus one.
template <class Put>
void Script::for_stamps(std::uint32_t id, std::uint64_t first, std::size_t count, Put put) {
  constexpr std::uint64_t kLowest = 0x3f;  // what the first byte of a stamp tells of the number
  std::uint64_t next = stamp(id, first);
  for (std::size_t i = 1; i < count; ++i) {
    put(next);
    next = ((first + i) & kLowest) != 0 ? next + 1 : stamp(id, first + i);
  }
  if (count > 0) put(next);
}

ConstBytes Script::replies(std::uint32_t id, std::uint64_t first, std::size_t count) {
  std::byte* const start = reply_run_.data() + (first & (variants_ - 1)) * reply_bytes_;
  std::byte* to = start + server_header_bytes(sizes_.largest());
  for_stamps(id, first, count, [&](std::uint64_t stamp) {
    put_stamp(to, stamp);
    to += reply_bytes_;
  });
  return {start, count * reply_bytes_};
}

Script::Whole Script::whole_frames(std::uint32_t id, std::uint64_t first, std::size_t bytes) const {
  if (sizes_.fixed()) {
    const std::size_t frame = built_[1].at, messages = bytes / frame;
    return {messages, messages * frame, messages * sizes_.largest()};
  }
  Whole whole{};
  for (;;) {
    const std::size_t frame = frame_bytes(id, first + whole.messages);
    if (bytes - whole.bytes < frame) return whole;
    whole.payload_bytes += payload_bytes(id, first + whole.messages);
    whole.bytes += frame;
    ++whole.messages;
  }
}

Script::Frame Script::build(std::vector<std::byte>& into, std::size_t payload_bytes,
                            std::uint64_t number, std::uint64_t& seed) const {
  const std::uint32_t key = random_masking_key(seed);
  Frame frame{into.size(), client_header_bytes(payload_bytes), key | std::uint64_t{key} << 32};
  into.resize(into.size() + frame.header_bytes + payload_bytes);
  std::byte* const to = into.data() + frame.at;
  write_client_header(to, opcode_, payload_bytes, key);
  std::copy_n(filler(number), payload_bytes, to + frame.header_bytes);
  apply_mask({to + frame.header_bytes, payload_bytes}, key);
  return frame;
}

void Script::put_stamp(std::byte* to, std::uint64_t stamp) const {
  if (stamp_bytes_ == kStampBytes) [[likely]]
    store(to, stamp);
  else
    std::memcpy(to, &stamp, stamp_bytes_);
}

ConstBytes Script::frames(std::uint32_t id, std::uint64_t first, std::size_t count) {
  if (sizes_.fixed()) {
    const std::size_t start = first & (variants_ - 1), frame_size = built_[1].at;
    std::byte* const run = run_.data() + start * frame_size;
    std::byte* to = run + built_[0].header_bytes;
    for_stamps(id, first, count, [&, frame = &built_[start]](std::uint64_t stamp) mutable {
      put_stamp(to, stamp ^ frame->key);
      to += frame_size;
      ++frame;
    });
    return {run, count * frame_size};
  }
  std::size_t filled = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t number = first + i;
    const std::size_t size = sizes_.index_of(id, number);
    const Frame& frame = built_[size * variants_ + (number & (variants_ - 1))];
    const std::size_t bytes = frame.header_bytes + sizes_.distinct()[size];
    std::memcpy(scratch_.data() + filled, run_.data() + frame.at, bytes);
    put_stamp(scratch_.data() + filled + frame.header_bytes, stamp(id, number) ^ frame.key);
    filled += bytes;
  }
  return {scratch_.data(), filled};
}

Script::Reading Script::read_stamp(std::uint64_t stamp_read, std::uint32_t id,
                                   std::uint64_t expected) const {
  constexpr std::int64_t kFurthest = 1 << 20;
  const std::uint64_t bytes =
      stamp_bytes_ == kStampBytes ? ~std::uint64_t{0} : (std::uint64_t{1} << 8 * stamp_bytes_) - 1;
  const std::uint64_t sixes = (stamp_read - (kZeros & bytes)) & bytes;
  if (sixes & ~kSixBits) return {false, expected};
  const std::uint64_t bits = gather(sixes);
  const unsigned number_bits = std::min(kNumberBits, static_cast<unsigned>(6 * stamp_bytes_));
  if (stamp_bytes_ == kStampBytes &&
      bits >> kNumberBits != (id & ((std::uint64_t{1} << kConnectionBits) - 1)))
    return {false, expected};
  if (number_bits == 0) return {true, expected};
  // The difference, sign-extended from number_bits.
  const unsigned unused = 64 - number_bits;
  const auto off = static_cast<std::int64_t>((bits - expected) << unused) >> unused;
  const std::uint64_t number = expected + static_cast<std::uint64_t>(off);
  if (off > kFurthest || off < -kFurthest || (off < 0 && number > expected))
    return {false, expected};
  return {true, number};
}

}  // namespace spate::bench
