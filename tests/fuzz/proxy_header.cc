// PROXY headers: every prefix is a beginning or bad in the same way, what is consumed is bounded,
// and what follows changes nothing.
#include "codec/proxy_header.h"

#include <cstdint>
#include <string>

#include "tests/codec/http_outline.h"

namespace {

using namespace spate;

bool same(const codec::ProxyHeader& one, const codec::ProxyHeader& other) {
  return one.status == other.status && one.error == other.error && one.consumed == other.consumed &&
         one.source == other.source && one.address == other.address && one.port == other.port;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const test::ExactBlock block(input);
  const codec::ProxyHeader whole = codec::parse_proxy_header(block.bytes());
  if (whole.status == codec::ProxyParse::need_more) {
    SPATE_CHECK(size < codec::kMaxProxyHeaderBytes);
    return 0;
  }
  SPATE_CHECK(same(codec::parse_proxy_header(as_bytes(input + "\r\nmore")), whole));
  const bool good = whole.status == codec::ProxyParse::ok;
  SPATE_CHECK(good == (whole.error == codec::ProxyHeaderError::none));
  SPATE_CHECK(!good || (whole.consumed > 0 && whole.consumed <= size &&
                        whole.consumed <= codec::kMaxProxyHeaderBytes));
  const std::size_t end = good ? whole.consumed : size;
  for (std::size_t bytes = 0; bytes < end; ++bytes) {
    const test::ExactBlock part(input.substr(0, bytes));
    const codec::ProxyHeader begun = codec::parse_proxy_header(part.bytes());
    SPATE_CHECK(begun.status == codec::ProxyParse::need_more || (!good && same(begun, whole)));
  }
  return 0;
}
