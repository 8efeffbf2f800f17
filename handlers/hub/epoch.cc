#include <array>
#include <cstring>

#include "core/sys.h"
#include "handlers/hub/publication.h"

namespace spate::handlers::hub {

namespace {

// 64 of them, so that six random bits are one. No two differ by nothing that JSON or a URL escapes.
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static_assert(kAlphabet.size() == 64);

}  // namespace

Epoch Epoch::random() {
  // A system call for every 32 streams.
  static thread_local std::array<std::byte, 32 * kLetters> pool;
  static thread_local std::size_t left = 0;
  if (left == 0) {
    core::sys::random(pool);
    left = pool.size();
  }
  std::array<char, kLetters> letters;
  for (char& letter : letters) letter = kAlphabet[std::to_integer<std::size_t>(pool[--left]) % 64];
  return parse({letters.data(), kLetters});
}

Epoch Epoch::parse(std::string_view text) {
  Epoch epoch;
  if (text.size() == kLetters)
    std::memcpy(&epoch.letters_, text.data(), kLetters);
  else if (!text.empty())
    std::memset(&epoch.letters_, '?', kLetters);  // no stream's: not of the alphabet
  return epoch;
}

}  // namespace spate::handlers::hub
