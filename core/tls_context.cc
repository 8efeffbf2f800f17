#include "core/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <ctime>

namespace spate::core {

namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// OpenSSL's own order begins with 256 bits, which cost a third more cycles a byte and, by the
// longer hash, some of each handshake.
constexpr const char* kCiphersuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

Bio reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// An encrypted key is refused instead of asking the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

std::string date_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

// http/1.1 when the client offers it; a client that only speaks other protocols is told so.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void*) {
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_bytes, kHttp11, sizeof kHttp11, offered, offered_bytes) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

SSL_CTX* bare_context(const TlsTicketKeys& ticket_keys) {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kCiphers);
  SSL_CTX_set_ciphersuites(context, kCiphersuites);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection holds no record buffer.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets alone resume sessions: a cache would be one worker's.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  auto keys = ticket_keys;
  SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), keys.size());
  static constexpr unsigned char kScope[] = "spate";
  SSL_CTX_set_session_id_context(context, kScope, sizeof kScope - 1);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return context;
}

}  // namespace

bool make_ticket_keys(TlsTicketKeys& keys) {
  return RAND_bytes(keys.data(), static_cast<int>(keys.size())) == 1;
}

Result<std::unique_ptr<TlsContext>> TlsContext::create(const TlsCredentials& credentials) {
  std::unique_ptr<TlsContext> made(new TlsContext);
  for (const TlsPair& pair : credentials.pairs) {
    SSL_CTX* const context = bare_context(credentials.ticket_keys);
    if (context == nullptr) return Failure{"no memory for a TLS context"};
    made->contexts_.push_back(context);
    SSL_CTX_set_tlsext_servername_callback(context, &TlsContext::choose);
    SSL_CTX_set_tlsext_servername_arg(context, made.get());
    const auto added = made->add(pair);
    ERR_clear_error();
    if (!added) return Failure{added.error()};
  }
  if (!credentials.client_ca.empty()) {
    const auto set = made->set_client_ca(credentials);
    ERR_clear_error();
    if (!set) return Failure{set.error()};
  }
  return made;
}

TlsContext::~TlsContext() {
  for (SSL_CTX* const context : contexts_) SSL_CTX_free(context);
}

ssl_st* TlsContext::new_session() const {
  SSL* const session = SSL_new(contexts_.front());
  if (session != nullptr) SSL_set_accept_state(session);
  return session;
}

Result<bool> TlsContext::add(const TlsPair& pair) {
  SSL_CTX* const context = contexts_.back();
  const Bio certificates = reader(pair.certificate);
  const Certificate leaf(
      PEM_read_bio_X509_AUX(certificates.get(), nullptr, no_passphrase, nullptr));
  if (!leaf)
    return Failure{pair.certificate_name +
                   ": no certificate in it; give a PEM file that begins with the server's own"};
  if (X509_cmp_current_time(X509_get0_notAfter(leaf.get())) < 0)
    return Failure{pair.certificate_name + ": expired on " +
                   date_of(X509_get0_notAfter(leaf.get())) + "; renew it"};
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return Failure{pair.certificate_name + ": " + ERR_reason_error_string(ERR_peek_last_error())};
  while (X509* const issuer =
             PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr))
    SSL_CTX_add0_chain_cert(context, issuer);

  const Bio keys = reader(pair.key);
  const Key key(PEM_read_bio_PrivateKey(keys.get(), nullptr, no_passphrase, nullptr));
  if (!key)
    return Failure{pair.key_name + (pair.key.find("ENCRYPTED") != std::string::npos
                                        ? ": encrypted; give a key without a passphrase"
                                        : ": no private key in it; give a PEM file")};
  if (X509_check_private_key(leaf.get(), key.get()) != 1)
    return Failure{pair.key_name + ": does not belong to " + pair.certificate_name +
                   "; give certificates and keys in the same order"};
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return Failure{pair.key_name + ": " + ERR_reason_error_string(ERR_peek_last_error())};
  return true;
}

Result<bool> TlsContext::set_client_ca(const TlsCredentials& credentials) {
  for (SSL_CTX* const context : contexts_) {
    const Bio texts = reader(credentials.client_ca);
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    std::size_t count = 0;
    while (const Certificate authority{
        PEM_read_bio_X509(texts.get(), nullptr, no_passphrase, nullptr)}) {
      X509_STORE_add_cert(store, authority.get());
      SSL_CTX_add_client_CA(context, authority.get());
      ++count;
    }
    if (count == 0) return Failure{credentials.client_ca_name + ": no certificate in it"};
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return true;
}

// The first certificate that is good for the name (RFC 6125); a client that asks for another gets
// the first of all, as with other servers, and judges for itself.
int TlsContext::choose(ssl_st* session, int*, void* argument) {
  const auto& self = *static_cast<const TlsContext*>(argument);
  const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr || self.contexts_.size() == 1) return SSL_TLSEXT_ERR_OK;
  for (SSL_CTX* const context : self.contexts_) {
    X509* const certificate = SSL_CTX_get0_certificate(context);
    if (X509_check_host(certificate, name, std::strlen(name), 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(session, context);
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace spate::core
