// What travels through a channel: publications, positions in a stream, and who somebody is. All of
// it views: they live as long as the call that hands them over.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base.h"

namespace spate::handlers::hub {

// Names one incarnation of a channel's stream: eight letters, A to Z and a to z, packed so that it
// copies and compares as a number. A stream that was forgotten comes back with another one. 0:
// none.
class Epoch {
 public:
  static constexpr std::size_t kLetters = 8;

  constexpr Epoch() = default;
  static Epoch random();  // from the kernel's generator; 45 bits
  // What a client says: anything but eight letters is an epoch that no stream has.
  static Epoch parse(std::string_view text);

  explicit operator bool() const { return letters_ != 0; }
  bool operator==(const Epoch&) const = default;
  // Lives as long as this object; empty for none.
  std::string_view text() const {
    return {reinterpret_cast<const char*>(&letters_), letters_ == 0 ? 0 : kLetters};
  }
  std::uint64_t packed() const { return letters_; }
  static Epoch of_packed(std::uint64_t letters) {
    Epoch epoch;
    epoch.letters_ = letters;
    return epoch;
  }

 private:
  std::uint64_t letters_ = 0;  // in memory order
};

// A place in a stream. Offsets count from 1 and have no holes; 0 is before the first.
struct StreamPosition {
  std::uint64_t offset = 0;
  Epoch epoch;

  bool operator==(const StreamPosition&) const = default;
};

// A client as others see it. conn_info and chan_info are JSON or bytes, empty for none.
struct ClientInfo {
  std::string_view user{};    // empty: anonymous
  std::string_view client{};  // the connection's id, a UUID as text
  std::string_view conn_info{};
  std::string_view chan_info{};
};

struct Tag {
  std::string_view key{};
  std::string_view value{};
};

struct Publication {
  std::string_view data{};
  std::uint64_t offset = 0;          // 0: the channel keeps no history
  std::optional<ClientInfo> info{};  // when a client published it
  std::span<const Tag> tags{};
};

}  // namespace spate::handlers::hub
