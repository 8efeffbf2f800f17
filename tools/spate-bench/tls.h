// TLS towards a wss:// server, with OpenSSL on the socket itself: shares nothing with the server's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
  // Once they are: whether it goes on with an earlier session.
  static bool resumed(ssl_st* session);
  TlsMoved receive(ssl_st* session, Bytes to);
  TlsMoved send(ssl_st* session, ConstBytes bytes);
  // More can perhaps be received although the socket is not readable: there may be but a part of a
  // record.
  static bool holds_input(ssl_st* session);

 private:
  void use_ticket(ssl_st* session);
  static int keep_ticket(ssl_st* session, ssl_session_st* ticket);

  ssl_ctx_st* context_ = nullptr;
  // With --tls-resume, the newest last. One of TLS 1.3 goes once only (RFC 8446 C.4; OpenSSL sees
  // to that), so connections that begin together need as many.
  std::vector<ssl_session_st*> tickets_;
  std::size_t most_tickets_ = 0;
  std::string host_;          // asked for by name; empty for an address
  std::string checked_host_;  // that the certificate must be good for; empty: --insecure
};

}  // namespace spate::bench
