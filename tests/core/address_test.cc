#include "core/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>

namespace spate::core {
namespace {

struct Good {
  const char* text;
  int family;
  const char* formatted;  // what format_address says of it
};

constexpr Good kGood[] = {
    {"127.0.0.1:8000", AF_INET, "127.0.0.1:8000"},
    {"0.0.0.0:0", AF_INET, "0.0.0.0:0"},
    {"255.255.255.255:65535", AF_INET, "255.255.255.255:65535"},
    {"192.0.2.1:00080", AF_INET, "192.0.2.1:80"},
    {"[::1]:8000", AF_INET6, "[::1]:8000"},
    {"[::]:1", AF_INET6, "[::]:1"},
    {"[2001:DB8:0:0::1]:443", AF_INET6, "[2001:db8::1]:443"},
    {":8000", AF_INET6, ":8000"},
    {"*:8000", AF_INET6, ":8000"},
    {":0", AF_INET6, ":0"},
};

TEST(Address, ParsesAndFormats) {
  for (const Good& row : kGood) {
    SCOPED_TRACE(row.text);
    const Result<Address> address = parse_address(row.text);
    ASSERT_TRUE(address.ok()) << address.error();
    EXPECT_EQ(address->get()->sa_family, row.family);
    EXPECT_EQ(address->bytes, row.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(format_address(*address), row.formatted);
    const Result<Address> again = parse_address(row.formatted);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(std::memcmp(&again->storage, &address->storage, sizeof address->storage), 0);
    EXPECT_EQ(again->dual_stack, address->dual_stack);
  }
}

TEST(Address, UnixDomainHasAPath) {
  for (const std::size_t bytes : {2u, 20u, 106u, 107u}) {
    const std::string path = "/" + std::string(bytes - 1, 'p');
    const Result<Address> address = parse_address("unix:" + path);
    ASSERT_TRUE(address.ok()) << address.error();
    EXPECT_TRUE(address->unix_domain());
    EXPECT_EQ(address->path(), path);
    EXPECT_EQ(address->bytes, offsetof(sockaddr_un, sun_path) + bytes + 1);
    EXPECT_EQ(address->port(), 0);
    EXPECT_FALSE(address->any());
    EXPECT_EQ(format_address(*address), "unix:" + path);
  }
  EXPECT_EQ(parse_address("unix:/" + std::string(107, 'p')).error(),
            "a path of over 107 bytes, more than a socket's may have; choose a shorter one");
  EXPECT_STREQ(parse_address("127.0.0.1:1")->path(), "");
  EXPECT_TRUE(parse_endpoint("tls:unix:/run/x")->tls);
  EXPECT_EQ(format_endpoint(*parse_endpoint("tls:unix:/run/x")), "tls:unix:/run/x");
}

TEST(Endpoint, SaysWhatIsSpokenTheOutermostFirst) {
  for (const char* text : {"127.0.0.1:1", "tls:[::1]:1", "proxy::1", "proxy:tls:unix:/run/x"}) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint->proxy, std::string_view(text).find("proxy:") == 0);
    EXPECT_EQ(endpoint->tls, std::string_view(text).find("tls:") != std::string_view::npos);
    EXPECT_EQ(format_endpoint(*endpoint), text);
  }
  for (const char* text : {"tls:proxy::1", "proxy:proxy::1", "tls:tls::1", "proxy:tls:proxy::1"})
    EXPECT_EQ(parse_endpoint(text).error(),
              "proxy: and tls: come once each and in this order; write proxy:tls:HOST:PORT");
  EXPECT_EQ(parse_address("proxy:127.0.0.1:1").error(),
            "the PROXY protocol is for the listeners of clients (--listen); write HOST:PORT");
}

TEST(Address, DualStackIsAskedForByLeavingTheHostOut) {
  EXPECT_TRUE(parse_address(":8000")->dual_stack);
  EXPECT_TRUE(parse_address("*:8000")->dual_stack);
  EXPECT_FALSE(parse_address("[::]:8000")->dual_stack);
  EXPECT_FALSE(parse_address("0.0.0.0:8000")->dual_stack);
}

struct Bad {
  std::string_view text;
  const char* error;
};

constexpr const char* kNotAnAddress =
    "not an IP address; names are not looked up, write one such as 127.0.0.1:8000";
constexpr const char* kNotV6 = "not an IPv6 address; write it as [::1]:8000";
constexpr const char* kNotAPort = "not a port after the last colon; write one from 0 to 65535";

constexpr const char* kNotAPath =
    "not the absolute path of a file; write one such as unix:/run/spate/spate.sock";
constexpr const char* kAnotherName = "a path with //, /./ or /../ in it; write it without";

constexpr Bad kBad[] = {
    {"", "empty; write HOST:PORT, such as 127.0.0.1:8000"},
    {"8000", "a port alone; write 127.0.0.1:PORT, or :PORT for any address"},
    {"127.0.0.1", "no port; write HOST:PORT, such as 127.0.0.1:8000"},
    {"localhost", "no port; write HOST:PORT, such as 127.0.0.1:8000"},
    {"[::1]", "no port; write [HOST]:PORT, such as [::1]:8000"},
    {"localhost:8000", kNotAnAddress},
    {"127.1:8000", kNotAnAddress},
    {"127.0.0.01:8000", kNotAnAddress},
    {"256.0.0.1:8000", kNotAnAddress},
    {" 127.0.0.1:8000", kNotAnAddress},
    {"255.255.255.2555:8000", kNotAnAddress},
    {"[]:8000", kNotV6},
    {"[::g]:8000", kNotV6},
    {"[127.0.0.1]:8000", kNotV6},
    {"[1:2:3:4:5:6:7:8:9]:8000", kNotV6},
    {"[0000:0000:0000:0000:0000:0000:255.255.255.2550]:8000", kNotV6},
    {"[::ffff:127.0.0.1]:8000",
     "IPv4 inside IPv6; write the IPv4 address itself, such as 127.0.0.1:8000"},
    {"[fe80::1%eth0]:8000",
     "a zone in an IPv6 address is not supported; write an address without %"},
    {"::1:8000", "an IPv6 address needs brackets; write it as [::1]:8000"},
    {"127.0.0.1:", kNotAPort},
    {"127.0.0.1:-1", kNotAPort},
    {"127.0.0.1:+1", kNotAPort},
    {"127.0.0.1:65536", kNotAPort},
    {"127.0.0.1:99999999999999999999", kNotAPort},
    {"127.0.0.1:80x", kNotAPort},
    {"127.0.0.1: 80", kNotAPort},
    {":", kNotAPort},
    {std::string_view("127.0.0.1\0:80", 13),
     "not an address; write HOST:PORT, such as 127.0.0.1:8000"},
    {"unix:", kNotAPath},
    {"unix:spate.sock", kNotAPath},
    {"unix:@spate", kNotAPath},
    {"unix:/run/", kNotAPath},
    {"unix:/", kNotAPath},
    {"unix:/run//spate.sock", kAnotherName},
    {"unix:/run/./spate.sock", kAnotherName},
    {"unix:/run/../spate.sock", kAnotherName},
    {std::string_view("unix:/run\0/x", 12),
     "not an address; write HOST:PORT, such as 127.0.0.1:8000"},
    {"tls:0.0.0.0:443", "TLS is for the listeners of clients (--listen); write HOST:PORT"},
    {"ws://127.0.0.1:8000", "a URL; write the address alone, such as 127.0.0.1:8000"},
    {"http://localhost", "a URL; write the address alone, such as 127.0.0.1:8000"},
};

TEST(Address, RefusalsSayWhatToWrite) {
  for (const Bad& row : kBad) {
    SCOPED_TRACE(std::string(row.text));
    const Result<Address> address = parse_address(row.text);
    ASSERT_FALSE(address.ok());
    EXPECT_EQ(address.error(), row.error);
  }
}

TEST(Address, MappedIPv4PeerPrintsAsIPv4) {
  sockaddr_in6 peer{};
  peer.sin6_family = AF_INET6;
  peer.sin6_port = htons(1234);
  ASSERT_EQ(inet_pton(AF_INET6, "::ffff:192.0.2.7", &peer.sin6_addr), 1);
  EXPECT_EQ(format_address(reinterpret_cast<const sockaddr*>(&peer), sizeof peer),
            "192.0.2.7:1234");
}

TEST(Address, AnotherFamilyOrATruncatedOneIsNotRead) {
  sockaddr_storage other{};
  other.ss_family = AF_UNIX;
  EXPECT_EQ(format_address(reinterpret_cast<const sockaddr*>(&other), 2), "unix:");
  other.ss_family = AF_INET6;
  EXPECT_EQ(format_address(reinterpret_cast<const sockaddr*>(&other), 2), "(unknown address)");
}

TEST(Address, PortCanBeReplacedByTheOneTheKernelChose) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    Address address = parse_address(text).value();
    address.set_port(4321);
    EXPECT_EQ(address.port(), 4321);
  }
}

