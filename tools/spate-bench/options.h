// What the user asked for.
#pragma once

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/spate-bench/frame_template.h"
#include "tools/spate-bench/frames.h"
#include "tools/spate-bench/sizes.h"

namespace spate::bench {

enum class Speaks : std::uint8_t { templates, centrifuge };
enum class Scenario : std::uint8_t { echo, fanout, idle, storm, mix };

struct Options {
  Scenario scenario = Scenario::echo;
  std::string scenario_name;

  std::string url;
  sockaddr_in server{};  // where the URL points
  std::string host;      // for the Host header
  std::string path;
  std::vector<std::string> headers;  // further request header lines
  bool tls = false;                  // wss://
  bool insecure = false;             // the certificate is not judged
  bool tls_resume = false;           // connections resume the sessions of earlier ones
  std::string ca;                    // PEM file; empty: the system's authorities

  // Traffic.
  std::uint32_t connections = 1;
  std::string size = "20";
  Sizes sizes;
  Opcode opcode = Opcode::binary;
  std::uint32_t in_flight = 1;
  double rate = 0;  // messages a second over all connections; 0: closed loop
  bool poisson = true;
  double seconds = 10;
  double warmup = 1;
  double timeout = 5;

  // The load processes.
  std::uint32_t procs = 0;  // 0: as many as the descriptor limit asks for
  std::vector<int> cpus;
  std::uint32_t sources = 0;  // 0: one for each 2,000 connections
  double ramp = 0;            // connections a second; 0: as fast as they are accepted
  int server_pid = 0;
  bool raw = false;
  bool deflate = false;  // offer permessage-deflate, and compress

  // idle
  double pings = 100;            // a second, over all connections
  std::uint32_t first_mark = 0;  // memory is first read with so many connections
  // storm
  double reconnect = 0;  // seconds between drops of all; 0: connect–close
  bool abrupt = false;   // reset, no close handshake
  // mix
  double talkers = 1;  // the share of connections that talk
  double churn = 0;    // connections replaced a second
  // A protocol of the server's own.
  std::vector<FrameTemplate> hello_frames;
  FrameTemplate message_frame;
  bool enveloped = false;  // message_frame was given
  std::string ready_when;
  std::string app_ping, app_pong;
  // fanout
  std::uint32_t subscribers = 1;
  std::uint32_t publishers = 1;
  std::vector<FrameTemplate> subscribe_frames;
  std::vector<FrameTemplate> publisher_frames;
  FrameTemplate publish_frame;
  std::uint64_t delivery_bytes = 0;  // with raw; 0: a frame of the payload
  Speaks protocol = Speaks::templates;
  std::uint32_t channels = 1;
  std::uint32_t subscriptions = 1;  // of a subscriber
  std::string time_mark;            // idle: stands before the time of a message; empty: it has none
  std::string offset_mark;          // stands before a publication's offset; empty: none has one

  // Output.
  std::string json;
  std::string hgrm;
  std::string svg;
  bool quiet = false;

  // Whether what held connections cost is a figure of its own.
  [[nodiscard]] bool held() const {
    return scenario == Scenario::idle || scenario == Scenario::mix;
  }
  [[nodiscard]] bool open_loop() const { return rate > 0; }

  // Whether an echo is spoken in a protocol of the server's own.
  [[nodiscard]] bool has_dialect() const {
    return enveloped || !hello_frames.empty() || !ready_when.empty() || !app_ping.empty();
  }

  // What is counted as received.
  struct Unit {
    const char *one, *many;
  };
  [[nodiscard]] Unit unit() const {
    if (scenario == Scenario::storm) return {"handshake", "handshakes"};
    if (scenario == Scenario::fanout) return {"delivery", "deliveries"};
    return {"message", "messages"};
  }

  // Load process `proc` holds the connections from here to first_id(proc + 1).
  [[nodiscard]] std::uint32_t first_id(std::uint32_t proc) const {
    return static_cast<std::uint32_t>(std::uint64_t{proc} * connections / procs);
  }
  // Of a fan-out, whose subscribers are the connections behind the publishers.
  [[nodiscard]] std::uint32_t first_subscriber(std::uint32_t proc) const {
    return std::max(first_id(proc), publishers) - publishers;
  }
};

// Fills `options`; returns -1 to go on, else the exit status: help was printed, or a flag was
// wrong.
int parse_options(int argc, char** argv, Options& options);

// What follows from the flags together. Says what is wrong, or nothing.
std::string complete(Options& options);

}  // namespace spate::bench
