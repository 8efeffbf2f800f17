// What handlers/ counts. Names and meanings are in handler_metrics.cc, and so in
// docs/operations.md.
#pragma once

#include <array>
#include <cstdint>

#include "codec/close_code.h"
#include "codec/frame.h"
#include "codec/proxy_header.h"
#include "core/metric_table.h"
#include "core/metrics.h"
#include "handlers/http/refusal.h"

namespace spate::handlers {

// Codes of RFC 6455 §7.4.1 and IANA's registry, then the ranges of libraries and of applications.
inline constexpr std::size_t kCloseCodes = 18;
std::size_t close_code_index(codec::CloseCode code);

// Of all Sessions of a worker.
struct alignas(64) SessionMetrics {
  // What a message touches, in one cache line. A message's first frame is its opcode's, so messages
  // and frames of both kinds are the same words.
  std::array<core::Counter, 2> messages_received;      // text, binary: opcode - 1
  std::array<core::Counter, 4> other_frames_received;  // continuation, close, ping, pong
  core::Counter messages_sent;
  core::Gauge websockets;

  core::Counter opened;
  core::Counter pings_sent;
  core::Counter pongs_sent;
  core::Counter pongs_missed;
  std::array<core::Counter, 4> timeouts;  // by SessionTimeout
  core::Counter overflows;
  std::array<core::Counter, codec::kFrameErrors.size() - 1> protocol_errors;  // without none
  std::array<core::Counter, kCloseCodes> closes_received;
  std::array<core::Counter, kCloseCodes> closes_sent;
  core::Histogram handler;
};

enum class OtherFrame : std::uint8_t { continuation, close, ping, pong };
enum class SessionTimeout : std::uint8_t { frame, pong, idle, close };

// Of permessage-deflate in a worker.
struct alignas(64) DeflateMetrics {
  std::array<core::Counter, 2> messages;          // received and inflated, compressed and sent
  std::array<core::Counter, 2> compressed_bytes;  // their payloads on the wire
  std::array<core::Counter, 2> plain_bytes;       // and as endpoints see them
  core::Counter incompressible;
  core::Gauge connections;
  std::array<core::Gauge, 2> memory;      // shared, contexts
  std::array<core::Counter, 2> refusals;  // offer, memory
};

// Of an endpoint in a worker.
struct EndpointMetrics {
  core::Counter exceptions;
  core::Counter overruns;
};
// Endpoints of a worker that are told apart; the last place is for all that come after.
inline constexpr std::uint32_t kEndpointPlaces = 32;

// Of both HttpProtocols of a worker.
struct alignas(64) HttpMetrics {
  std::array<core::Counter, 5> requests;  // by status class, from 1xx
  core::Counter timeouts;
  std::array<core::Counter, kRefusalReasons> refusals;
};

// Of a worker's listeners for proxies.
struct alignas(64) ProxyMetrics {
  core::Counter headers_with_client;
  core::Counter headers_without;  // the connection is the proxy's own
  core::Counter refused_peers;    // not trusted
  core::Counter abandoned;        // left in the middle, or before it
  std::array<core::Counter, codec::kProxyHeaderErrors.size() - 1> bad_headers;  // without none
};

// Of the instance.
struct alignas(64) BuildMetrics {
  std::array<core::Gauge, 1> info;
};

// Where they lie.
struct HandlerMetrics {
  static HandlerMetrics add_to(core::MetricTable& table);

  core::MetricGroup<SessionMetrics> sessions;
  core::MetricGroup<DeflateMetrics> deflate;
  core::MetricGroup<EndpointMetrics> endpoints;  // named by path in each worker
  core::MetricGroup<HttpMetrics> http;
  core::MetricGroup<ProxyMetrics> proxies;
  core::MetricGroup<BuildMetrics> build;
};

}  // namespace spate::handlers
