// TLS over another transport, with OpenSSL fed from memory: the transport below is called by us
// alone, once to receive and once to send for all that a turn moves, so that faults can be injected
// beneath the encryption.
//
//      recv:   below --one receive--> input_ --OpenSSL--> the caller's window
//      send:   pieces --OpenSSL, records of up to 16 KiB--> output_ --one send--> below
//
// input_ and output_ are a worker's, not a connection's: an idle connection holds what OpenSSL
// keeps of a session, and no buffer. What the transport below would not take is kept with the
// connection; until it is gone, the last byte of what it carries counts as not sent, so that
// whoever waits for output to leave waits for the ciphertext.
//
// A handshake that begins while many do is put off: they have kHandshakeNsPerTurn of a turn
// together, and connections that are open have the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/core_metrics.h"
#include "core/reactor.h"
#include "core/slab.h"
#include "core/tls_context.h"
#include "core/transport.h"

struct bio_st;
struct bio_method_st;

namespace spate::core {

// Why a handshake failed, as far as an operator can do something about it.
enum class TlsFailure : std::uint8_t {
  plain_http,          // HTTP without TLS
  not_tls,             // something else
  version,             // the client speaks none of our versions
  cipher,              // no cipher in common
  protocol,            // ALPN without http/1.1
  client_certificate,  // none, or one that the authority did not sign
  rejected,            // the client did not like our certificate, and said so
  abandoned,           // the client left in the middle
  other,
};
static_assert(static_cast<std::size_t>(TlsFailure::other) + 1 == kTlsFailures);

class TlsTransport final : public Transport {
 public:
  static constexpr std::size_t kInputBytes = 64 * 1024;
  static constexpr std::size_t kOutputBytes = 64 * 1024;  // ciphertext that gathers before a send
  static constexpr std::size_t kRecordBytes = 16 * 1024;
  static constexpr std::size_t kSendBytesPerCall = 512 * 1024;
  static constexpr std::int64_t kHandshakeNsPerTurn = 2'000'000;

  struct Options {
    std::int64_t handshake_ns_per_turn = kHandshakeNsPerTurn;
    TlsMetrics* metrics = nullptr;  // null: of its own
  };

  // `below` carries the ciphertext.
  TlsTransport(const Reactor& reactor, Transport& below, std::shared_ptr<const TlsContext> context,
               const Options& options);
  ~TlsTransport();
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;

  // For connections that begin from now on; those under way keep theirs.
  void set_context(std::shared_ptr<const TlsContext> context) { context_ = std::move(context); }

  bool open(Link& link) override;
  ssize_t recv(Link& link, Bytes to) override;
  ssize_t send(Link& link, std::span<const iovec> pieces) override;
  void shutdown_send(Link& link) override;
  void close(Link& link) override;
  Address peer(const Link& link) const override;
  std::uint32_t interest(const Link& link, std::uint32_t wanted) const override;
  bool holds_input(const Link& link) const override;

 private:
  // Freed with its link; OpenSSL's session comes with the first bytes, so that who only connects
  // costs this much.
  struct Session {
    Link below;
    ssl_st* tls = nullptr;
    std::shared_ptr<const TlsContext> context;  // while shaking hands: it chooses the certificate
    std::vector<std::byte> unsent;  // ciphertext that the transport below would not take
    std::vector<std::byte> held;    // received behind what the caller had room for
    int verdict = 0;                // an errno that ended it, negative, to be told to the caller
    bool ended = false;             // the peer has sent its last
    bool established = false;       // hands were shaken
    bool in_record = false;         // the caller had no room for all of a record
    bool owes_byte = false;  // the caller was not told of the last byte that `unsent` carries
  };
  static Session& session_of(const Link& link) { return *static_cast<Session*>(link.state); }
  static bio_method_st* bio_method();
  friend struct TlsBio;

  ssize_t fill_input(Session& session);
  ssize_t shake_hands(Session& session);
  ssize_t fail_handshake(Session& session);
  ssize_t decrypt(Session& session, Bytes to);
  std::size_t encrypt(Session& session, std::span<const iovec> pieces, std::size_t skip);
  bool flush(Session& session);
  void hold_rest_of_input(Session& session);
  bool handshakes_have_had_their_turn();

  const Reactor& reactor_;
  Transport& below_;
  const Options options_;
  std::shared_ptr<const TlsContext> context_;
  const MetricsOf<TlsMetrics> metrics_;
  bio_st* bio_ = nullptr;  // one for all sessions: it reads input_ and writes output_
  Slab<Session> sessions_;
  std::unique_ptr<std::byte[]> input_memory_;
  ConstBytes input_;  // received and not yet taken by OpenSSL
  std::vector<std::byte> output_;
  std::vector<std::byte> record_;  // small pieces that leave in one record
  std::int64_t turn_ns_ = 0;       // the turn that handshake_ns_ belongs to
  std::int64_t handshake_ns_ = 0;
};

}  // namespace spate::core
