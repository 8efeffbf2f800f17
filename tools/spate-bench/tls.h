// TLS towards a wss:// server, with OpenSSL on the socket itself: shares nothing with the server's.
#pragma once

#include <cstdint>
#include <string>

#include "core/base.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace spate::bench {

struct Options;

// What moving bytes came to.
struct TlsMoved {
  enum class Outcome : std::uint8_t { moved, again, ended, failed };
  Outcome outcome;
  std::size_t bytes = 0;
  bool wants_write = false;  // with again: OpenSSL waits for room, not for bytes
};

// One a load process. Sessions are freed by whoever made them, with release().
class TlsClient {
 public:
  TlsClient() = default;
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // Empty, or what is wrong with --ca.
  std::string open(const Options& options);

  ssl_st* session(int fd);
  void release(ssl_st* session);
  // moved: hands are shaken.
  TlsMoved shake_hands(ssl_st* session);
  TlsMoved receive(ssl_st* session, Bytes to);
  TlsMoved send(ssl_st* session, ConstBytes bytes);
  // More can be received although the socket is not readable.
  static bool holds_input(ssl_st* session);

 private:
  static int keep_ticket(ssl_st* session, ssl_session_st* ticket);

  ssl_ctx_st* context_ = nullptr;
  ssl_session_st* ticket_ = nullptr;  // the newest, with --tls-resume
  std::string host_;                  // asked for by name; empty for an address
  std::string checked_host_;          // that the certificate must be good for; empty: --insecure
};

}  // namespace spate::bench
