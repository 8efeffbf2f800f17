// SHA-1 (FIPS 180-4 §6.1), for the opening handshake (RFC 6455 §4.2.2) only: it is no longer a
// secure hash. No allocation, no failure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base.h"

namespace spate::codec {

using Sha1Digest = std::array<std::byte, 20>;

Sha1Digest sha1(ConstBytes message);

// Of a message that the caller has padded to whole blocks already (FIPS 180-4 §5.1.1).
inline constexpr std::size_t kSha1BlockBytes = 64;
Sha1Digest sha1_of_padded(ConstBytes blocks);

struct Sha1Kernel {
  const char* name;
  // Folds `count` blocks of 64 bytes into the five words of the hash value.
  void (*compress)(std::uint32_t* hash, const std::byte* blocks, std::size_t count);
};

// The kernels that this CPU can run, best first; the last is always the scalar one. Lives for ever.
std::span<const Sha1Kernel> sha1_kernels();

// With a kernel of the caller's choice: for tests and benchmarks.
Sha1Digest sha1(const Sha1Kernel& kernel, ConstBytes message);

}  // namespace spate::codec
