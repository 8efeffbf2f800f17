#include <array>
#include <cstring>

#include "core/sys.h"
#include "handlers/hub/publication.h"

namespace spate::handlers::hub {

namespace {

// Nothing that JSON or a URL escapes, or that a shell or a spreadsheet takes for something else.
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static_assert(kAlphabet.size() == 52);

// Six bits that are no letter's are thrown away, so that each letter is as likely as the others. A
// system call for about 26 streams.
char random_letter() {
  static thread_local std::array<std::byte, 256> pool;
  static thread_local std::size_t left = 0;
  for (;;) {
    if (left == 0) {
      core::sys::random(pool);
      left = pool.size();
    }
    const std::size_t drawn = std::to_integer<std::size_t>(pool[--left]) % 64;
    if (drawn < kAlphabet.size()) return kAlphabet[drawn];
  }
}

}  // namespace

Epoch Epoch::random() {
  std::array<char, kLetters> letters;
  for (char& letter : letters) letter = random_letter();
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
