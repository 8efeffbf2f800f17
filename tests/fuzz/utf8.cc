// Every kernel against the slow oracle, in chunks whose sizes the input chooses: a count, that many
// sizes (used in turn), and the text. Each chunk must be judged exactly as the text up to its end.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "codec/utf8.h"
#include "tests/codec/utf8_oracle.h"

namespace {

using spate::ConstBytes;
using spate::codec::Utf8Kernel;
using spate::codec::Utf8State;
using spate::test::utf8_verdict;
using spate::test::Utf8Verdict;

// The length of the shortest beginning that no text has, or text.size() + 1. What begins with an
// invalid text is invalid, so halving finds it.
std::size_t first_invalid(ConstBytes text) {
  std::size_t valid = 0;
  std::size_t invalid = text.size() + 1;
  while (invalid - valid > 1) {
    const std::size_t middle = valid + (invalid - valid) / 2;
    (utf8_verdict(text.first(middle)) == Utf8Verdict::invalid ? invalid : valid) = middle;
  }
  return invalid;
}

void check(const Utf8Kernel& kernel, ConstBytes sizes, ConstBytes text, std::size_t invalid_from) {
  Utf8State state;
  std::size_t at = 0;
  for (std::size_t turn = 0; at < text.size(); ++turn) {
    const std::size_t wanted =
        sizes.empty() ? text.size() : std::to_integer<std::size_t>(sizes[turn % sizes.size()]) + 1;
    const std::size_t bytes = std::min(wanted, text.size() - at);
    const auto chunk = std::make_unique<std::byte[]>(bytes);
    std::memcpy(chunk.get(), text.data() + at, bytes);
    at += bytes;
    const bool valid = utf8_validate(kernel, state, {chunk.get(), bytes});
    SPATE_CHECK(valid == (at < invalid_from));
    if (!valid) return;
  }
  SPATE_CHECK(utf8_complete(state) == (utf8_verdict(text) == Utf8Verdict::whole));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ConstBytes input(reinterpret_cast<const std::byte*>(data), size);
  const std::size_t count = std::min<std::size_t>(data[0] % 16, size - 1);
  const ConstBytes sizes = input.subspan(1, count);
  const ConstBytes text = input.subspan(1 + count);
  const std::size_t invalid_from = first_invalid(text);
  for (const Utf8Kernel& kernel : spate::codec::utf8_kernels()) {
    check(kernel, sizes, text, invalid_from);
  }
  return 0;
}
