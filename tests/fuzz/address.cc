// Addresses: what is accepted prints as text that is accepted again and gives the same address;
// what is refused is refused in one sentence.
#include "core/address.h"

#include <cstring>

namespace {

using spate::core::Address;
using spate::core::Result;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Address> address = spate::core::parse_address(text);
  if (!address) {
    SPATE_CHECK(!address.error().empty());
    SPATE_CHECK(address.error().find('\n') == std::string::npos);
    return 0;
  }
  const Result<Address> again = spate::core::parse_address(format_address(*address));
  SPATE_CHECK(again.ok());
  SPATE_CHECK(std::memcmp(&again->storage, &address->storage, sizeof address->storage) == 0);
  SPATE_CHECK(again->bytes == address->bytes);
  SPATE_CHECK(again->dual_stack == address->dual_stack);
  SPATE_CHECK(overlaps(*address, *again) == (address->port() != 0 || address->unix_domain()));
  return 0;
}
