// A text that the master publishes and workers read, each time whole: what a reload changes.
//
//      | number | bytes of each half | half 0 | half 1 |
//
// The number counts publications from 1; its lowest bit says which half holds the newest. The other
// is written next, so a reader whose half may have been written over finds the number moved on, and
// reads again. The master writes and never waits; a worker that starts later reads the newest.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base.h"

namespace spate::core {

class Snapshot {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;

  Snapshot() = default;
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // In the master, before any fork. 0 or a negative errno.
  int create();
  // In the master. False: larger than kMaxBytes; nothing has changed.
  bool publish(std::string_view text);
  // How many were published; 0: none.
  std::uint64_t number() const;
  // The newest; `number` says which it is.
  std::string read(std::uint64_t& number) const;

 private:
  struct Header {
    std::atomic<std::uint64_t> number{0};
    std::atomic<std::uint64_t> bytes[2]{};
  };
  static constexpr std::size_t kHeaderBytes = 4096;
  std::byte* half(std::uint64_t number) const;

  Header* header_ = nullptr;
};

}  // namespace spate::core
