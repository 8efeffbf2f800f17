// Payload sizes of messages: one size, a range, or a list of weighted sizes.
//
//   "20"                    always 20 bytes
//   "64-4K"                 32 sizes spread evenly over the range, all equally likely
//   "20:70,1K:25,16K:5"     20 bytes in 70 of 100 messages, and so on
//
// The size of a message follows from its connection and number alone, so a receiver knows what to
// expect without remembering what was sent.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace spate::bench {

class Sizes {
 public:
  static constexpr std::size_t kLargest = std::size_t{256} << 20;

  // Nothing when `text` is none of the above. Mixed sizes start at 8 bytes: below, a message has no
  // room for the number that tells its size.
  static std::optional<Sizes> parse(std::string_view text);

  [[nodiscard]] const std::vector<std::size_t>& distinct() const { return distinct_; }
  [[nodiscard]] bool fixed() const { return distinct_.size() == 1; }
  [[nodiscard]] std::size_t largest() const;
  [[nodiscard]] double mean() const;

  // Which of distinct() message `number` of `connection` has.
  [[nodiscard]] std::size_t index_of(std::uint32_t connection, std::uint64_t number) const {
    if (fixed()) return 0;
    std::uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15 ^ connection * 0xc2b2ae3d27d4eb4f;
    mixed ^= mixed >> 29;
    mixed *= 0xbf58476d1ce4e5b9;
    return drawn_[mixed >> 54];
  }

 private:
  std::vector<std::size_t> distinct_;
  std::array<std::uint8_t, 1024> drawn_{};  // indices into distinct_, as often as their weight asks
};

// "64", "4K", "1M" (1024 and 1024²).
std::optional<std::size_t> parse_bytes(std::string_view text);

}  // namespace spate::bench
