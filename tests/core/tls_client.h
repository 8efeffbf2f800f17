// A TLS client for tests over the memory transport: OpenSSL between two strings.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/core/certificates.h"
#include "tests/core/memory_transport.h"

namespace spate::test {

class TlsClient {
 public:
  struct Options {
    int version = TLS1_3_VERSION;
    std::string name{};                  // SNI
    std::string protocols{};             // ALPN, length-prefixed
    const Identity* identity = nullptr;  // shown when asked for one
    SSL_SESSION* resume = nullptr;       // borrowed
  };

  TlsClient(Wire& wire, const Options& options)
      : wire_(wire), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_security_level(context_.get(), 0);
    if (options.identity != nullptr) {
      SSL_CTX_use_certificate(context_.get(), options.identity->x509.get());
      SSL_CTX_use_PrivateKey(context_.get(), options.identity->pkey.get());
    }
    tls_ = {SSL_new(context_.get()), SSL_free};
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(tls_.get(), in_, out_);
    SSL_set_connect_state(tls_.get());
    if (!options.name.empty()) SSL_set_tlsext_host_name(tls_.get(), options.name.c_str());
    if (!options.protocols.empty())
      SSL_set_alpn_protos(tls_.get(),
                          reinterpret_cast<const unsigned char*>(options.protocols.data()),
                          static_cast<unsigned>(options.protocols.size()));
    if (options.resume != nullptr) SSL_set_session(tls_.get(), options.resume);
  }

  // What is to be sent once hands are shaken.
  void send(std::string_view bytes) { to_send_ += bytes; }
  void end() { ends_ = true; }

  // Moves bytes between the wire and OpenSSL once; whether any moved.
  bool step() {
    bool moved = !wire_.to_client.empty();
    const std::string got = std::exchange(wire_.to_client, {});
    BIO_write(in_, got.data(), static_cast<int>(got.size()));
    ERR_clear_error();
    if (SSL_is_init_finished(tls_.get()) == 0) (void)SSL_do_handshake(tls_.get());
    if (SSL_is_init_finished(tls_.get()) == 1) {
      std::size_t count = 0;
      if (!to_send_.empty() &&
          SSL_write_ex(tls_.get(), to_send_.data(), to_send_.size(), &count) == 1)
        to_send_.erase(0, count);
      if (to_send_.empty() && std::exchange(ends_, false)) (void)SSL_shutdown(tls_.get());
    }
    char buffer[20000];
    std::size_t count = 0;
    while (SSL_read_ex(tls_.get(), buffer, sizeof buffer, &count) == 1)
      received.append(buffer, count);
    if ((SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0) ended = true;
    char* bytes = nullptr;
    if (const long size = BIO_get_mem_data(out_, &bytes); size > 0) {
      wire_.to_server.append(bytes, static_cast<std::size_t>(size));
      (void)BIO_reset(out_);
      moved = true;
    }
    return moved;
  }

  ssl_st* tls() { return tls_.get(); }
  bool established() const { return SSL_is_init_finished(tls_.get()) == 1; }

  std::string received;
  bool ended = false;  // the server said so (close_notify)

 private:
  Wire& wire_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
  BIO* in_;
  BIO* out_;
  std::string to_send_;
  bool ends_ = false;
};

}  // namespace spate::test
