// The list of settings: names, limits, defaults' meaning. Cross-checks are in settings_check.cc.
#include "handlers/settings.h"

#include "handlers/client_address.h"
#include "handlers/settings_check.h"
#include "handlers/version.h"

namespace spate::handlers {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

void add_endpoints(SettingTable& table, Settings& s) {
  const char* group = "Endpoints";
  table.add(
      {"listen", group,
       "where clients connect: 127.0.0.1:8000, [::1]:8000, or :8000 for any address, both "
       "families; unix:/run/spate/spate.sock for a Unix-domain socket; tls: in front of any, "
       "such as tls:127.0.0.1:8443, for TLS; proxy: in front of that for trusted proxies that "
       "send a PROXY header (version 1 or 2)",
       texts_value(s.listen, {"ADDRESS", check_endpoint})});
  table.add({"internal-listen", group,
             "where metrics and the server API are served, never to the public; empty turns it off",
             text_value(s.internal_listen, {"ADDRESS", check_address})});
  table.add({"echo", group, "serve an echo endpoint at this path; empty turns it off",
             text_value(s.echo, {"PATH", check_path})});
  table.add({"allowed-origins", group,
             "origins of web pages that may connect, as globs such as https://*.example.com; none "
             "given allows the server's own host and port only",
             texts_value(s.allowed_origins, {"GLOB", check_origin})});
  table.add({"subprotocols", group, "WebSocket subprotocols to accept, the preferred first",
             texts_value(s.subprotocols, {"NAME", check_token})});
  table.add({"backlog", group, "connections that the kernel queues before they are accepted",
             integer_value(s.backlog, 1, 65'535)});
  table.add(
      {"unix-mode", group,
       "permissions of the files of Unix-domain listeners, in octal; who may write to one may "
       "connect",
       mode_value(s.unix_mode)});
}

void add_proxies(SettingTable& table, Settings& s) {
  const char* group = "Proxies";
  table.add({"trusted-proxies", group,
             "addresses and networks of proxies that are believed when they say for whom they "
             "speak; unix for the peers of Unix-domain listeners; none given believes nobody",
             texts_value(s.trusted_proxies, {"NETWORK", TrustedProxies::check})});
  table.add({"forwarded-header", group,
             "request header in which the trusted proxies name their client, and which they write "
             "anew or add to; another one is ignored",
             choice_value(s.forwarded_header, {"x-forwarded-for", "forwarded", "none"})});
}

void add_tls(SettingTable& table, Settings& s) {
  const char* group = "TLS";
  table.add({"tls-cert", group,
             "PEM file of a certificate and its chain, for listeners that begin with tls:; of "
             "several, the first one good for the name that a client asks for serves it. Read "
             "again on SIGHUP",
             texts_value(s.tls_cert, {"FILE", {}})});
  table.add({"tls-key", group,
             "PEM file of the private key, without a passphrase; as many as certificates, in their "
             "order",
             texts_value(s.tls_key, {"FILE", {}})});
  table.add({"tls-client-ca", group,
             "PEM file of the authorities of which clients must show a certificate; none asks for "
             "no certificate",
             text_value(s.tls_client_ca, {"FILE", {}})});
}

void add_processes(SettingTable& table, Settings& s) {
  const char* group = "Processes";
  table.add({"workers", group, "worker processes; 0 is one for each CPU",
             integer_value(s.workers, 0, 1024)});
  table.add({"user", group, "user to become after the listeners are bound",
             text_value(s.user, {"NAME", {}})});
  table.add({"pid-file", group, "file to write the master's process id to",
             text_value(s.pid_file, {"FILE", {}})});
  table.add({"drain-delay-ms", group,
             "how long a server that was told to stop still accepts while it reports not ready",
             milliseconds_value(s.drain_delay_ms, 0, kHourMs)});
  table.add({"drain-seconds", group, "over how long connections are then asked to leave",
             integer_value(s.drain_seconds, 0, 3'600, "SECONDS")});
  table.add({"stall-ms", group,
             "replace a worker whose loop has not turned for this long; 0 never does",
             milliseconds_value(s.stall_ms, 0, kHourMs)});
  table.add({"handler-warn-ms", group,
             "name an endpoint in the log and in the metrics when its code takes longer than this "
             "for one call; 0 never does",
             milliseconds_value(s.handler_warn_ms, 0, kHourMs)});
}

void add_limits(SettingTable& table, Settings& s) {
  const char* group = "Limits";
  table.add({"max-message-bytes", group, "largest message accepted, its fragments together",
             bytes_value(s.max_message_bytes, 1, kGiB)});
  table.add({"max-connections", group,
             "connections of one worker; 0 is as many as its descriptors allow",
             integer_value(s.max_connections, 0, 10'000'000)});
  table.add({"outbox-bytes", group,
             "output that may wait for one connection before it is closed as too slow",
             bytes_value(s.outbox_bytes, 1024, 4 * kGiB)});
  table.add({"max-memory", group,
             "memory of one worker; past it new connections are refused, then the slowest closed; "
             "0 is no ceiling",
             bytes_value(s.max_memory, 0, 1024 * kGiB)});
}

void add_compression(SettingTable& table, Settings& s) {
  const char* group = "Compression";
  table.add({"deflate", group, "compress messages (permessage-deflate) for clients that offer it",
             boolean_value(s.deflate)});
  table.add({"deflate-level", group, "zlib's level: 1 is fast, 9 is small",
             integer_value(s.deflate_level, 1, 9)});
  table.add({"deflate-min-bytes", group, "messages that are shorter are sent plain",
             bytes_value(s.deflate_min_bytes, 1, kGiB)});
  table.add(
      {"deflate-context-takeover", group,
       "let messages refer back to those before them, where a client agrees; costs memory for "
       "each connection",
       boolean_value(s.deflate_context_takeover)});
  table.add({"deflate-memory", group,
             "memory of one worker for --deflate-context-takeover; clients that it has no room for "
             "go without",
             bytes_value(s.deflate_memory, 0, 1024 * kGiB)});
}

void add_timeouts(SettingTable& table, Settings& s) {
  const char* group = "Timeouts";
  table.add({"handshake-timeout-ms", group, "how long a request head may take",
             milliseconds_value(s.handshake_timeout_ms, 1, kHourMs)});
  table.add({"ping-interval-ms", group, "time between pings to a client; 0 sends none",
             milliseconds_value(s.ping_interval_ms, 0, kDayMs)});
  table.add({"pong-timeout-ms", group, "how long the answer to a ping may take",
             milliseconds_value(s.pong_timeout_ms, 1, kDayMs)});
  table.add({"ping-misses", group, "unanswered pings in a row that end a connection",
             integer_value(s.ping_misses, 1, 100)});
  table.add({"idle-timeout-ms", group,
             "close a connection that sends no message for this long; 0 never does",
             milliseconds_value(s.idle_timeout_ms, 0, kDayMs)});
  table.add({"frame-timeout-ms", group, "how long a frame may take once it has begun",
             milliseconds_value(s.frame_timeout_ms, 1, kHourMs)});
  table.add({"close-timeout-ms", group, "how long the answer to a close frame may take",
             milliseconds_value(s.close_timeout_ms, 1, kHourMs)});
}

void add_logging(SettingTable& table, Settings& s) {
  const char* group = "Logging";
  table.add({"log-level", group, "least severe line to write",
             choice_value(s.log_level, {"debug", "info", "warn", "error", "off"})});
  table.add({"log-format", group, "lines for people or JSON lines",
             choice_value(s.log_format, {"text", "json"})});
}

void add_engine(SettingTable& table, Settings& s) {
  const char* group = "Engine tuning";
  table.add({"sndbuf", group, "SO_SNDBUF of a connection; 0 leaves it to the kernel",
             bytes_value(s.sndbuf, 0, kGiB)});
  table.add({"rcvbuf", group, "SO_RCVBUF of a connection; 0 leaves it to the kernel",
             bytes_value(s.rcvbuf, 0, kGiB)});
  table.add({"read-ring-bytes", group,
             "ring that a worker reads into; a power of two and a multiple of the page size",
             bytes_value(s.read_ring_bytes, 4096, kGiB)});
  table.add({"max-events", group, "events taken from one epoll_wait",
             integer_value(s.max_events, 1, 65'536)});
  table.add({"busy-poll-us", group, "microseconds to poll for events before sleeping",
             integer_value(s.busy_poll_us, 0, 1'000'000, "US")});
  table.add({"cpu-affinity", group,
             "CPUs to pin workers to, in turn, such as 0-3,8; none given pins nothing",
             cpus_value(s.cpu_affinity)});
  table.add({"defer-accept", group,
             "TCP_DEFER_ACCEPT: accept a connection once it has sent something, or after so many "
             "seconds; 0 is off",
             integer_value(s.defer_accept, 0, 600, "SECONDS")});
}

}  // namespace

void add_settings(SettingTable& table, Settings& settings) {
  add_endpoints(table, settings);
  add_proxies(table, settings);
  add_tls(table, settings);
  add_processes(table, settings);
  add_limits(table, settings);
  add_compression(table, settings);
  add_timeouts(table, settings);
  add_logging(table, settings);
  add_engine(table, settings);
  add_settings_checks(table, settings);
}

std::vector<core::Endpoint> Settings::listen_endpoints() const {
  std::vector<core::Endpoint> endpoints;
  for (const std::string& text : listen) endpoints.push_back(core::parse_endpoint(text).value());
  return endpoints;
}

SettingTable::Program spate_program() {
  return {.name = "spate",
          .summary = "spate " + std::string(version()) + " - a real-time messaging server",
          .version = "spate " + std::string(version()) + " (" + build() + ")",
          .environment = "SPATE_"};
}

}  // namespace spate::handlers
