// A transport whose connections begin with a PROXY header (codec/proxy_header.h), for listeners
// that begin with "proxy:". Such a listener is the proxies' alone, as the specification demands:
// whether there is a header is never guessed. A peer that is not trusted is refused before it is
// read; one that is has the handshake's deadline to send the header, and all that is above (TLS,
// HTTP) sees only what follows it.
//
// What it keeps of a connection, besides its slot: whose it is.
#pragma once

#include <vector>

#include "core/slab.h"
#include "core/transport.h"
#include "handlers/client_address.h"
#include "handlers/handler_metrics.h"

namespace spate::handlers {

class ProxyTransport final : public core::Transport {
 public:
  // `metrics`: null for its own. What it is given must outlive it.
  ProxyTransport(core::Transport& below, const TrustedProxies& proxies,
                 ProxyMetrics* metrics = nullptr)
      : below_(below), proxies_(proxies), metrics_(metrics) {}

  bool open(core::Link& link) override;
  ssize_t recv(core::Link& link, Bytes to) override;
  ssize_t send(core::Link& link, std::span<const iovec> pieces) override;
  void shutdown_send(core::Link& link) override;
  void close(core::Link& link) override;
  // The client that the header names; the proxy, before it and where it names none.
  core::Address peer(const core::Link& link) const override;

  const ProxyMetrics& metrics() const { return *metrics_; }

 private:
  struct Session {
    core::Link below;
    Peer peer;
    bool begun = true;            // the header is not whole yet
    int verdict = 0;              // an errno that ended it, negative
    std::vector<std::byte> part;  // of the header; fewer than kMaxProxyHeaderBytes
  };
  static Session& session_of(const core::Link& link) { return *static_cast<Session*>(link.state); }
  ssize_t receive_header(Session& session, Bytes to);
  ssize_t fail(Session& session, codec::ProxyHeaderError error);

  core::Transport& below_;
  const TrustedProxies& proxies_;
  const core::MetricsOf<ProxyMetrics> metrics_;
  core::Slab<Session> sessions_;
};

}  // namespace spate::handlers
