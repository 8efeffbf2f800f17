// What a client's token costs: token/algorithm. `allocs` is what operator new hands out for each
// token; OpenSSL's own come on top for what is no HMAC.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro/allocations.h"
#include "handlers/client/token.h"
#include "tests/handlers/client/signing.h"

namespace {

using namespace spate;
using namespace spate::handlers::client;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr const char* kClaims =
    R"({"sub":"1234567890","exp":1800000000,"iat":1700000000,"info":{"name":"Ada Lovelace"}})";

void verify(benchmark::State& state, const TokenSettings& settings, const test::Signer& signer,
            const std::string& algorithm) {
  const auto verifier = TokenVerifier::create(settings).value();
  const std::string token =
      signer.token("{\"alg\":\"" + algorithm + "\",\"typ\":\"JWT\"}", kClaims);
  const auto operation = [&] {
    const auto verified = verifier->connection(token, kNow);
    if (verified.error != TokenError::none) state.SkipWithError("refused");
    benchmark::DoNotOptimize(verified);
  };
  for (auto _ : state) operation();
  bench::report_allocations(state, operation);
}

void hs256(benchmark::State& state) {
  TokenSettings settings;
  settings.hmac_secret = "a secret of more than thirty-two bytes";
  verify(state, settings, test::HmacSigner(settings.hmac_secret, EVP_sha256()), "HS256");
}
BENCHMARK(hs256)->Name("token/HS256");

void rs256(benchmark::State& state) {
  const test::KeySigner signer(EVP_RSA_gen(2048), EVP_sha256());
  TokenSettings settings;
  settings.rsa_public_key = signer.public_pem();
  verify(state, settings, signer, "RS256");
}
BENCHMARK(rs256)->Name("token/RS256");

void es256(benchmark::State& state) {
  const test::KeySigner signer(EVP_EC_gen("P-256"), EVP_sha256());
  TokenSettings settings;
  settings.ecdsa_public_key = signer.public_pem();
  verify(state, settings, signer, "ES256");
}
BENCHMARK(es256)->Name("token/ES256");

void eddsa(benchmark::State& state) {
  const test::KeySigner signer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr);
  TokenSettings settings;
  settings.jwks = test::jwk_set({signer.jwk()});
  verify(state, settings, signer, "EdDSA");
}
BENCHMARK(eddsa)->Name("token/EdDSA");

}  // namespace
