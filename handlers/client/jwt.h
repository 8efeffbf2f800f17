// A JSON Web Token in compact form (RFC 7515 §3.1, RFC 7519 §3), taken apart but not yet believed.
//
//   base64url(header) . base64url(claims) . base64url(signature)
//   |<----- what is signed ----->|
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base.h"

namespace spate::handlers::client {

enum class KeyFamily : std::uint8_t { hmac, rsa, ec, okp };

enum class SignatureAlgorithm : std::uint8_t {
  hs256,
  hs384,
  hs512,
  rs256,
  rs384,
  rs512,
  es256,
  es384,
  es512,
  eddsa,
};
inline constexpr std::size_t kSignatureAlgorithms = 10;

struct SignatureAlgorithmInfo {
  SignatureAlgorithm algorithm;
  std::string_view name;  // as `alg` has it
  KeyFamily family;
  const char* digest;             // OpenSSL's name; null: its own affair
  std::size_t signature_bytes;    // 0: as the key
  const char* curve;              // of an elliptic curve's key
  std::string_view curve_in_jwk;  // RFC 7518 §6.2.1.1, RFC 8037 §2
};

// RFC 7518 §3.1, RFC 8037 §3.1. "none" is no algorithm.
inline constexpr std::array<SignatureAlgorithmInfo, kSignatureAlgorithms> kSignatureInfo{{
    {SignatureAlgorithm::hs256, "HS256", KeyFamily::hmac, "SHA256", 32, nullptr, {}},
    {SignatureAlgorithm::hs384, "HS384", KeyFamily::hmac, "SHA384", 48, nullptr, {}},
    {SignatureAlgorithm::hs512, "HS512", KeyFamily::hmac, "SHA512", 64, nullptr, {}},
    {SignatureAlgorithm::rs256, "RS256", KeyFamily::rsa, "SHA256", 0, nullptr, {}},
    {SignatureAlgorithm::rs384, "RS384", KeyFamily::rsa, "SHA384", 0, nullptr, {}},
    {SignatureAlgorithm::rs512, "RS512", KeyFamily::rsa, "SHA512", 0, nullptr, {}},
    {SignatureAlgorithm::es256, "ES256", KeyFamily::ec, "SHA256", 64, "prime256v1", "P-256"},
    {SignatureAlgorithm::es384, "ES384", KeyFamily::ec, "SHA384", 96, "secp384r1", "P-384"},
    {SignatureAlgorithm::es512, "ES512", KeyFamily::ec, "SHA512", 132, "secp521r1", "P-521"},
    {SignatureAlgorithm::eddsa, "EdDSA", KeyFamily::okp, nullptr, 64, nullptr, "Ed25519"},
}};

constexpr const SignatureAlgorithmInfo& describe(SignatureAlgorithm algorithm) {
  return kSignatureInfo[static_cast<std::size_t>(algorithm)];
}
static_assert(
    [] {
      for (std::size_t i = 0; i < kSignatureInfo.size(); ++i) {
        if (static_cast<std::size_t>(kSignatureInfo[i].algorithm) != i) return false;
      }
      return true;
    }(),
    "the table has one row per algorithm, in the order of the enum");

std::optional<SignatureAlgorithm> signature_algorithm(std::string_view name);

// A token comes in one message of a client. Its header names an algorithm and a key; some carry a
// certificate chain, which is not looked at. RSA keys have at most 8,192 bits.
inline constexpr std::size_t kMaxTokenBytes = 64 * 1024;
inline constexpr std::size_t kMaxTokenHeaderBytes = 8 * 1024;
inline constexpr std::size_t kMaxSignatureBytes = 1024;

struct Jwt {
  SignatureAlgorithm algorithm = SignatureAlgorithm::hs256;
  std::optional<std::string> kid;
  std::string_view signed_text;  // aliases the token
  std::string claims;            // decoded, and not looked at
  std::array<std::byte, kMaxSignatureBytes> signature_slots;
  std::size_t signature_bytes = 0;

  ConstBytes signature() const { return {signature_slots.data(), signature_bytes}; }
};

// The three parts, not decoded; nothing when there are not three.
struct JwtParts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
};
std::optional<JwtParts> split_jwt(std::string_view token);

// Says what is wrong with `token`, or nothing; then `out` is whole. Header members other than alg,
// kid, typ and crit are passed over (RFC 7515 §4); crit means that the token must not be understood
// without an extension, of which there is none (§4.1.11).
std::string_view parse_jwt(std::string_view token, Jwt& out);

}  // namespace spate::handlers::client
