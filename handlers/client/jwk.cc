#include "handlers/client/jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <algorithm>

#include "codec/base64url.h"
#include "core/printable.h"
#include "handlers/client/json_object.h"

namespace spate::handlers::client {
namespace {

using Key = core::Result<std::unique_ptr<SignatureKey>>;

// The members that matter, decoded. Empty: not given.
struct Jwk {
  std::string kty, use, alg, crv, n, e, x, y;
  std::optional<std::string> kid;
  bool has_operations = false;
  bool verifies = false;  // among key_ops
  bool is_private = false;
};

constexpr std::pair<std::string_view, std::string Jwk::*> kTextMembers[] = {
    {"kty", &Jwk::kty}, {"use", &Jwk::use}, {"alg", &Jwk::alg}, {"crv", &Jwk::crv},
    {"n", &Jwk::n},     {"e", &Jwk::e},     {"x", &Jwk::x},     {"y", &Jwk::y},
};

// What is wrong with a member, or nothing.
std::string take_member(const JsonValue& member, Jwk& jwk) {
  const auto* const text = std::ranges::find(
      kTextMembers, member.key, &std::pair<std::string_view, std::string Jwk::*>::first);
  if (text != std::end(kTextMembers) || member.key == "kid") {
    if (member.kind != JsonKind::string) return std::string(member.key) + " is not a string";
    if (member.key == "kid")
      jwk.kid = member.string;
    else
      jwk.*text->second = member.string;
  } else if (member.key == "d") {
    jwk.is_private = true;
  } else if (member.key == "key_ops") {
    jwk.has_operations = true;
    for_each_item(member.text, [&](const JsonValue& operation) {
      jwk.verifies = jwk.verifies || operation.string == "verify";
      return true;
    });
  }
  return {};
}

// Whether the key is for signatures of a kind that tokens have.
bool is_ours(const Jwk& jwk) {
  if (!jwk.use.empty() && jwk.use != "sig") return false;
  if (jwk.has_operations && !jwk.verifies) return false;
  if (!jwk.alg.empty() && !signature_algorithm(jwk.alg)) return false;
  if (jwk.kty == "RSA") return true;
  if (jwk.kty != "EC" && jwk.kty != "OKP") return false;
  const KeyFamily family = jwk.kty == "EC" ? KeyFamily::ec : KeyFamily::okp;
  return std::ranges::any_of(kSignatureInfo, [&](const SignatureAlgorithmInfo& info) {
    return info.family == family && info.curve_in_jwk == jwk.crv;
  });
}

// The bytes of a member; none when they are not there, not base64url or more than `max_bytes`.
std::string decoded(std::string_view text, std::size_t max_bytes) {
  std::string bytes(codec::base64url_decoded_bytes(text.size()), '\0');
  if (bytes.size() > max_bytes) return {};
  const Bytes room(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  return codec::base64url_decode(room, text).ok() ? bytes : std::string{};
}

const unsigned char* uchars(const std::string& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

PublicKey from_parameters(const char* type, OSSL_PARAM_BLD* parameters) {
  EVP_PKEY* key = nullptr;
  OSSL_PARAM* const built = OSSL_PARAM_BLD_to_param(parameters);
  EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
  SPATE_CHECK(built != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context) == 1);
  if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, built) != 1) key = nullptr;
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(built);
  OSSL_PARAM_BLD_free(parameters);
  ERR_clear_error();
  return PublicKey(key);
}

// RFC 7518 §6.3.1.
PublicKey rsa_key(const Jwk& jwk) {
  const std::string n = decoded(jwk.n, kMaxSignatureBytes);
  const std::string e = decoded(jwk.e, kMaxSignatureBytes);
  if (n.empty() || e.empty()) return nullptr;
  BIGNUM* const modulus = BN_bin2bn(uchars(n), static_cast<int>(n.size()), nullptr);
  BIGNUM* const exponent = BN_bin2bn(uchars(e), static_cast<int>(e.size()), nullptr);
  OSSL_PARAM_BLD* const parameters = OSSL_PARAM_BLD_new();
  SPATE_CHECK(OSSL_PARAM_BLD_push_BN(parameters, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
              OSSL_PARAM_BLD_push_BN(parameters, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
  PublicKey key = from_parameters("RSA", parameters);
  BN_free(modulus);
  BN_free(exponent);
  return key;
}

// RFC 7518 §6.2.1: both coordinates as wide as the curve. That the point lies on it is OpenSSL's to
// check.
PublicKey ec_key(const Jwk& jwk) {
  const auto* const info =
      std::ranges::find(kSignatureInfo, jwk.crv, &SignatureAlgorithmInfo::curve_in_jwk);
  const std::size_t width = info->signature_bytes / 2;
  const std::string x = decoded(jwk.x, width);
  const std::string y = decoded(jwk.y, width);
  if (x.size() != width || y.size() != width) return nullptr;
  const std::string point = '\x04' + x + y;
  OSSL_PARAM_BLD* const parameters = OSSL_PARAM_BLD_new();
  SPATE_CHECK(OSSL_PARAM_BLD_push_utf8_string(parameters, OSSL_PKEY_PARAM_GROUP_NAME, info->curve,
                                              0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(parameters, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                               point.size()) == 1);
  return from_parameters("EC", parameters);
}

// RFC 8037 §2.
PublicKey ed25519_key(const Jwk& jwk) {
  constexpr std::size_t kKeyBytes = 32;
  const std::string x = decoded(jwk.x, kKeyBytes);
  if (x.size() != kKeyBytes) return nullptr;
  return PublicKey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, uchars(x), x.size()));
}

Key key_of(const Jwk& jwk) {
  PublicKey key = jwk.kty == "RSA"  ? rsa_key(jwk)
                  : jwk.kty == "EC" ? ec_key(jwk)
                                    : ed25519_key(jwk);
  if (!key)
    return core::Failure{jwk.kty == "RSA" ? "n and e make no RSA key; give both in base64url"
                                          : "no point of its curve; give all of its coordinates in "
                                            "base64url"};
  auto made = public_key(std::move(key));
  if (!made) return made;
  if (jwk.kid) (*made)->set_kid(*jwk.kid);
  if (const auto only = signature_algorithm(jwk.alg)) {
    if (!(*made)->fits(*only))
      return core::Failure{"alg is " + jwk.alg + ", which is not for such a key; correct it"};
    (*made)->narrow_to(*only);
  }
  return made;
}

// "key 2 (kid abc)".
std::string name_of(std::size_t number, const Jwk& jwk) {
  constexpr std::size_t kMaxShownBytes = 80;
  return "key " + std::to_string(number) +
         (jwk.kid ? " (kid " + core::printable(*jwk.kid, kMaxShownBytes) + ")" : "") + ": ";
}

}  // namespace

Key key_from_pem(const std::string& text, KeyFamily family) {
  if (text.find("PRIVATE KEY-----") != std::string::npos)
    return core::Failure{
        "a private key, which belongs to those who sign; give the public one, as openssl pkey "
        "-pubout writes it"};
  BIO* const in = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  PublicKey key(PEM_read_bio_PUBKEY(in, nullptr, nullptr, nullptr));
  BIO_free(in);
  ERR_clear_error();
  if (!key)
    return core::Failure{
        "no public key in it; give PEM that begins with -----BEGIN PUBLIC KEY-----"};
  if (EVP_PKEY_get_base_id(key.get()) != (family == KeyFamily::rsa ? EVP_PKEY_RSA : EVP_PKEY_EC))
    return core::Failure{family == KeyFamily::rsa ? "not an RSA key; give one"
                                                  : "not an elliptic curve's key; give one"};
  return public_key(std::move(key));
}

core::Result<std::vector<std::unique_ptr<SignatureKey>>> keys_from_jwks(std::string_view text) {
  std::vector<std::unique_ptr<SignatureKey>> keys;
  std::string wrong;
  std::size_t number = 0;
  const auto take_key = [&](const JsonValue& item) {
    ++number;
    Jwk jwk;
    const bool whole = for_each_member(item.text, [&](const JsonValue& member) {
      wrong = take_member(member, jwk);
      return wrong.empty();
    });
    if (!whole && wrong.empty()) wrong = "not a JSON object; write one for each key";
    if (wrong.empty() && jwk.is_private) wrong = "a private key; leave out d, and the rest of it";
    if (wrong.empty() && is_ours(jwk)) {
      if (keys.size() == kMaxJwks) {
        wrong = "more than " + std::to_string(kMaxJwks) + " keys; remove those that are not used";
      } else if (auto key = key_of(jwk)) {
        keys.push_back(std::move(*key));
      } else {
        wrong = key.error();
      }
    }
    if (!wrong.empty()) wrong = name_of(number, jwk) + wrong;
    return wrong.empty();
  };
  bool has_keys = false;
  const bool whole = for_each_member(text, [&](const JsonValue& member) {
    if (member.key != "keys") return true;
    has_keys = member.kind == JsonKind::array && for_each_item(member.text, take_key);
    return has_keys;
  });
  if (!wrong.empty()) return core::Failure{wrong};
  if (!whole || !has_keys)
    return core::Failure{"not a JWK set; write {\"keys\": [{\"kty\": …}, …]}"};
  if (keys.empty())
    return core::Failure{
        "no key in it that tokens could be signed with; add an RSA, EC or OKP key"};
  return keys;
}

}  // namespace spate::handlers::client
