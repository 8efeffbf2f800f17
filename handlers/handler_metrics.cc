#include "handlers/handler_metrics.h"

#include <algorithm>
#include <cctype>

#include "core/core_metrics.h"
#include "core/process.h"
#include "handlers/version.h"

namespace spate::handlers {

using core::MetricGroup;
using core::MetricScope;
using core::MetricTable;

namespace {

constexpr std::array<codec::CloseCode, kCloseCodes - 3> kListedCodes{
    1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015};

std::vector<std::string> close_code_names() {
  std::vector<std::string> names;
  for (const codec::CloseCode code : kListedCodes) names.push_back(std::to_string(code));
  names.insert(names.end(), {"3000-3999", "4000-4999", "other"});
  return names;
}

// "reserved bits set": reserved_bits_set.
std::vector<std::string> frame_error_names() {
  std::vector<std::string> names;
  for (const codec::FrameErrorInfo& info : codec::kFrameErrors) {
    if (info.error == codec::FrameError::none) continue;
    std::string name = info.name;
    for (char& c : name)
      c = std::isalnum(static_cast<unsigned char>(c))
              ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
              : '_';
    names.push_back(std::move(name));
  }
  return names;
}

MetricGroup<SessionMetrics> add_sessions(MetricTable& table) {
  using Metrics = SessionMetrics;
  auto rows = table.group<Metrics>(MetricScope::worker);
  rows.add("spate_websockets", "Connections that speak WebSocket.", &Metrics::websockets);
  rows.add("spate_websockets_opened_total", "Handshakes completed.", &Metrics::opened);
  rows.add("spate_messages_received_total", "Messages received whole, by their first opcode.",
           &Metrics::messages_received, "opcode", {"text", "binary"});
  rows.add("spate_messages_sent_total", "Messages written to connections.",
           &Metrics::messages_sent);
  rows.add("spate_frames_received_total",
           "Frames received, by opcode. Those that begin a message count when it is whole.",
           &Metrics::messages_received, "opcode", {"text", "binary"});
  rows.add("spate_frames_received_total", {}, &Metrics::other_frames_received, "opcode",
           {"continuation", "close", "ping", "pong"});
  rows.add("spate_pings_sent_total", "Pings sent to peers that were silent (--ping-interval-ms).",
           &Metrics::pings_sent);
  rows.add("spate_pongs_sent_total", "Answers to pings of peers.", &Metrics::pongs_sent);
  rows.add("spate_pongs_missed_total",
           "Pings that brought no sign of life within --pong-timeout-ms.", &Metrics::pongs_missed);
  rows.add("spate_closes_received_total",
           "Closes by peers, by code. 1005: a close frame without one. 1006: no close frame.",
           &Metrics::closes_received, "code", close_code_names());
  rows.add("spate_closes_sent_total",
           "Close frames sent, by code; an answer repeats the peer's code.", &Metrics::closes_sent,
           "code", close_code_names());
  rows.add("spate_protocol_errors_total", "Connections failed, by the rule that the peer broke.",
           &Metrics::protocol_errors, "error", frame_error_names());
  rows.add("spate_timeouts_total", core::kTimeoutsHelp, &Metrics::timeouts, "kind",
           {"frame", "pong", "idle", "close"});
  rows.add("spate_outbox_overflows_total",
           "Connections closed because more was queued for them than --outbox-bytes.",
           &Metrics::overflows);
  rows.add("spate_handler_seconds",
           "Time that endpoints took for a message: the first of each endpoint and worker, then "
           "every 61st.",
           &Metrics::handler);
  return rows.group();
}

MetricGroup<DeflateMetrics> add_deflate(MetricTable& table) {
  using Metrics = DeflateMetrics;
  auto rows = table.group<Metrics>(MetricScope::worker);
  rows.add("spate_deflate_connections", "Connections that negotiated permessage-deflate.",
           &Metrics::connections);
  rows.add("spate_deflate_messages_total",
           "Messages inflated (received) and compressed (sent; one that goes to many counts once).",
           &Metrics::messages, "direction", {"received", "sent"});
  rows.add("spate_deflate_compressed_bytes_total", "Their payloads as they are on the wire.",
           &Metrics::compressed_bytes, "direction", {"received", "sent"});
  rows.add("spate_deflate_plain_bytes_total", "Their payloads as endpoints see them.",
           &Metrics::plain_bytes, "direction", {"received", "sent"});
  rows.add("spate_deflate_incompressible_total",
           "Messages that compression would not have made smaller, sent plain.",
           &Metrics::incompressible);
  rows.add(
      "spate_deflate_memory_bytes",
      "zlib's memory. shared: of the workers' own compressors. contexts: kept for connections; "
      "--deflate-memory bounds it.",
      &Metrics::memory, "purpose", {"shared", "contexts"});
  rows.add(
      "spate_deflate_refusals_total",
      "offer: clients whose offers of permessage-deflate could not be accepted. memory: clients "
      "that got no contexts because of --deflate-memory.",
      &Metrics::refusals, "reason", {"offer", "memory"});
  return rows.group();
}

MetricGroup<EndpointMetrics> add_endpoints(MetricTable& table) {
  using Metrics = EndpointMetrics;
  auto rows = table.group_named_later<Metrics>(MetricScope::worker, "endpoint", kEndpointPlaces);
  rows.add("spate_handler_exceptions_total",
           "Exceptions that an endpoint's code threw: each closed its connection (1011), or was "
           "answered with 500.",
           &Metrics::exceptions);
  rows.add("spate_handler_overruns_total",
           "Calls of an endpoint's code that took longer than --handler-warn-ms: meanwhile its "
           "worker served nobody else.",
           &Metrics::overruns);
  return rows.group();
}

MetricGroup<HttpMetrics> add_http(MetricTable& table) {
  auto rows = table.group<HttpMetrics>(MetricScope::worker);
  rows.add("spate_http_requests_total",
           "Requests answered, by class of status; 1xx are upgrades to WebSocket.",
           &HttpMetrics::requests, "status", {"1xx", "2xx", "3xx", "4xx", "5xx"});
  rows.add("spate_timeouts_total", core::kTimeoutsHelp, &HttpMetrics::timeouts, "kind", "request");
  rows.add("spate_refusals_total", core::kRefusalsHelp, &HttpMetrics::refusals, "reason",
           refusal_names());
  return rows.group();
}

MetricGroup<ProxyMetrics> add_proxies(MetricTable& table) {
  using Metrics = ProxyMetrics;
  auto rows = table.group<Metrics>(MetricScope::worker);
  constexpr std::string_view kHeaders =
      "PROXY headers received, by whose connection they name: a client's, or the proxy's own.";
  rows.add("spate_proxy_headers_total", kHeaders, &Metrics::headers_with_client, "source",
           "client");
  rows.add("spate_proxy_headers_total", kHeaders, &Metrics::headers_without, "source", "proxy");
  constexpr std::string_view kFailures =
      "Connections to listeners for proxies that ended without a PROXY header, by reason. "
      "untrusted: "
      "the peer is not in --trusted-proxies. abandoned: it left before. The others: what is wrong "
      "with the header.";
  rows.add("spate_proxy_failures_total", kFailures, &Metrics::refused_peers, "reason", "untrusted");
  rows.add("spate_proxy_failures_total", kFailures, &Metrics::abandoned, "reason", "abandoned");
  std::vector<std::string> names;
  for (const auto& info : codec::kProxyHeaderErrors)
    if (info.error != codec::ProxyHeaderError::none) names.emplace_back(info.name);
  rows.add("spate_proxy_failures_total", kFailures, &Metrics::bad_headers, "reason", names);
  return rows.group();
}

MetricGroup<BuildMetrics> add_build(MetricTable& table) {
  const std::string id = core::build_id();
  auto rows = table.group<BuildMetrics>(MetricScope::instance, "version", {std::string(version())});
  rows.add("spate_build_info", "1, for the program that runs.", &BuildMetrics::info, "build",
           {id.empty() ? "unknown" : id});
  return rows.group();
}

}  // namespace

std::size_t close_code_index(codec::CloseCode code) {
  const auto listed = std::ranges::find(kListedCodes, code);
  if (listed != kListedCodes.end()) return static_cast<std::size_t>(listed - kListedCodes.begin());
  if (code >= 3000 && code <= 3999) return kCloseCodes - 3;
  if (code >= 4000 && code <= 4999) return kCloseCodes - 2;
  return kCloseCodes - 1;
}

std::vector<std::string> refusal_names() {
  std::vector<std::string> names;
  for (const auto& info : codec::kHttpErrors)
    if (info.error != codec::HttpError::none) names.emplace_back(info.name);
  for (const auto& info : codec::kHandshakeErrors)
    if (info.error != codec::HandshakeError::none) names.emplace_back(info.name);
  names.insert(names.end(), {"not_found", "method_not_allowed", "request_timeout",
                             "short_of_memory", "endpoint", "endpoint_failed"});
  SPATE_CHECK(names.size() == kRefusalReasons);
  return names;
}

HandlerMetrics HandlerMetrics::add_to(MetricTable& table) {
  return {add_sessions(table), add_deflate(table), add_endpoints(table),
          add_http(table),     add_proxies(table), add_build(table)};
}

}  // namespace spate::handlers
