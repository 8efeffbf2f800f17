// Whatever a client and its proxies write: the hops that a trusted proxy adds at the end, on a line
// of its own, are read as it wrote them; and each hop that is known is an address.
//
// Input: one byte that chooses the header, then its lines.
#include "codec/forwarded.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/codec/http_outline.h"

namespace {

using namespace spate;
using codec::ForwardedHeader;
using codec::ForwardedHop;

struct Hops {
  std::size_t count = 0;
  ForwardedHop last;
};

bool read(const std::string& request, ForwardedHeader kind, Hops& out) {
  const test::ExactBlock block(request);
  codec::HttpHead head;
  if (codec::parse_http_head(block.bytes(), {}, head).status != codec::HttpParse::ok) return false;
  codec::ForwardedHops hops(head, kind);
  for (ForwardedHop hop; hops.next(hop);) {
    ++out.count;
    out.last = hop;
    SPATE_CHECK(out.count <= request.size());
    SPATE_CHECK(hop.known || (hop.port == 0 && hop.address == codec::IpAddress{}));
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool standard = (data[0] & 1) != 0;
  const ForwardedHeader kind =
      standard ? ForwardedHeader::forwarded : ForwardedHeader::x_forwarded_for;
  const std::string line = standard ? "\r\nForwarded: " : "\r\nX-Forwarded-For: ";
  std::string request = "GET / HTTP/1.1\r\nHost: a" + line;
  for (const char c : std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1))
    request += c == '\n' ? line : std::string(1, c);
  Hops sent, added;
  if (!read(request + "\r\n\r\n", kind, sent)) return 0;
  if (!read(request + line + (standard ? "for=\"192.0.2.7:80\"" : "192.0.2.7:80") + "\r\n\r\n",
            kind, added))
    return 0;  // a header or a byte too many
  SPATE_CHECK(added.count == sent.count + 1);
  SPATE_CHECK(added.last.known && added.last.port == 80 &&
              added.last.address == codec::parse_ipv4("192.0.2.7"));
  return 0;
}
