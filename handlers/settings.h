// Every setting of the server, as plain data. add_settings() binds them to a table; what they mean
// to people is said there, once, and ends up in --help and docs/configuration.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codec/forwarded.h"
#include "core/address.h"
#include "core/log.h"
#include "handlers/setting_table.h"

namespace spate::handlers {

struct Settings {
  // Endpoints
  std::vector<std::string> listen{"127.0.0.1:8000"};
  std::string internal_listen = "127.0.0.1:8001";  // empty: none
  std::string echo;                                // a path; empty: no echo endpoint
  std::vector<std::string> allowed_origins;        // globs; none: same host and port only
  std::vector<std::string> subprotocols;
  int backlog = 4096;
  unsigned unix_mode = 0660;  // of the files of Unix-domain listeners

  // Proxies
  std::vector<std::string> trusted_proxies;  // addresses, networks, "unix"; none: nobody
  codec::ForwardedHeader forwarded_header = codec::ForwardedHeader::x_forwarded_for;

  // TLS, for listeners that begin with "tls:"
  std::vector<std::string> tls_cert;  // files; the i-th certificate's key is the i-th of tls_key
  std::vector<std::string> tls_key;
  std::string tls_client_ca;  // a file; empty: clients show no certificate

  // Processes
  int workers = 0;  // 0: one per CPU that this process may use
  std::string user;
  std::string pid_file;
  std::uint32_t drain_delay_ms = 0;
  std::uint32_t drain_seconds = 10;
  std::uint32_t stall_ms = 10'000;      // 0: never
  std::uint32_t handler_warn_ms = 100;  // 0: never

  // Limits; those of memory and connections are per worker
  std::uint64_t max_message_bytes = 64 << 10;
  std::uint32_t max_connections = 0;  // 0: as many as descriptors allow
  std::uint64_t outbox_bytes = 1 << 20;
  std::uint64_t max_memory = 1 << 30;  // 0: no ceiling

  // Compression (permessage-deflate)
  bool deflate = false;
  int deflate_level = 3;
  std::uint64_t deflate_min_bytes = 256;
  bool deflate_context_takeover = false;
  std::uint64_t deflate_memory = 64 << 20;  // of a worker

  // Timeouts; 0 turns off where the table allows it
  std::uint32_t handshake_timeout_ms = 10'000;
  std::uint32_t ping_interval_ms = 25'000;
  std::uint32_t pong_timeout_ms = 10'000;
  std::uint32_t ping_misses = 1;
  std::uint32_t idle_timeout_ms = 0;
  std::uint32_t frame_timeout_ms = 20'000;
  std::uint32_t close_timeout_ms = 5'000;

  // Logging
  core::log::Level log_level = core::log::Level::info;
  core::log::Format log_format = core::log::Format::text;

  // Engine tuning
  std::uint64_t sndbuf = 0;  // 0: the kernel's own sizing
  std::uint64_t rcvbuf = 0;
  std::uint64_t read_ring_bytes = 256 << 10;
  std::uint32_t max_events = 64;
  std::uint32_t busy_poll_us = 0;
  std::vector<int> cpu_affinity;   // worker i runs on cpu_affinity[i % size]; empty: anywhere
  std::uint32_t defer_accept = 0;  // seconds, as TCP_DEFER_ACCEPT has it; 0: off

  // The listeners, parsed; settings that the table accepted always parse.
  std::vector<core::Endpoint> listen_endpoints() const;
};

// Adds every row and cross-check. `settings` must outlive the table's parse().
void add_settings(SettingTable& table, Settings& settings);

// The table's program entry for the server itself.
SettingTable::Program spate_program();

}  // namespace spate::handlers
