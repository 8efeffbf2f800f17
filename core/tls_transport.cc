#include "core/tls_transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "core/sys.h"

namespace spate::core {

// OpenSSL's view of input_ and output_.
struct TlsBio {
  static int read(BIO* bio, char* to, std::size_t bytes, std::size_t* taken) {
    auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self.input_.empty()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    *taken = std::min(bytes, self.input_.size());
    std::memcpy(to, self.input_.data(), *taken);
    self.input_ = self.input_.subspan(*taken);
    return 1;
  }
  static int write(BIO* bio, const char* from, std::size_t bytes, std::size_t* taken) {
    auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
    const auto* const begin = reinterpret_cast<const std::byte*>(from);
    self.output_.insert(self.output_.end(), begin, begin + bytes);
    *taken = bytes;
    return 1;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

bio_method_st* TlsTransport::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "spate");
    SPATE_CHECK(made != nullptr);
    BIO_meth_set_read_ex(made, TlsBio::read);
    BIO_meth_set_write_ex(made, TlsBio::write);
    BIO_meth_set_ctrl(made, TlsBio::control);
    return made;
  }();
  return method;
}

TlsTransport::TlsTransport(const Reactor& reactor, Transport& below,
                           std::shared_ptr<const TlsContext> context, const Options& options)
    : Transport(true),
      reactor_(reactor),
      below_(below),
      options_(options),
      context_(std::move(context)),
      metrics_(options.metrics),
      bio_(BIO_new(bio_method())),
      input_memory_(new std::byte[kInputBytes]) {
  SPATE_CHECK(bio_ != nullptr);
  BIO_set_data(bio_, this);
  BIO_set_init(bio_, 1);
  output_.reserve(kOutputBytes + 2 * kRecordBytes);
}

TlsTransport::~TlsTransport() {
  BIO_free(bio_);
}

bool TlsTransport::open(Link& link) {
  Link below = link;
  if (!below_.open(below)) return false;
  Session* const session = sessions_.create();
  if (session == nullptr) return false;
  session->below = below;
  link.state = session;
  metrics_->sessions.add();
  return true;
}

void TlsTransport::close(Link& link) {
  Session& session = session_of(link);
  SSL_free(session.tls);
  below_.close(session.below);
  sessions_.destroy(&session);
  link = {};
  metrics_->sessions.sub();
}

Address TlsTransport::peer(const Link& link) const {
  return below_.peer(session_of(link).below);
}

std::uint32_t TlsTransport::interest(const Link& link, std::uint32_t wanted) const {
  const Session& session = session_of(link);
  if (!session.established) return EPOLLIN | (session.unsent.empty() ? 0u : EPOLLOUT);
  return session.unsent.empty() ? wanted : wanted | EPOLLOUT;
}

bool TlsTransport::holds_input(const Link& link) const {
  const Session& session = session_of(link);
  return session.established &&
         (!session.held.empty() || session.ended || session.verdict != 0 || session.in_record);
}

