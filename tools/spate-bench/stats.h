// What a load process tells the conductor, and what the conductor tells it: plain data in pages
// that both map. Valid when zero, which is what fresh pages are.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "tools/spate-bench/errors.h"
#include "tools/spate-bench/histogram.h"

namespace spate::bench {

class Board;

// One writer, any reader, no lock prefix.
class Counter {
 public:
  void add(std::uint64_t n = 1) { set(get() + n); }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_;
};

// Written by the load process. Histograms hold what belongs to the measured window only.
struct Stats {
  Counter attempted;  // connections begun; each ends in opened or failed
  Counter opened;
  Counter failed;
  Counter open;   // now
  Counter ready;  // subscribed, or with --ready-when ready, as far as can be known
  Counter sent;   // messages handed to the kernel; bytes are payload
  Counter sent_bytes;
  Counter received;
  Counter received_bytes;
  Counter tls_full, tls_resumed;  // TLS handshakes, without and with an earlier session
  Counter pings_answered;         // the server's
  // Connections open at the end that had said nothing but pongs; of the server's pings to each of
  // them the least and the most.
  Counter silent, least_pings, most_pings;
  Counter finished;
  std::array<Counter, kErrorKinds> errors;
  Histogram latency;       // from the intended time of sending to the whole message received
  Histogram last_latency;  // fan-out: to the last subscriber
  Histogram connecting;    // from the intended time of connecting to the 101
  Histogram ping;          // ping to pong
  Histogram lateness;      // from the intended time of sending to the first attempt to send

  void error(Error kind, std::uint64_t times = 1) {
    errors[static_cast<std::size_t>(kind)].add(times);
  }
};

// Written by the conductor, before it writes to the load process's eventfd.
struct Orders {
  std::atomic<std::uint64_t> connections;       // how many this process should have open
  std::atomic<std::uint64_t> start_ns;          // traffic begins; 0: not yet known
  std::atomic<std::uint64_t> measure_from_ns;   // what is due from here …
  std::atomic<std::uint64_t> measure_until_ns;  // … to here is measured; nothing is due later
};

struct Shared {
  Orders orders;
  Stats stats;
  Board* board;  // fan-out only; set before the load process starts
};

}  // namespace spate::bench
