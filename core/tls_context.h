// What a TLS listener shows its clients: certificates, one of them chosen by the name that a client
// asks for (SNI, RFC 6066 §3), the protocol versions and ciphers, and the keys that its session
// tickets are sealed with (RFC 8446 §4.6.1, RFC 5077).
//
// TLS 1.2 and 1.3; forward secrecy and authenticated encryption only; no renegotiation, no
// compression; ALPN answers http/1.1. Made from texts and not from files, so that what the master
// has read and found good can be handed to workers that may not read the files.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace spate::core {

// A certificate with its chain, and its private key, as PEM. The names are those of the files they
// come from, for messages.
struct TlsPair {
  std::string certificate_name;
  std::string certificate;
  std::string key_name;
  std::string key;
};

// Workers that share them accept each other's tickets, and so does a server started anew with them.
using TlsTicketKeys = std::array<unsigned char, 80>;

struct TlsCredentials {
  std::vector<TlsPair> pairs;  // the first serves whoever asks for no name, or an unknown one
  std::string client_ca_name;
  std::string client_ca;  // PEM; empty: clients need no certificate
  TlsTicketKeys ticket_keys{};
};

// Fills `keys` with random bytes; false when there are none to be had.
bool make_ticket_keys(TlsTicketKeys& keys);

class TlsContext {
 public:
  // The error names the file, what is wrong with it, and what to do: no certificate in it, a key
  // that does not belong to it, expired.
  static Result<std::unique_ptr<TlsContext>> create(const TlsCredentials& credentials);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A server's end of a connection that is about to begin; null when memory is short.
  ssl_st* new_session() const;

 private:
  TlsContext() = default;
  Result<bool> add(const TlsPair& pair);
  Result<bool> set_client_ca(const TlsCredentials& credentials);
  static int choose(ssl_st* session, int* alert, void* context);

  std::vector<ssl_ctx_st*> contexts_;  // one a certificate
};

}  // namespace spate::core