namespace {

// SSL_get_error() takes an old error for one of its own. To look is cheaper than to clear.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

// --- Receiving.

ssize_t TlsTransport::recv(Link& link, Bytes to) {
  Session& session = session_of(link);
  if (!session.established) return shake_hands(session);
  const ssize_t received = decrypt(session, to);
  // KeyUpdate and alerts are answered.
  if (!output_.empty() && !flush(session) && session.verdict != 0 && received <= 0)
    return session.verdict;
  return received;
}

// 0 when input_ holds something; a negative errno; or ended is set.
ssize_t TlsTransport::fill_input(Session& session) {
  if (!session.held.empty()) {
    std::copy(session.held.begin(), session.held.end(), input_memory_.get());
    input_ = {input_memory_.get(), session.held.size()};
    session.held = {};
    return 0;
  }
  const ssize_t received = below_.recv(session.below, {input_memory_.get(), kInputBytes});
  if (received < 0) return received;
  if (received == 0) session.ended = true;
  input_ = {input_memory_.get(), static_cast<std::size_t>(received)};
  return 0;
}

void TlsTransport::hold_rest_of_input(Session& session) {
  session.held.assign(input_.begin(), input_.end());
  input_ = {};
}

// A read gives bytes of one record. When it gives fewer than there is room for, the record is at
// its end; when input_ is too, there is nothing more: to ask would cost OpenSSL a record buffer,
// and SSL_pending() a walk over a session that is cold by then.
ssize_t TlsTransport::decrypt(Session& session, Bytes to) {
  if (session.verdict != 0) return session.verdict;
  if (!session.in_record && !session.ended)
    if (const ssize_t error = fill_input(session); error < 0) return error;
  std::size_t total = 0;
  session.in_record = false;
  forget_errors();
  while (total < to.size()) {
    const std::size_t room = to.size() - total;
    std::size_t got = 0;
    if (SSL_read_ex(session.tls, to.data() + total, room, &got) == 1) {
      total += got;
      if (got == room) session.in_record = SSL_pending(session.tls) > 0;
      if (got < room && input_.empty()) break;
      continue;
    }
    const int error = SSL_get_error(session.tls, 0);
    if (error == SSL_ERROR_ZERO_RETURN) {
      session.ended = true;  // close_notify
    } else if (error != SSL_ERROR_WANT_READ) {
      session.verdict = -EPROTO;
    }
    break;
  }
  if (!input_.empty()) hold_rest_of_input(session);
  if (total > 0) return static_cast<ssize_t>(total);
  if (session.verdict != 0) return session.verdict;
  return session.ended ? 0 : -EAGAIN;
}

// --- The handshake.

bool TlsTransport::handshakes_have_had_their_turn() {
  if (turn_ns_ != reactor_.now_ns()) {
    turn_ns_ = reactor_.now_ns();
    handshake_ns_ = 0;
  }
  return handshake_ns_ >= options_.handshake_ns_per_turn;
}

// One receive and what follows from it. -EAGAIN: it goes on, or is over and the peer's first words
// are still to be read.
ssize_t TlsTransport::shake_hands(Session& session) {
  if (session.verdict != 0) return session.verdict;
  if (handshakes_have_had_their_turn()) return -EAGAIN;  // readable still: asked again next turn
  if (const ssize_t error = fill_input(session); error < 0) return error;
  if (session.ended) {
    if (session.tls != nullptr)
      metrics_->failures[static_cast<std::size_t>(TlsFailure::abandoned)].add();
    return session.verdict = -ECONNRESET;
  }
  const std::int64_t begun = sys::monotonic_ns();
  if (session.tls == nullptr) {
    session.context = context_;
    session.tls = session.context->new_session();
    if (session.tls == nullptr) return -ENOMEM;
    BIO_up_ref(bio_);
    SSL_set_bio(session.tls, bio_, bio_);
  }
  ERR_clear_error();
  const int result = SSL_do_handshake(session.tls);
  handshake_ns_ += sys::monotonic_ns() - begun;
  if (result != 1 && SSL_get_error(session.tls, result) != SSL_ERROR_WANT_READ)
    return fail_handshake(session);
  if (result == 1) {
    session.established = true;
    session.context.reset();
    (SSL_session_reused(session.tls) == 1 ? metrics_->handshakes_resumed
                                          : metrics_->handshakes_full)
        .add();
  }
  if (!input_.empty()) hold_rest_of_input(session);
  if (!flush(session) && session.verdict != 0) return session.verdict;
  return -EAGAIN;
}

namespace {

TlsFailure failure_of(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_HTTP_REQUEST:
      return TlsFailure::plain_http;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_RECORD_LENGTH_MISMATCH:
      return TlsFailure::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return TlsFailure::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
      return TlsFailure::cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return TlsFailure::protocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return TlsFailure::client_certificate;
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return TlsFailure::rejected;
    default:
      return TlsFailure::other;
  }
}

constexpr std::string_view kSpeakTls =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    "Content-Length: 58\r\n\r\n"
    "This port speaks TLS: use https:// or wss:// to reach it.\n";

}  // namespace

// The alert that OpenSSL has written says why; who spoke HTTP is told in HTTP.
ssize_t TlsTransport::fail_handshake(Session& session) {
  const TlsFailure failure = failure_of(ERR_peek_error());
  metrics_->failures[static_cast<std::size_t>(failure)].add();
  if (failure == TlsFailure::plain_http) {
    const ConstBytes words = as_bytes(kSpeakTls);
    output_.assign(words.begin(), words.end());
  }
  input_ = {};
  (void)flush(session);
  // In order, so that the words arrive: closing with input unread would reset.
  below_.shutdown_send(session.below);
  session.verdict = -EPROTO;
  return session.verdict;
}

