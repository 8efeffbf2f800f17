#include "tools/spate-bench/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tools/spate-bench/options.h"

namespace spate::bench {

namespace {

TlsMoved outcome(ssl_st* session, int result, std::size_t bytes) {
  using Outcome = TlsMoved::Outcome;
  if (result == 1) return {Outcome::moved, bytes};
  switch (SSL_get_error(session, result)) {
    case SSL_ERROR_WANT_READ:
      return {Outcome::again};
    case SSL_ERROR_WANT_WRITE:
      return {Outcome::again, 0, true};
    case SSL_ERROR_ZERO_RETURN:
      return {Outcome::ended};
    default:
      return {Outcome::failed};
  }
}

bool is_address(const std::string& host) {
  in_addr four;
  return inet_pton(AF_INET, host.c_str(), &four) == 1;
}

}  // namespace

TlsClient::~TlsClient() {
  for (SSL_SESSION* const ticket : tickets_) SSL_SESSION_free(ticket);
  SSL_CTX_free(context_);
}

std::string TlsClient::open(const Options& options) {
  context_ = SSL_CTX_new(TLS_client_method());
  SPATE_CHECK(context_ != nullptr);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  // A record in one receive, not its header in one and the rest in another.
  SSL_CTX_set_read_ahead(context_, 1);
  SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
  const std::string name = options.host.substr(0, options.host.rfind(':'));
  if (!is_address(name)) host_ = name;
  if (options.tls_resume) {
    most_tickets_ = options.connections;
    SSL_CTX_set_app_data(context_, this);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, keep_ticket);
  }
  if (options.insecure) return {};
  checked_host_ = name;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  if (options.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context_);
  } else if (SSL_CTX_load_verify_file(context_, options.ca.c_str()) != 1) {
    return "--ca " + options.ca + ": no certificates can be read from it";
  }
  return {};
}

int TlsClient::keep_ticket(ssl_st* session, ssl_session_st* ticket) {
  auto& self = *static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
  // Some servers send two for each that is used.
  if (self.tickets_.size() >= self.most_tickets_) return 0;
  self.tickets_.push_back(ticket);
  return 1;
}

void TlsClient::use_ticket(ssl_st* session) {
  SSL_SESSION* const ticket = tickets_.back();
  SSL_set_session(session, ticket);
  if (SSL_SESSION_get_protocol_version(ticket) < TLS1_3_VERSION) return;
  tickets_.pop_back();
  SSL_SESSION_free(ticket);
}

ssl_st* TlsClient::session(int fd) {
  SSL* const made = SSL_new(context_);
  SPATE_CHECK(made != nullptr);
  SSL_set_fd(made, fd);
  SSL_set_connect_state(made);
  if (!host_.empty()) SSL_set_tlsext_host_name(made, host_.c_str());
  if (!checked_host_.empty()) {
    if (is_address(checked_host_))
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made), checked_host_.c_str());
    else
      SSL_set1_host(made, checked_host_.c_str());
  }
  if (!tickets_.empty()) use_ticket(made);
  return made;
}

void TlsClient::release(ssl_st* session) {
  // Without a word: the socket is closed behind it, and the ticket stays good.
  if (session != nullptr) SSL_set_quiet_shutdown(session, 1);
  if (session != nullptr) (void)SSL_shutdown(session);
  SSL_free(session);
}

TlsMoved TlsClient::shake_hands(ssl_st* session) {
  ERR_clear_error();
  return outcome(session, SSL_do_handshake(session), 0);
}

bool TlsClient::resumed(ssl_st* session) {
  return SSL_session_reused(session) == 1;
}

TlsMoved TlsClient::receive(ssl_st* session, Bytes to) {
  std::size_t bytes = 0;
  ERR_clear_error();
  const int result = SSL_read_ex(session, to.data(), to.size(), &bytes);
  return outcome(session, result, bytes);
}

TlsMoved TlsClient::send(ssl_st* session, ConstBytes bytes) {
  std::size_t taken = 0;
  ERR_clear_error();
  const int result = SSL_write_ex(session, bytes.data(), bytes.size(), &taken);
  return outcome(session, result, taken);
}

bool TlsClient::holds_input(ssl_st* session) {
  return SSL_has_pending(session) == 1;
}

}  // namespace spate::bench
