// Certificates for tests, made on the spot: P-256, signed by themselves or by another.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "core/base.h"

namespace spate::test {

struct Identity {
  std::string certificate;  // PEM
  std::string key;
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> pkey;
};

inline std::string pem_of(auto write) {
  BIO* const out = BIO_new(BIO_s_mem());
  SPATE_CHECK(write(out) == 1);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out, &text);
  std::string pem(text, static_cast<std::size_t>(bytes));
  BIO_free(out);
  return pem;
}

// `names` as subjectAltName has them: "DNS:a.example,DNS:*.b.example". `valid_seconds` from now;
// negative: expired. Without an issuer it is its own, and may sign others.
inline Identity make_identity(const std::string& names, long valid_seconds = 3600,
                              const Identity* issuer = nullptr) {
  Identity made;
  made.pkey = {EVP_EC_gen("P-256"), EVP_PKEY_free};
  made.x509 = {X509_new(), X509_free};
  X509* const x509 = made.x509.get();
  X509_set_version(x509, X509_VERSION_3);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x509), -86400);
  X509_gmtime_adj(X509_getm_notAfter(x509), valid_seconds);
  X509_set_pubkey(x509, made.pkey.get());
  X509_NAME* const subject = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(names.c_str()), -1, -1, 0);
  X509_set_issuer_name(x509,
                       issuer != nullptr ? X509_get_subject_name(issuer->x509.get()) : subject);
  const auto extend = [&](int kind, const char* value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    SPATE_CHECK(extension != nullptr && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_subject_alt_name, names.c_str());
  if (issuer == nullptr) extend(NID_basic_constraints, "critical,CA:TRUE");
  SPATE_CHECK(
      X509_sign(x509, issuer != nullptr ? issuer->pkey.get() : made.pkey.get(), EVP_sha256()) > 0);
  made.certificate = pem_of([&](BIO* out) { return PEM_write_bio_X509(out, x509); });
  made.key = pem_of([&](BIO* out) {
    return PEM_write_bio_PrivateKey(out, made.pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return made;
}

}  // namespace spate::test
