// spate-bench against servers that each do one thing wrong: it must name it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "tests/tools/bench_run.h"

namespace spate::bench {
namespace {

struct Fault {
  const char* fault;
  const char* error;  // what it must be called; nullptr: it is no fault
  std::vector<std::string> flags = {};
  const char* scenario = "echo";
};

void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.fault;
}

class Misbehaviour : public testing::TestWithParam<Fault> {};

TEST_P(Misbehaviour, IsNamed) {
  const Fault& row = GetParam();
  const bool fanout = std::string_view(row.scenario) == "fanout";
  const MisbehavingServer server(row.fault, fanout);
  std::vector<std::string> arguments = {row.scenario, server.url(), "--warmup",  "0",
                                        "--seconds",  "0.2",        "--timeout", "0.3"};
  arguments.insert(arguments.end(), {fanout ? "--subscribers" : "--connections", "4"});
  arguments.insert(arguments.end(), row.flags.begin(), row.flags.end());
  const BenchRun run = spate_bench(arguments);
  if (row.error == nullptr) {
    EXPECT_EQ(run.status, 0);
    EXPECT_EQ(run.all_errors(), 0u);
    EXPECT_GT(run.number(fanout ? "deliveries" : "messages", "received"), 10);
    return;
  }
  EXPECT_EQ(run.status, 1);
  EXPECT_GT(run.errors(row.error), 0u);
}

constexpr char kToChannel[] = "{{channel}}<{{payload}}>";

const Fault kFaults[] = {
    {"none", nullptr},
    {"none", nullptr, {"--in-flight", "8", "--text"}},
    {"none", nullptr, {"--in-flight", "8", "--size", "8-70K"}},
    {"none", nullptr, {"--in-flight", "8", "--rate", "2000", "--size", "0"}},
    {"none", nullptr, {"--in-flight", "8", "--rate", "2000", "--size", "3"}},
    {"fragment", nullptr, {"--in-flight", "8"}},
    {"dribble", nullptr, {"--size", "300", "--in-flight", "2"}},
    {"corrupt", "corrupted"},
    {"corrupt", "corrupted", {"--size", "300K", "--in-flight", "4"}},
    {"corrupt", "corrupted", {"--size", "9", "--in-flight", "4"}},
    {"corrupt-number", "corrupted"},
    {"truncate", "wrong_length"},
    {"truncate", "wrong_length", {"--size", "8"}},
    {"truncate", "wrong_length", {"--size", "1"}},
    {"lengthen", "wrong_length"},
    {"lengthen", "wrong_length", {"--size", "0"}},
    {"wrong-type", "wrong_type"},
    {"wrong-type", "wrong_type", {"--text"}},
    {"drop", "lost"},
    {"drop", "lost", {"--in-flight", "8"}},
    {"drop", "lost", {"--in-flight", "8", "--size", "4"}},
    {"drop", "lost", {"--rate", "500"}},
    {"double", "duplicated"},
    {"double", "duplicated", {"--in-flight", "8", "--rate", "5000"}},
    {"reorder", "reordered", {"--in-flight", "8"}},
    {"reorder", "reordered", {"--in-flight", "8", "--size", "8-500"}},
    {"unasked", "wrong_length"},
    {"masked", "protocol_error"},
    {"reserved-bits", "protocol_error"},
    {"rsv1-ping", "protocol_error"},
    {"none", nullptr, {"--deflate", "--size", "300", "--in-flight", "8"}},
    {"none", nullptr, {"--deflate", "--size", "8-70K", "--in-flight", "8", "--text"}},
    {"plain", nullptr, {"--deflate", "--size", "300"}},
    {"fragment", nullptr, {"--deflate", "--size", "300", "--in-flight", "8"}},
    {"dribble", nullptr, {"--deflate", "--size", "300", "--in-flight", "2"}},
    {"corrupt-deflate", "not_inflated", {"--deflate", "--size", "300"}},
    {"corrupt-deflate", "not_inflated", {"--deflate", "--size", "4", "--rate", "500"}},
    {"cut-deflate", "not_inflated", {"--deflate", "--size", "300", "--in-flight", "8"}},
    {"corrupt", "corrupted", {"--deflate", "--size", "300"}},
    {"corrupt-number", "corrupted", {"--deflate", "--size", "300"}},
    {"truncate", "wrong_length", {"--deflate", "--size", "300"}},
    {"lengthen", "wrong_length", {"--deflate", "--size", "300"}},
    {"drop", "lost", {"--deflate", "--size", "300", "--in-flight", "8"}},
    {"double", "duplicated", {"--deflate", "--size", "300", "--in-flight", "8"}},
    {"reorder", "reordered", {"--deflate", "--size", "8-500", "--in-flight", "8"}},
    {"corrupt-deflate", "protocol_error", {"--size", "300"}},  // RSV1, and nothing was agreed
    {"reserved-bits", "protocol_error", {"--deflate", "--size", "300"}},
    {"rsv1-continuation", "protocol_error", {"--deflate", "--size", "300"}},
    {"rsv1-ping", "protocol_error", {"--deflate", "--size", "300"}},
    {"declines", "handshake_no_deflate", {"--deflate"}},
    {"keeps-context", "handshake_no_deflate", {"--deflate"}},
    {"close", "closed_by_server"},
    {"reset", "connection_reset"},
    {"none", nullptr, {"--message-frame", R"(42["m","{{payload}}"])", "--text"}},
    {"none", nullptr, {"--message-frame", R"(x{{payload}})", "--size", "8-3K", "--in-flight", "9"}},
    {"none",
     nullptr,
     {"--message-frame", R"(\0{{payload_varint+2}}{{payload_bytes}}|{{payload}}>)", "--size",
      "8-3K", "--rate", "2000", "--in-flight", "8"}},
    {"none", nullptr, {"--hello-frame", "I am {{connection}}", "--ready-when", "I am"}},
    {"fragment", nullptr, {"--message-frame", "<{{payload}}>", "--in-flight", "8"}},
    {"dribble", nullptr, {"--message-frame", "<{{payload}}>", "--size", "300"}},
    {"app-ping", nullptr, {"--app-ping", "ping?", "--app-pong", "pong!", "--in-flight", "4"}},
    {"app-ping", "lost", {"--app-ping", "pong!", "--message-frame", "<{{payload}}>"}},
    {"none", "not_subscribed", {"--ready-when", "welcome"}},
    {"corrupt", "corrupted", {"--message-frame", "<{{payload}}"}},
    {"corrupt", "corrupted", {"--message-frame", "<{{payload}}", "--size", "8"}},
    {"corrupt", "lost", {"--message-frame", "<{{payload}}>"}},
    {"truncate", "wrong_length", {"--message-frame", "<{{payload}}"}},
    {"wrong-type", "wrong_type", {"--message-frame", "<{{payload}}>"}},
    {"double", "duplicated", {"--message-frame", "<{{payload}}>", "--in-flight", "8"}},
    {"reserved-bits", "protocol_error", {"--message-frame", "<{{payload}}>"}},
    {"close", "closed_by_server", {"--message-frame", "<{{payload}}>"}},
    {"mute", "lost"},
    {"mute", "missing_pong", {}, "idle"},
    {"wrong-pong", "wrong_pong", {}, "idle"},
    {"mute", "close_timed_out", {}, "storm"},
    {"none", nullptr, {}, "fanout"},
    {"none", nullptr, {"--publishers", "3", "--in-flight", "4", "--procs", "2"}, "fanout"},
    {"none", nullptr, {"--publishers", "2", "--size", "32-90K", "--rate", "300"}, "fanout"},
    {"none", nullptr, {"--publish-frame", "{\"x\":\"{{payload}}\"}", "--text"}, "fanout"},
    {"fragment", nullptr, {"--in-flight", "4"}, "fanout"},
    {"dribble", nullptr, {"--rate", "100"}, "fanout"},
    {"app-ping", nullptr, {"--app-ping", "ping?", "--app-pong", "pong!"}, "fanout"},
    {"app-ping", "lost", {}, "fanout"},
    {"corrupt", "corrupted", {}, "fanout"},
    {"truncate", "wrong_length", {}, "fanout"},
    {"drop", "lost", {}, "fanout"},
    {"drop", "lost", {"--rate", "500"}, "fanout"},
    {"double", "duplicated", {}, "fanout"},
    {"reorder", "reordered", {"--rate", "500", "--in-flight", "8"}, "fanout"},
    {"none", "not_subscribed", {"--ready-when", "welcome"}, "fanout"},
    {"none", "wrong_channel", {"--channels", "2", "--publish-frame", kToChannel}, "fanout"},
    {"none",
     nullptr,
     {"--channels", "7", "--subscriptions", "7", "--publish-frame", kToChannel, "--publishers", "2",
      "--in-flight", "9", "--procs", "3"},
     "fanout"},
    {"drop",
     "lost",
     {"--channels", "7", "--subscriptions", "7", "--publish-frame", kToChannel},
     "fanout"},
    {"double",
     "duplicated",
     {"--channels", "7", "--subscriptions", "7", "--publish-frame", kToChannel},
     "fanout"},
    {"none",
     nullptr,
     {"--publish-frame", "{{payload}}@{{number}}", "--offset-mark", "@", "--in-flight", "4"},
     "fanout"},
    {"drop",
     "wrong_offset",
     {"--publish-frame", "{{payload}}@{{number}}", "--offset-mark", "@", "--rate", "500"},
     "fanout"},
    {"none", "not_subscribed", {"--protocol", "centrifuge", "--ready-when", "welcome"}, "fanout"},
    {"none", nullptr, {"--churn", "50", "--rate", "200", "--talkers", "0.5"}, "mix"},
    {"none",
     nullptr,
     {"--churn", "50", "--rate", "200", "--hello-frame", "ready", "--ready-when", "ready"},
     "mix"},
    {"corrupt", "corrupted", {"--rate", "500"}, "mix"},
    {"refuse", "handshake_refused", {}, "storm"},
    {"bad-accept", "handshake_accept_key", {}, "storm"},
    {"no-answer", "handshake_timed_out", {}, "storm"},
};

INSTANTIATE_TEST_SUITE_P(Servers, Misbehaviour, testing::ValuesIn(kFaults), [](const auto& row) {
  std::string name = std::to_string(row.index) + "_" + row.param.fault;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Misbehaviour, NoConnectionAtAllIsSaidAndExitIs1) {
  EXPECT_EQ(spate_bench({"echo", "ws://127.0.0.1:1/"}).status, 1);
  const MisbehavingServer server("refuse");
  EXPECT_EQ(spate_bench({"echo", server.url()}).status, 1);
}

// A stall of 100 ms in every 500: an open loop must see it in a fifth of its messages. A closed
// loop sends nothing meanwhile, so hides it: that is why it may not be used for latency.
TEST(Stall, IsSeenByTheOpenLoopAndHiddenByTheClosed) {
  const MisbehavingServer server("stall");
  const std::vector<std::string> common = {
      server.url(), "--connections", "2", "--warmup", "0", "--seconds", "1.5", "--timeout", "2"};
  std::vector<std::string> open = {"echo", "--rate", "400"}, closed = {"echo"};
  open.insert(open.end(), common.begin(), common.end());
  closed.insert(closed.end(), common.begin(), common.end());
  const BenchRun open_run = spate_bench(open), closed_run = spate_bench(closed);
  constexpr double kMs = 1e6;
  EXPECT_GT(open_run.number("latency_ns", "p99"), 80 * kMs);
  EXPECT_GT(open_run.number("latency_ns", "p90"), 20 * kMs);
  EXPECT_GT(closed_run.number("latency_ns", "max"), 80 * kMs);
  EXPECT_LT(closed_run.number("latency_ns", "p99"), 20 * kMs);
}

TEST(OpenLoop, SendsAtTheRateAsked) {
  const MisbehavingServer server("none");
  for (const char* arrivals : {"poisson", "constant"}) {
    const BenchRun run =
        spate_bench({"echo", server.url(), "--connections", "3", "--rate", "4000", "--in-flight",
                     "4", "--arrivals", arrivals, "--seconds", "1", "--warmup", "0.1"});
    EXPECT_EQ(run.all_errors(), 0u);
    EXPECT_NEAR(run.number("messages", "per_second"), 4000, 600) << arrivals;
  }
}

TEST(ServerPid, BringsTheCpuAndMemoryOfTheServer) {
  const MisbehavingServer server("none");
  const BenchRun run = spate_bench({"echo", server.url(), "--rate", "2000", "--seconds", "0.5",
                                    "--warmup", "0", "--procs", "2", "--connections", "4",
                                    "--server-pid", std::to_string(server.pid())});
  EXPECT_EQ(run.status, 0);
  const double cpu = run.number("server", "cpu_ns_per_message");
  EXPECT_GT(cpu, 1000);
  EXPECT_LT(cpu, 500'000);
  EXPECT_GT(run.number("server", "pss_bytes"), 100'000);
}

TEST(Procs, ShareTheConnectionsAndTheRate) {
  const MisbehavingServer server("none");
  const BenchRun run = spate_bench({"echo", server.url(), "--connections", "7", "--procs", "3",
                                    "--rate", "3000", "--seconds", "0.5", "--warmup", "0"});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.number("connections", "opened"), 7);
  EXPECT_NEAR(run.number("messages", "per_second"), 3000, 600);
}

TEST(Fanout, EverySubscriberReceivesEveryPublication) {
  const MisbehavingServer server("none", true);
  const BenchRun run =
      spate_bench({"fanout", server.url(), "--subscribers", "5", "--publishers", "2", "--procs",
                   "3", "--rate", "400", "--seconds", "0.5", "--warmup", "0"});
  EXPECT_EQ(run.status, 0);
  const double sent = run.number("deliveries", "sent");
  EXPECT_NEAR(sent, 200, 80);
  EXPECT_NEAR(run.number("deliveries", "received"), 5 * sent, 30);  // some are under way at the end
  EXPECT_NEAR(run.number("latency_ns", "count"), 5 * run.number("last_latency_ns", "count"), 1);
  EXPECT_GE(run.number("last_latency_ns", "p50"), run.number("latency_ns", "p50") * 0.99);
}

TEST(Reports, AreWritten) {
  const MisbehavingServer server("none");
  const std::string stem = testing::TempDir() + "spate-bench-report-" + std::to_string(getpid());
  const BenchRun run =
      spate_bench({"echo", server.url(), "--rate", "1000", "--seconds", "0.3", "--warmup", "0",
                   "--hgrm", stem + ".hgrm", "--svg", stem + ".svg"});
  EXPECT_EQ(run.status, 0);
  std::ifstream hgrm(stem + ".hgrm"), svg(stem + ".svg");
  std::string line;
  std::getline(hgrm, line);
  EXPECT_EQ(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
  double value = 0, share = 0, last_value = 0, last_share = -1;
  std::uint64_t count = 0;
  for (std::string rest; hgrm >> value >> share >> count; last_value = value, last_share = share) {
    EXPECT_GE(value, last_value);
    EXPECT_GT(share, last_share);
    std::getline(hgrm, rest);
  }
  EXPECT_EQ(last_share, 1);
  EXPECT_EQ(static_cast<double>(count), run.number("latency_ns", "count"));
  const std::string drawing{std::istreambuf_iterator<char>(svg), {}};
  EXPECT_TRUE(drawing.starts_with("<svg "));
  EXPECT_TRUE(drawing.ends_with("</svg>\n"));
  std::remove((stem + ".hgrm").c_str());
  std::remove((stem + ".svg").c_str());
}

// This server pings inside every message that it sends back.
TEST(ServerPings, AreCountedAsTheyAreAnswered) {
  const MisbehavingServer server("fragment");
  const BenchRun run = spate_bench({"mix", server.url(), "--connections", "8", "--talkers", "0.5",
                                    "--rate", "400", "--seconds", "0.3", "--warmup", "0"});
  EXPECT_EQ(run.status, 0);
  EXPECT_GT(run.number("messages", "received"), 0);
  EXPECT_GE(run.number("server_pings", "answered"), run.number("messages", "received"));
  EXPECT_EQ(run.number("server_pings", "silent_connections"), 4);
  EXPECT_EQ(run.number("server_pings", "least"), 0);
  EXPECT_EQ(run.number("server_pings", "most"), 0);
}

TEST(Storm, CountsHandshakes) {
  const MisbehavingServer server("none");
  const BenchRun run = spate_bench({"storm", server.url(), "--connections", "4", "--rate", "200",
                                    "--seconds", "0.5", "--warmup", "0"});
  EXPECT_EQ(run.status, 0);
  EXPECT_NEAR(run.number("handshakes", "per_second"), 200, 100);
}

TEST(Storm, ReconnectBringsAllBack) {
  const MisbehavingServer server("none");
  const BenchRun run = spate_bench({"storm", server.url(), "--connections", "20", "--reconnect",
                                    "0.2", "--seconds", "0.5", "--warmup", "0"});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.number("connections", "open_at_end"), 20);
  EXPECT_GE(run.number("last_latency_ns", "count"), 2);
}

}  // namespace
}  // namespace spate::bench
