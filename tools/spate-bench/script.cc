#include "tools/spate-bench/script.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <utility>

#include "codec/deflate_terms.h"

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

// Nothing that needs an escape in JSON.
constexpr std::string_view kLetters =
    "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz";

}  // namespace

std::uint64_t Script::stamp(std::uint32_t id, std::uint64_t number) {
  constexpr std::uint64_t kNumbers = (std::uint64_t{1} << kNumberBits) - 1;
  constexpr std::uint64_t kConnections = (std::uint64_t{1} << kConnectionBits) - 1;
  return spread((number & kNumbers) | (id & kConnections) << kNumberBits) + kZeros;
}

std::uint64_t Script::exchange_backslashes(std::uint64_t stamp) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  // 1 in each byte that is `byte`.
  const auto where = [stamp](std::uint64_t byte) {
    const std::uint64_t low = kOnes * 0x7f, x = stamp ^ kOnes * byte;
    return ~(((x & low) + low) | x | low) >> 7;
  };
  return stamp ^ (where('\\') | where('~')) * ('\\' ^ '~');
}

Script::Script(const Sizes& sizes, Opcode opcode, std::size_t max_burst,
               std::vector<Envelope> envelopes, bool deflate)
    : sizes_(sizes),
      opcode_(opcode),
      max_burst_(max_burst),
      envelopes_(std::move(envelopes)),
      stamp_bytes_(std::min(kStampBytes, *std::ranges::min_element(sizes.distinct()))),
      variants_(choose_variants(sizes.largest())),
      compression_(deflate ? std::make_unique<Compression>() : nullptr) {
  std::uint64_t seed = 0x5eed + static_cast<std::uint64_t>(sizes.largest());
  pattern_.resize(sizes_.largest() + kVariantStep * variants_);
  write_pattern(seed);
  if (deflate) {
    const std::size_t most = sizes_.largest() + sizes_.largest() / 8 + 64;
    SPATE_CHECK(compression_->deflater.open(compression_->memory, codec::kMaxWindowBits, 1));
    compression_->message.resize(sizes_.largest());
    compression_->payload.resize(most);
    scratch_.resize(max_burst_ * (kMaxHeaderBytes + most));
    return;
  }
  const std::size_t each = sizes_.fixed() ? variants_ + max_burst_ : variants_;
  for (std::size_t size = 0; size < sizes_.distinct().size(); ++size)
    for (std::size_t i = 0; i < each; ++i) built_.push_back(build(run_, size, i, seed));
  if (sizes_.fixed())
    build_replies(each);
  else
    scratch_.resize(max_burst_ * std::ranges::max(built_, {}, &Frame::bytes).bytes);
}

void Script::write_pattern(std::uint64_t& seed) {
  if (compression_ == nullptr) {
    std::ranges::generate(pattern_, [&] {
      return static_cast<std::byte>(kLetters[random_masking_key(seed) % kLetters.size()]);
    });
    return;
  }
  // Records as applications send them: the same keys again and again, numbers, a few words.
  std::array<std::string, 64> words;
  for (std::string& word : words)
    for (std::size_t letters = 3 + random_masking_key(seed) % 8; letters > 0; --letters)
      word += static_cast<char>('a' + random_masking_key(seed) % 26);
  const auto word = [&] { return words[random_masking_key(seed) % words.size()]; };
  std::string text;
  while (text.size() < pattern_.size()) {
    text += R"({"id":)" + std::to_string(random_masking_key(seed) % 1'000'000);
    text += R"(,"user":")" + word() + R"(","channel":"news:)" + word();
    text += R"(","text":")" + word() + ' ' + word() + ' ' + word() + ' ' + word();
    text += R"(","price":)" + std::to_string(random_masking_key(seed) % 100'000) + "},";
  }
  std::memcpy(pattern_.data(), text.data(), pattern_.size());
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
    std::copy_n(filler(i), payload, to + write_server_header(to, opcode_, payload));
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
  if (compression_ != nullptr) {
    Whole whole{};
    for (const std::size_t frame : compression_->frame_bytes) {
      if (bytes - whole.bytes < frame) break;
      whole.payload_bytes += payload_bytes(id, first + whole.messages);
      whole.bytes += frame;
      ++whole.messages;
    }
    return whole;
  }
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