TEST(Address, AnyIsTheWildcard) {
  EXPECT_TRUE(parse_address("0.0.0.0:1")->any());
  EXPECT_TRUE(parse_address("[::]:1")->any());
  EXPECT_TRUE(parse_address(":1")->any());
  EXPECT_FALSE(parse_address("127.0.0.1:1")->any());
  EXPECT_FALSE(parse_address("[::1]:1")->any());
}

struct Pair {
  const char* one;
  const char* other;
  bool overlap;
};

constexpr Pair kPairs[] = {
    {"127.0.0.1:8000", "127.0.0.1:8000", true},
    {"127.0.0.1:8000", "127.0.0.1:8001", false},
    {"127.0.0.1:8000", "127.0.0.2:8000", false},
    {"127.0.0.1:8000", "0.0.0.0:8000", true},
    {"127.0.0.1:8000", "[::1]:8000", false},
    {"0.0.0.0:8000", "[::]:8000", false},
    {"[::1]:8000", "[::1]:8000", true},
    {"[::1]:8000", "[::2]:8000", false},
    {"[::1]:8000", "[::]:8000", true},
    {":8000", "127.0.0.1:8000", true},
    {":8000", "[::1]:8000", true},
    {":8000", "*:8000", true},
    {":8000", "127.0.0.1:8001", false},
    {"127.0.0.1:0", "127.0.0.1:0", false},
    {":0", "127.0.0.1:0", false},
    {"unix:/run/a", "unix:/run/a", true},
    {"unix:/run/a", "unix:/run/ab", false},
    {"unix:/run/a", ":8000", false},
    {"unix:/run/a", "127.0.0.1:0", false},
};

TEST(Address, OverlapIsSymmetric) {
  for (const Pair& row : kPairs) {
    SCOPED_TRACE(std::string(row.one) + " " + row.other);
    const Address one = parse_address(row.one).value();
    const Address other = parse_address(row.other).value();
    EXPECT_EQ(overlaps(one, other), row.overlap);
    EXPECT_EQ(overlaps(other, one), row.overlap);
  }
}

}  // namespace
}  // namespace spate::core
