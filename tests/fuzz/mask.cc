// Every kernel against RFC 6455 §5.3 byte by byte. The input chooses the gap between dst and src,
// the key, where the payload is split in two, and the payload.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "codec/mask.h"

namespace {

using spate::codec::MaskKernel;

// Both parts in a block of exactly gap + payload bytes; what lies outside the payload's new place
// must stay as it was.
void check(const MaskKernel& kernel, std::size_t gap, std::size_t split, std::uint32_t key,
           const std::vector<std::byte>& wire, const std::vector<std::byte>& payload) {
  const std::size_t bytes = wire.size();
  const auto block = std::make_unique<std::byte[]>(gap + bytes);
  std::fill_n(block.get(), gap, std::byte{0xc5});
  std::copy(wire.begin(), wire.end(), block.get() + gap);
  std::vector<std::byte> expected(block.get(), block.get() + gap + bytes);
  std::copy(payload.begin(), payload.end(), expected.begin());

  const std::byte* src = block.get() + gap;
  const bool first = kernel.unmask(block.get(), src, split, key);
  const bool second = kernel.unmask(block.get() + split, src + split, bytes - split,
                                    spate::codec::rotate_masking_key(key, split));

  const auto is_ascii = [](std::byte b) { return b < std::byte{0x80}; };
  SPATE_CHECK(std::equal(expected.begin(), expected.end(), block.get()));
  SPATE_CHECK(first == std::all_of(payload.begin(), payload.begin() + split, is_ascii));
  SPATE_CHECK(second == std::all_of(payload.begin() + split, payload.end(), is_ascii));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kControl = 8;
  if (size < kControl) return 0;
  std::byte control[kControl];
  std::memcpy(control, data, kControl);
  const auto gap = static_cast<std::size_t>(spate::load<std::uint16_t>(control) % 300);
  const auto key = spate::load<std::uint32_t>(control + 4);
  std::vector<std::byte> wire(size - kControl);
  if (!wire.empty()) std::memcpy(wire.data(), data + kControl, wire.size());
  const std::size_t split = spate::load<std::uint16_t>(control + 2) % (wire.size() + 1);

  std::vector<std::byte> payload = wire;
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= control[4 + i % 4];

  for (const MaskKernel& kernel : spate::codec::mask_kernels()) {
    check(kernel, gap, split, key, wire, payload);
  }
  check({"unmask", spate::codec::unmask}, gap, split, key, wire, payload);
  return 0;
}
