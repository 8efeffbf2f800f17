#include "codec/ip_address.h"

#include <gtest/gtest.h>

#include <string>

namespace spate::codec {
namespace {

IpAddress address(std::string_view text) {
  const auto v4 = parse_ipv4(text);
  return v4 ? *v4 : parse_ipv6(text).value();
}

TEST(IpAddress, BothFamiliesHaveOneForm) {
  EXPECT_EQ(address("192.0.2.1"), address("::ffff:192.0.2.1"));
  EXPECT_TRUE(address("192.0.2.1").v4());
  EXPECT_TRUE(address("::ffff:c000:201").v4());
  for (const char* text : {"::", "::1", "::192.0.2.1", "::fffe:192.0.2.1", "1::ffff:192.0.2.1"})
    EXPECT_FALSE(address(text).v4()) << text;
}

TEST(IpAddress, WhatIsNoAddressIsNone) {
  for (const char* text :
       {"", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.0.0.1", " 1.2.3.4", "1.2.3.4 ", "::1",
        "1.2.3.4:5", "255.255.255.255555555555555555555555555"})
    EXPECT_FALSE(parse_ipv4(text)) << text;
  for (const char* text : {"", ":", ":::", "1", "1::2::3", "[::1]", "fe80::1%1", "1.2.3.4", "::g",
                           "1:2:3:4:5:6:7:8:9", "0000:0000:0000:0000:0000:0000:255.255.255.2550"})
    EXPECT_FALSE(parse_ipv6(text)) << text;
  EXPECT_FALSE(parse_ipv4(std::string_view("1.2.3.4\0", 8)));
}

struct Row {
  const char* network;
  const char* inside;
  const char* outside;  // null: there is none
};

constexpr Row kRows[] = {
    {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
    {"192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
    {"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
    {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
    {"10.0.0.0/9", "10.127.255.255", "10.128.0.0"},
    {"0.0.0.0/0", "255.255.255.255", "::1"},
    {"::1", "::1", "::2"},
    {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
    {"2001:db8::/127", "2001:db8::1", "2001:db8::2"},
    {"8000::/1", "ffff::", "7fff::"},
    {"::/0", "192.0.2.1", nullptr},
    {"::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"},
};

TEST(IpNetwork, HoldsWhatBeginsWithItsPrefix) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.network);
    const auto network = parse_network(row.network);
    ASSERT_TRUE(network);
    EXPECT_TRUE(network->contains(network->base));
    EXPECT_TRUE(network->contains(address(row.inside)));
    if (row.outside != nullptr) {
      EXPECT_FALSE(network->contains(address(row.outside)));
    }
  }
}

TEST(IpNetwork, SlipsAreRefused) {
  for (const char* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",
        "10.0.0.0/8/8", "10.0.0.0/8 ", "10.0.0.1/8", "10.0.0.0/255.0.0.0", "10/8", "::/129",
        "2001:db8::1/64", "[::1]/128", "localhost", "::1/4294967296", "128.0.0.0/0"})
    EXPECT_FALSE(parse_network(text)) << text;
}

TEST(IpNetwork, EveryPrefixOfEveryLengthAgreesWithItsBits) {
  for (unsigned bits = 0; bits <= 128; ++bits) {
    IpNetwork network{{}, bits};
    for (unsigned bit = 0; bit < 128; ++bit) {
      IpAddress other;
      other.bytes[bit / 8] = static_cast<std::uint8_t>(0x80 >> bit % 8);
      EXPECT_EQ(network.contains(other), bit >= bits) << bits << " " << bit;
    }
  }
}

TEST(Port, IsDecimalWithoutLeadingZeros) {
  EXPECT_EQ(parse_port("0"), 0);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const char* text : {"", "65536", "00", "080", "+1", "-1", "1 ", "0x1", "99999999999999"})
    EXPECT_FALSE(parse_port(text)) << text;
}

}  // namespace
}  // namespace spate::codec