// --- Sending.

ssize_t TlsTransport::send(Link& link, std::span<const iovec> pieces) {
  Session& session = session_of(link);
  if (!flush(session)) return session.verdict != 0 ? session.verdict : -EAGAIN;
  if (!session.established || pieces.empty()) return -EAGAIN;
  const bool owed = std::exchange(session.owes_byte, false);
  const std::size_t taken = (owed ? 1 : 0) + encrypt(session, pieces, owed ? 1 : 0);
  const bool all = flush(session);
  if (session.verdict != 0) return session.verdict;
  if (all) return static_cast<ssize_t>(taken);
  session.owes_byte = true;
  return taken > 1 ? static_cast<ssize_t>(taken - 1) : -EAGAIN;
}

// Encrypts what is in `pieces` behind the first `skip` bytes, as far as the transport below keeps
// taking it. Returns the plain bytes that are in a record now.
std::size_t TlsTransport::encrypt(Session& session, std::span<const iovec> pieces,
                                  std::size_t skip) {
  std::size_t total = 0;
  std::size_t at = 0;  // of pieces[0]
  const auto advance = [&](std::size_t bytes) {
    while (bytes > 0 || (!pieces.empty() && at == pieces[0].iov_len)) {
      const std::size_t step = std::min(bytes, pieces[0].iov_len - at);
      at += step;
      bytes -= step;
      if (at < pieces[0].iov_len) return;
      pieces = pieces.subspan(1);
      at = 0;
    }
  };
  advance(skip);
  forget_errors();
  while (!pieces.empty() && total < kSendBytesPerCall) {
    const auto* from = static_cast<const std::byte*>(pieces[0].iov_base) + at;
    std::size_t bytes = std::min(pieces[0].iov_len - at, kRecordBytes);
    if (bytes < kRecordBytes && pieces.size() > 1) {
      // Records cost 22 bytes and a cipher call each: small pieces share one.
      record_.assign(from, from + bytes);
      for (const iovec& more : pieces.subspan(1)) {
        const std::size_t room = std::min(more.iov_len, kRecordBytes - record_.size());
        const auto* const begin = static_cast<const std::byte*>(more.iov_base);
        record_.insert(record_.end(), begin, begin + room);
        if (room < more.iov_len) break;
      }
      from = record_.data();
      bytes = record_.size();
    }
    std::size_t written = 0;
    if (SSL_write_ex(session.tls, from, bytes, &written) != 1) {
      session.verdict = -EPROTO;
      return total;
    }
    total += written;
    advance(written);
    if (output_.size() >= kOutputBytes && !flush(session)) return total;
  }
  return total;
}

// Hands the ciphertext to the transport below; what it does not take is kept. False when something
// is left, or verdict is set.
bool TlsTransport::flush(Session& session) {
  const auto pass_on = [&](ConstBytes bytes) -> std::size_t {
    if (bytes.empty()) return 0;
    const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const ssize_t sent = below_.send(session.below, {&piece, 1});
    if (sent < 0 && sent != -EAGAIN && sent != -EINTR && session.verdict == 0)
      session.verdict = static_cast<int>(sent);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  };
  if (!session.unsent.empty()) {
    const std::size_t sent = pass_on(session.unsent);
    session.unsent.erase(session.unsent.begin(),
                         session.unsent.begin() + static_cast<std::ptrdiff_t>(sent));
  }
  if (session.unsent.empty() && !output_.empty()) {
    session.unsent = {};
    const std::size_t sent = pass_on(output_);
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(sent));
  }
  session.unsent.insert(session.unsent.end(), output_.begin(), output_.end());
  output_.clear();
  // Who asks for answers (KeyUpdate) and takes none.
  if (session.unsent.size() > kOutputBytes + kSendBytesPerCall) session.verdict = -ENOBUFS;
  return session.unsent.empty() && session.verdict == 0;
}

void TlsTransport::shutdown_send(Link& link) {
  Session& session = session_of(link);
  if (session.established && session.verdict == 0) {
    ERR_clear_error();
    (void)SSL_shutdown(session.tls);
    (void)flush(session);
  }
  below_.shutdown_send(session.below);
}

}  // namespace spate::core