Script::Frame Script::build(std::vector<std::byte>& into, std::size_t size, std::uint64_t number,
                            std::uint64_t& seed) const {
  const std::size_t payload = sizes_.distinct()[size];
  const auto [before, after] = envelopes_.empty() ? Envelope{} : envelopes_[size];
  const std::size_t message = before.size() + payload + after.size();
  const std::uint32_t key = random_masking_key(seed);
  const std::size_t at = into.size(), header = client_header_bytes(message);
  into.resize(at + header + message);
  std::byte* to = into.data() + at + write_client_header(into.data() + at, opcode_, message, key);
  to = std::ranges::copy(as_bytes(before), to).out;
  to = std::copy_n(filler(number), payload, to);
  std::ranges::copy(as_bytes(after), to);
  apply_mask({into.data() + at + header, message}, key);
  const std::uint64_t twice = key | std::uint64_t{key} << 32;
  return {at, header + message, header + before.size(),
          std::rotr(twice, static_cast<int>(before.size() % 4 * 8))};
}

void Script::put_stamp(std::byte* to, std::uint64_t stamp) const {
  if (stamp_bytes_ == kStampBytes) [[likely]]
    store(to, stamp);
  else
    std::memcpy(to, &stamp, stamp_bytes_);
}

ConstBytes Script::deflated_frames(std::uint32_t id, std::uint64_t first, std::size_t count) {
  std::size_t filled = 0;
  compression_->frame_bytes.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bytes = deflate_frame(scratch_.data() + filled, id, first + i);
    compression_->frame_bytes.push_back(bytes);
    filled += bytes;
  }
  return {scratch_.data(), filled};
}

std::size_t Script::deflate_frame(std::byte* to, std::uint32_t id, std::uint64_t number) {
  constexpr std::byte kRsv1{0x40};
  auto& [memory, deflater, message, payload, sizes] = *compression_;
  const std::size_t size = payload_bytes(id, number);
  std::copy_n(filler(number), size, message.begin());
  put_stamp(message.data(), stamp(id, number));
  deflater.forget();
  const std::size_t bytes = deflater.compress(ConstBytes(message).first(size), payload);
  SPATE_CHECK(bytes > 0);
  std::uint64_t seed = std::uint64_t{id} << 32 ^ number;
  const std::uint32_t key = random_masking_key(seed);
  const std::size_t header = write_client_header(to, opcode_, bytes, key);
  to[0] |= kRsv1;
  std::copy_n(payload.begin(), bytes, to + header);
  apply_mask({to + header, bytes}, key);
  return header + bytes;
}

ConstBytes Script::frames(std::uint32_t id, std::uint64_t first, std::size_t count) {
  if (compression_ != nullptr) return deflated_frames(id, first, count);
  if (sizes_.fixed()) {
    const std::size_t start = first & (variants_ - 1), frame_size = built_[1].at;
    std::byte* const run = run_.data() + start * frame_size;
    std::byte* to = run + built_[0].payload_at;
    for_stamps(id, first, count, [&, frame = &built_[start]](std::uint64_t stamp) mutable {
      if (!envelopes_.empty()) [[unlikely]]
        stamp = exchange_backslashes(stamp);
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
    std::uint64_t of_message = stamp(id, number);
    if (!envelopes_.empty()) of_message = exchange_backslashes(of_message);
    std::memcpy(scratch_.data() + filled, run_.data() + frame.at, frame.bytes);
    put_stamp(scratch_.data() + filled + frame.payload_at, of_message ^ frame.key);
    filled += frame.bytes;
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
