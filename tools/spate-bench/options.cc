#include "tools/spate-bench/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tools/spate-bench/board.h"

namespace spate::bench {

namespace {

void add_messages(CLI::App& app, Options& options, const char* in_flight) {
  app.add_option("--size", options.size,
                 "payload bytes: 20, a range 64-4K, or weighted sizes 20:70,1K:25,16K:5")
      ->capture_default_str();
  app.add_flag_callback(
      "--text", [&] { options.opcode = Opcode::text; }, "text messages, not binary ones");
  app.add_option("--in-flight", options.in_flight, in_flight)
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
}

void add_rate(CLI::App& app, Options& options, const std::string& what) {
  app.add_option("--rate", options.rate, what)->check(CLI::PositiveNumber);
  app.add_option_function<std::string>(
         "--arrivals", [&](const std::string& kind) { options.poisson = kind == "poisson"; },
         "with --rate: poisson (default) or constant")
      ->check(CLI::IsMember({"poisson", "constant"}));
}

void add_connections(CLI::App& app, Options& options) {
  app.add_option("--connections,-c", options.connections, "connections to hold")
      ->check(CLI::Range(1u, 5'000'000u))
      ->capture_default_str();
}

void add_common(CLI::App& app, Options& options) {
  app.add_option("URL", options.url, "ws://HOST[:PORT][/PATH], or wss:// for TLS")->required();
  app.add_option("--seconds", options.seconds, "length of the measured window")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "seconds of traffic before the window")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "seconds until something unanswered is given up")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  app.add_option("--ramp", options.ramp, "connections a second (default: as fast as accepted)")
      ->check(CLI::PositiveNumber);
  app.add_option("--procs", options.procs,
                 "load processes (default: as many as the descriptor limit asks for)")
      ->check(CLI::Range(1u, static_cast<unsigned>(Board::kMostProcs)));
  app.add_option("--cpu", options.cpus, "pin the load processes to these cores, in turn: 1,2,3")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--sources", options.sources,
                 "source addresses in 127.0.0.0/8 (default: one for each 2,000 connections)");
  app.add_option("--header", options.headers, "a further request header line, 'Name: value'")
      ->allow_extra_args(false);
  app.add_flag("--insecure", options.insecure, "wss: take any certificate");
  app.add_option("--ca", options.ca, "wss: PEM file of the authorities to trust");
  app.add_flag("--tls-resume", options.tls_resume,
               "wss: resume the sessions of earlier connections");
  app.add_flag("--raw", options.raw,
               "count bytes only, for a server that parses nothing; needs one fixed --size");
  app.add_option("--server-pid", options.server_pid,
                 "report CPU and memory of this process and its descendants");
  app.add_option("--json", options.json, "write all figures to this file");
  app.add_option("--hgrm", options.hgrm, "write the latencies in HdrHistogram's percentile format");
  app.add_option("--svg", options.svg, "draw latency and throughput");
  app.add_flag("--quiet", options.quiet, "no live line and no table");
}

void add_template(CLI::App& app, const char* flag, const char* what,
                  std::function<void(FrameTemplate)> take) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [flag, take = std::move(take)](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             std::string wrong;
             auto parsed = FrameTemplate::parse(text, wrong);
             if (!parsed) throw CLI::ValidationError(flag, wrong + " means nothing");
             take(std::move(*parsed));
           }
         },
         what)
      ->allow_extra_args(false);
}

void add_text(CLI::App& app, const char* flag, const char* what, std::string& to) {
  app.add_option_function<std::string>(
      flag,
      [flag, &to](const std::string& text) {
        std::string wrong;
        const auto bytes = unescape(text, wrong);
        if (!bytes) throw CLI::ValidationError(flag, wrong + " means nothing");
        to = *bytes;
      },
      what);
}

void add_readiness(CLI::App& app, Options& options, const char* ready_when) {
  add_text(app, "--ready-when", ready_when, options.ready_when);
  add_text(app, "--app-ping", "a message that is the server's ping in its own protocol …",
           options.app_ping);
  add_text(app, "--app-pong", "… and what it is answered with", options.app_pong);
}

void add_hello(CLI::App& app, Options& options) {
  add_template(app, "--hello-frame", "what a connection sends first; repeatable",
               [&](FrameTemplate frame) { options.hello_frames.push_back(std::move(frame)); });
}

void add_echo(CLI::App& app, Options& options) {
  add_connections(app, options);
  add_messages(app, options,
               "messages a connection has under way; with --rate, messages in each burst");
  add_rate(app, options,
           "open loop: messages a second over all connections (default: closed loop)");
  add_hello(app, options);
  add_template(app, "--message-frame",
               "the envelope of a message and of its reply; knows {{payload}} {{payload_bytes}} "
               "{{payload_varint}} (both also with +N) and \\r \\n \\t \\0 \\\\ \\xHH (default: "
               "{{payload}})",
               [&](FrameTemplate frame) {
                 options.message_frame = std::move(frame);
                 options.enveloped = true;
               });
  app.add_flag("--deflate", options.deflate,
               "offer permessage-deflate without contexts, compress what is sent, inflate replies");
  add_readiness(app, options, "a connection may talk once a message contains this text");
}

void add_first_mark(CLI::App& app, Options& options) {
  app.add_option("--first-mark", options.first_mark,
                 "memory per connection is the slope from so many connections to all "
                 "(default: a fifteenth)");
}

