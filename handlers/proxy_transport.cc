// A layer that reads and passes on, and not a look at what lies in the socket (MSG_PEEK): a header
// that comes in pieces would stay readable, and the loop spin until the rest is there.
#include "handlers/proxy_transport.h"

#include "core/log.h"

namespace spate::handlers {

namespace log = core::log;

bool ProxyTransport::open(core::Link& link) {
  core::Link below = link;
  if (!below_.open(below)) return false;
  Session* const session = sessions_.create();
  if (session == nullptr) return false;
  session->below = below;
  session->peer = peer_of(below_.peer(below));
  link.state = session;
  if (proxies_.trusts(session->peer)) return true;
  metrics_->refused_peers.add();
  log::limited(log::Level::warn, "untrusted proxy",
               "refused {peer} at a listener for proxies: it is not in --trusted-proxies",
               {{"peer", session->peer.text()}});
  session->verdict = -EACCES;
  below_.shutdown_send(session->below);
  return true;
}

ssize_t ProxyTransport::recv(core::Link& link, Bytes to) {
  Session& session = session_of(link);
  return session.begun ? receive_header(session, to) : below_.recv(session.below, to);
}

// -EAGAIN when the header is not whole yet, or nothing came behind it.
ssize_t ProxyTransport::receive_header(Session& session, Bytes to) {
  if (session.verdict != 0) return session.verdict;
  const ssize_t received = below_.recv(session.below, to);
  if (received < 0) return received;
  if (received == 0) {
    metrics_->abandoned.add();
    return session.verdict = -ECONNRESET;
  }
  const std::size_t before = session.part.size();
  ConstBytes bytes = to.first(static_cast<std::size_t>(received));
  if (before > 0) {
    session.part.insert(session.part.end(), bytes.begin(), bytes.end());
    bytes = session.part;
  }
  const codec::ProxyHeader header = codec::parse_proxy_header(bytes);
  if (header.status == codec::ProxyParse::bad) return fail(session, header.error);
  if (header.status == codec::ProxyParse::need_more) {
    if (before == 0) session.part.assign(bytes.begin(), bytes.end());
    return -EAGAIN;
  }
  // What was kept was a beginning, so that the header's end is among what came now.
  const Bytes rest = to.first(static_cast<std::size_t>(received)).subspan(header.consumed - before);
  std::memmove(to.data(), rest.data(), rest.size());
  session.begun = false;
  session.part = {};
  if (header.source == codec::ProxySource::ip)
    session.peer = {.kind = Peer::Kind::ip, .ip = header.address, .port = header.port};
  if (header.source == codec::ProxySource::unix_domain)
    session.peer = {.kind = Peer::Kind::unix_domain};
  (header.source == codec::ProxySource::connection ? metrics_->headers_without
                                                   : metrics_->headers_with_client)
      .add();
  return rest.empty() ? -EAGAIN : static_cast<ssize_t>(rest.size());
}

ssize_t ProxyTransport::fail(Session& session, codec::ProxyHeaderError error) {
  const codec::ProxyHeaderErrorInfo& info = codec::describe(error);
  metrics_->bad_headers[static_cast<std::size_t>(error) - 1].add();
  log::limited(log::Level::warn, info.name,
               "bad PROXY header of {peer}: {what}; let it send one, or connect to a listener "
               "without proxy:",
               {{"peer", session.peer.text()}, {"what", info.what}});
  session.part = {};
  return session.verdict = -EPROTO;
}

ssize_t ProxyTransport::send(core::Link& link, std::span<const iovec> pieces) {
  return below_.send(session_of(link).below, pieces);
}

void ProxyTransport::shutdown_send(core::Link& link) {
  below_.shutdown_send(session_of(link).below);
}

void ProxyTransport::close(core::Link& link) {
  Session& session = session_of(link);
  below_.close(session.below);
  sessions_.destroy(&session);
  link = {};
}

core::Address ProxyTransport::peer(const core::Link& link) const {
  return address_of(session_of(link).peer);
}

}  // namespace spate::handlers
