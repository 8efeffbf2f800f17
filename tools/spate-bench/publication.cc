#include "tools/spate-bench/publication.h"

#include <algorithm>
#include <array>

namespace spate::bench {

namespace {

constexpr std::size_t kVariants = 26;
constexpr std::size_t kPatternBytes = 4096 + kVariants;

// The alphabet again and again; where a filler starts in it follows from its number.
constexpr auto kPattern = [] {
  std::array<char, kPatternBytes> pattern{};
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<char>('a' + i % 26);
  return pattern;
}();

void write_letters(std::string& to, std::uint64_t bits, int letters) {
  for (int shift = 4 * letters; shift > 0;) {
    shift -= 4;
    to += static_cast<char>('a' + (bits >> shift & 15));
  }
}

// Eight letters to 32 bits; `bad` collects bits that no letter has.
std::uint32_t read_eight(const std::byte* from, std::uint64_t& bad) {
  std::uint64_t x = big_endian(load<std::uint64_t>(from)) - 0x6161616161616161;
  bad |= x & 0xf0f0f0f0f0f0f0f0;
  x = (x | x >> 4) & 0x00ff00ff00ff00ff;
  x = (x | x >> 8) & 0x0000ffff0000ffff;
  return static_cast<std::uint32_t>(x | x >> 16);
}

}  // namespace

void Publication::write(std::string& to, std::size_t bytes) const {
  to += kMarker;
  write_letters(to, (publisher & 0xfffffu) * kNumbers + number % kNumbers, 12);
  write_letters(to, due_ns, 16);
  std::size_t left = bytes - kHeaderBytes;
  for (std::size_t at = number % kNumbers % kVariants; left > 0;) {
    const std::size_t take = std::min(left, kPatternBytes - kVariants - kVariants);
    to.append(kPattern.data() + at, take);
    left -= take;
    at = (at + take) % 26;
  }
}

std::optional<Publication> Publication::read(ConstBytes bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const std::byte* const letters = bytes.data() + kMarker.size();
  std::uint64_t bad = 0;
  // 12 letters, as the eight that begin and the eight that end them.
  const std::uint64_t high = read_eight(letters, bad), low = read_eight(letters + 4, bad);
  const std::uint64_t bits = high << 16 | (low & 0xffff);
  Publication read;
  read.publisher = static_cast<std::uint32_t>(bits / kNumbers);
  read.number = bits % kNumbers;
  read.due_ns = std::uint64_t{read_eight(letters + 12, bad)} << 32 | read_eight(letters + 20, bad);
  if (bad != 0) return std::nullopt;
  return read;
}

bool Publication::filler_matches(ConstBytes payload) const {
  ConstBytes filler = payload.subspan(kHeaderBytes);
  for (std::size_t at = number % kVariants; !filler.empty();) {
    const std::size_t take = std::min(filler.size(), kPatternBytes - kVariants - kVariants);
    if (std::memcmp(filler.data(), kPattern.data() + at, take) != 0) return false;
    filler = filler.subspan(take);
    at = (at + take) % 26;
  }
  return true;
}

}  // namespace spate::bench