void add_mix(CLI::App& app, Options& options) {
  add_echo(app, options);
  add_first_mark(app, options);
  app.add_option("--talkers", options.talkers, "share of the connections that talk (default: 0.1)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--churn", options.churn, "connections replaced by new ones, a second")
      ->check(CLI::PositiveNumber);
  app.get_option("--size")->description("as for echo (default: 20:50,200:30,1K:15,8K:5)");
  app.get_option("--rate")->description("messages a second (default: one for each talker)");
}

void add_idle(CLI::App& app, Options& options) {
  add_connections(app, options);
  app.add_option("--pings", options.pings, "pings a second over all connections; 0 for none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_first_mark(app, options);
  add_hello(app, options);
  add_text(
      app, "--time-mark",
      "what stands before a time (CLOCK_MONOTONIC, in ns) in what the server says unasked: its "
      "age is the latency",
      options.time_mark);
}

void add_storm(CLI::App& app, Options& options) {
  add_connections(app, options);
  add_rate(app, options, "open loop: handshakes a second (default: closed loop)");
  app.add_option("--reconnect", options.reconnect,
                 "hold all connections; every so many seconds all drop and come back at once")
      ->check(CLI::PositiveNumber);
  app.add_flag("--abrupt", options.abrupt, "close with a reset, not with a close handshake");
}

void add_channels(CLI::App& app, Options& options) {
  app.add_option_function<std::string>(
         "--protocol",
         [&](const std::string& name) {
           if (name == "centrifuge") options.protocol = Speaks::centrifuge;
         },
         "a protocol whose frames are known: centrifuge (JSON); given frames replace its own")
      ->check(CLI::IsMember({"centrifuge"}));
  app.add_option("--channels", options.channels,
                 "channels that publications go round, {{channel}} in frames")
      ->check(CLI::Range(1u, 1'000'000u))
      ->capture_default_str();
  app.add_option("--subscriptions", options.subscriptions,
                 "channels of each subscriber, who sends the frames that name a channel once for "
                 "each; the next subscriber goes on with the next channels")
      ->check(CLI::Range(1u, 65'536u))
      ->capture_default_str();
}

void add_fanout(CLI::App& app, Options& options) {
  app.add_option("--subscribers", options.subscribers, "connections that receive")
      ->check(CLI::Range(1u, 5'000'000u))
      ->capture_default_str();
  app.add_option("--publishers", options.publishers, "connections that publish")
      ->check(CLI::Range(1u, static_cast<unsigned>(Board::kMostPublishers)))
      ->capture_default_str();
  add_messages(app, options,
               "publications a publisher has under way; with --rate, publications in each burst");
  app.get_option("--size")->description("payload bytes of a publication (default: 64)");
  add_rate(app, options, "open loop: publications a second (default: closed loop)");
  add_template(app, "--subscribe-frame", "what a subscriber sends once connected; repeatable",
               [&](FrameTemplate frame) { options.subscribe_frames.push_back(std::move(frame)); });
  add_template(app, "--publisher-frame", "what a publisher sends once connected; repeatable",
               [&](FrameTemplate frame) { options.publisher_frames.push_back(std::move(frame)); });
  add_template(
      app, "--publish-frame",
      "a publication; knows {{payload}} {{payload_bytes}} {{payload_varint}} (both also with "
      "+N) {{connection}} {{number}} {{channel}} and \\r \\n \\t \\0 \\\\ \\xHH (default: "
      "{{payload}}; with --protocol its own)",
      [&](FrameTemplate frame) { options.publish_frame = std::move(frame); });
  add_readiness(app, options, "a subscriber is subscribed when a message contains this text");
  add_text(app, "--offset-mark",
           "what stands before the offset that a delivery may have behind its payload",
           options.offset_mark);
  add_channels(app, options);
  app.add_option("--delivery-bytes", options.delivery_bytes,
                 "with --raw: bytes of a delivered frame (default: one of the payload alone)");
}

}  // namespace

int parse_options(int argc, char** argv, Options& options) {
  CLI::App app{"Load generator for any WebSocket server (RFC 6455)"};
  app.require_subcommand(1);
  const auto scenario = [&](Scenario which, const char* name, const char* what, auto add_flags) {
    CLI::App* const sub = app.add_subcommand(name, what);
    // Before the flags are read: what they say goes over these defaults.
    sub->preparse_callback([&options, which, name](std::size_t) {
      options.scenario = which;
      options.scenario_name = name;
      if (which == Scenario::mix) options.size = "20:50,200:30,1K:15,8K:5", options.talkers = 0.1;
      if (which == Scenario::fanout) options.size = "64";
    });
    add_flags(*sub, options);
    add_common(*sub, options);
  };
  std::string wrong;
  options.message_frame = *FrameTemplate::parse("{{payload}}", wrong);
  scenario(Scenario::echo, "echo", "messages that the server sends back", add_echo);
  scenario(Scenario::fanout, "fanout", "publications that all subscribers receive", add_fanout);
  scenario(Scenario::idle, "idle", "connections that are only held", add_idle);
  scenario(Scenario::storm, "storm", "handshakes: connect, upgrade, close", add_storm);
  scenario(Scenario::mix, "mix", "echo among many silent connections, sizes mixed", add_mix);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  wrong = complete(options);
  if (wrong.empty()) return -1;
  std::fprintf(stderr, "spate-bench: %s\n", wrong.c_str());
  return 2;
}

}  // namespace spate::bench
