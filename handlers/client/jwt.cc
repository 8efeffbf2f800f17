#include "handlers/client/jwt.h"

#include <algorithm>

#include "codec/base64url.h"
#include "codec/http_syntax.h"
#include "handlers/client/json_object.h"

namespace spate::handlers::client {
namespace {

// What says that the token is made for something else is refused (RFC 8725 §3.11): a log-out
// notice, say, that the same key signed.
bool is_token_type(std::string_view type) {
  constexpr std::string_view kMediaType = "application/";
  if (codec::equals_ignoring_case(type.substr(0, kMediaType.size()), kMediaType))
    type.remove_prefix(kMediaType.size());
  return codec::equals_ignoring_case(type, "JWT") || codec::equals_ignoring_case(type, "at+jwt");
}

// What is wrong with a member of the header, or nothing.
std::string_view take_header_member(const JsonValue& member, bool& has_algorithm, bool& has_type,
                                    Jwt& out) {
  if (member.key == "alg") {
    if (has_algorithm) return "alg is given twice";
    if (member.kind != JsonKind::string) return "alg is not a string";
    const auto algorithm = signature_algorithm(member.string);
    if (!algorithm) return "alg is not supported";
    has_algorithm = true;
    out.algorithm = *algorithm;
  } else if (member.key == "kid") {
    if (out.kid) return "kid is given twice";
    if (member.kind != JsonKind::string) return "kid is not a string";
    out.kid = member.string;
  } else if (member.key == "typ") {
    if (has_type) return "typ is given twice";
    if (member.kind != JsonKind::string || !is_token_type(member.string)) return "typ is not JWT";
    has_type = true;
  } else if (member.key == "crit") {
    return "crit names extensions, and none is supported";
  }
  return {};
}

std::string_view parse_header(std::string_view header, Jwt& out) {
  std::array<std::byte, codec::base64url_decoded_bytes(kMaxTokenHeaderBytes)> buffer;
  const auto decoded = codec::base64url_decode(buffer, header);
  if (!decoded.ok()) return "header is not base64url";
  bool has_algorithm = false;
  bool has_type = false;
  std::string_view wrong;
  const bool whole =
      for_each_member(as_text({buffer.data(), decoded.bytes}), [&](const JsonValue& member) {
        wrong = take_header_member(member, has_algorithm, has_type, out);
        return wrong.empty();
      });
  if (!wrong.empty()) return wrong;
  if (!whole) return "header is not a JSON object";
  return has_algorithm ? std::string_view{} : "alg is missing";
}

}  // namespace

std::optional<SignatureAlgorithm> signature_algorithm(std::string_view name) {
  const auto* const found = std::ranges::find(kSignatureInfo, name, &SignatureAlgorithmInfo::name);
  if (found == kSignatureInfo.end()) return std::nullopt;
  return found->algorithm;
}

std::optional<JwtParts> split_jwt(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  return JwtParts{token.substr(0, first), token.substr(first + 1, second - first - 1),
                  token.substr(second + 1)};
}

std::string_view parse_jwt(std::string_view token, Jwt& out) {
  if (token.size() > kMaxTokenBytes) return "token is too long";
  const std::optional<JwtParts> parts = split_jwt(token);
  if (!parts) return "token has not three parts";
  if (parts->header.size() > kMaxTokenHeaderBytes) return "header is too long";
  if (codec::base64url_decoded_bytes(parts->signature.size()) > kMaxSignatureBytes)
    return "signature is too long";

  out.kid.reset();
  if (const std::string_view wrong = parse_header(parts->header, out); !wrong.empty()) return wrong;
  out.signed_text = token.substr(0, parts->header.size() + 1 + parts->claims.size());
  const auto signature = codec::base64url_decode(out.signature_slots, parts->signature);
  if (!signature.ok()) return "signature is not base64url";
  out.signature_bytes = signature.bytes;
  out.claims.resize(codec::base64url_decoded_bytes(parts->claims.size()));
  const Bytes room(reinterpret_cast<std::byte*>(out.claims.data()), out.claims.size());
  if (!codec::base64url_decode(room, parts->claims).ok()) return "claims are not base64url";
  return {};
}

}  // namespace spate::handlers::client
