#include <rapidjson/filewritestream.h>
#include <rapidjson/prettywriter.h>

#include <cstdio>

#include "tools/spate-bench/result.h"

namespace spate::bench {

namespace {

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99}};

class Json {
 public:
  explicit Json(std::FILE* file) : stream_(file, buffer_, sizeof buffer_), writer_(stream_) {
    writer_.SetMaxDecimalPlaces(6);
  }

  template <class Body>
  void object(const char* key, Body body) {
    if (key) writer_.Key(key);
    writer_.StartObject();
    body();
    writer_.EndObject();
  }
  template <class List, class Body>
  void array(const char* key, const List& list, Body body) {
    writer_.Key(key);
    writer_.StartArray();
    for (const auto& item : list) body(item);
    writer_.EndArray();
  }
  void put(const char* key, double value) { writer_.Key(key), writer_.Double(value); }
  void put(const char* key, std::uint64_t value) { writer_.Key(key), writer_.Uint64(value); }
  void put(const char* key, std::uint32_t value) { writer_.Key(key), writer_.Uint(value); }
  void put(const char* key, bool value) { writer_.Key(key), writer_.Bool(value); }
  void put(const char* key, std::string_view value) {
    writer_.Key(key);
    string(value);
  }
  void string(std::string_view value) {
    writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  void histogram(const char* key, const Histogram& of) {
    if (of.count() == 0) return;
    object(key, [&] {
      put("count", of.count());
      put("min", of.min());
      put("mean", of.mean());
      for (const auto& [name, percent] : kPercentiles) put(name, of.percentile(percent));
      put("max", of.max());
    });
  }

 private:
  char buffer_[4096];
  rapidjson::FileWriteStream stream_;
  rapidjson::PrettyWriter<rapidjson::FileWriteStream> writer_;
};

// "cpu_ns_per_message", and so on for what else is counted.
std::string cpu_key(const Options& options) {
  return std::string("cpu_ns_per_") + options.unit().one;
}

void write_settings(Json& json, const Options& options) {
  json.put("connections", options.connections);
  if (options.scenario == Scenario::fanout) {
    json.put("subscribers", options.subscribers);
    json.put("publishers", options.publishers);
  }
  json.put("size", std::string_view(options.size));
  json.put("text", options.opcode == Opcode::text);
  json.put("in_flight", options.in_flight);
  json.put("rate", options.rate);
  json.put("arrivals",
           options.poisson ? std::string_view("poisson") : std::string_view("constant"));
  json.put("seconds", options.seconds);
  json.put("warmup", options.warmup);
  json.put("procs", options.procs);
  json.put("raw", options.raw);
  if (options.scenario == Scenario::mix) {
    json.put("talkers", options.talkers);
    json.put("churn", options.churn);
  }
}

void write_server(Json& json, const Options& options, const Result& result) {
  json.put("processes", static_cast<std::uint64_t>(result.server_processes));
  json.put("user_seconds", result.server_cpu.user_seconds);
  json.put("system_seconds", result.server_cpu.system_seconds);
  if (result.received > 0)
    json.put(cpu_key(options).c_str(), result.ns_per_unit(result.server_cpu));
  json.put("pss_bytes", result.marks.back().server_pss_bytes);
  if (result.has_slope())
    json.put("user_bytes_per_connection", result.slope(&Mark::server_pss_bytes));
}

void write_result(Json& json, const Options& options, const Result& result) {
  json.put("scenario", std::string_view(options.scenario_name));
  json.put("url", std::string_view(options.url));
  json.object("settings", [&] { write_settings(json, options); });
  json.object("valid", [&] {
    json.put("throughput", result.invalid_because.empty());
    json.put("latency", result.invalid_because.empty());
    json.put("cpu_per_message", result.received > 0 && options.open_loop());
  });
  json.array("invalid_because", result.invalid_because,
             [&](const std::string& why) { json.string(why); });
  json.object("connections", [&] {
    json.put("opened", result.opened);
    json.put("failed", result.failed);
    json.put("open_at_end", result.open_at_end);
    json.put("seconds", result.connect_seconds);
    json.histogram("latency_ns", result.connecting);
  });
  json.object(options.unit().many, [&] {
    json.put("sent", result.sent);
    json.put("received", result.received);
    json.put("per_second", result.per_second());
    json.put("received_bytes", result.received_bytes);
  });
  if (options.tls)
    json.object("tls_handshakes", [&] {
      json.put("full", result.tls_full);
      json.put("resumed", result.tls_resumed);
    });
  json.histogram("latency_ns", result.latency);
  json.histogram("last_latency_ns", result.last_latency);
  json.histogram("ping_ns", result.ping);
  json.object("server_pings", [&] {
    json.put("answered", result.pings_answered);
    json.put("silent_connections", result.silent);
    if (result.silent == 0) return;
    json.put("least", result.least_pings);
    json.put("most", result.most_pings);
  });
  json.object("errors", [&] {
    for (std::size_t kind = 0; kind < kErrorKinds; ++kind)
      if (result.errors[kind] > 0) json.put(kErrors[kind].name.data(), result.errors[kind]);
  });
  json.object("client", [&] {
    json.put("cpu_seconds", result.client_cpu.total());
    if (result.received > 0)
      json.put(cpu_key(options).c_str(), result.ns_per_unit(result.client_cpu));
    json.put("busiest_core", result.busiest_core);
    json.put("late_share", result.late_share);
    json.histogram("lateness_ns", result.lateness);
    json.put("pss_bytes", result.marks.back().client_pss_bytes);
  });
  if (options.server_pid > 0) json.object("server", [&] { write_server(json, options, result); });
  if (result.has_slope())
    json.put("kernel_bytes_per_connection", result.slope(&Mark::kernel_bytes));
  json.array("marks", result.marks, [&](const Mark& mark) {
    json.object(nullptr, [&] {
      json.put("connections", mark.connections);
      json.put("server_pss_bytes", mark.server_pss_bytes);
      json.put("client_pss_bytes", mark.client_pss_bytes);
      json.put("kernel_bytes", mark.kernel_bytes);
    });
  });
  json.array("moments", result.moments, [&](const Moment& moment) {
    json.object(nullptr, [&] {
      json.put("seconds", moment.seconds);
      json.put("per_second", moment.per_second);
      json.put("p50_ns", moment.p50_ns);
      json.put("p99_ns", moment.p99_ns);
      json.put("max_ns", moment.max_ns);
    });
  });
}

}  // namespace

bool write_json(const Options& options, const Result& result) {
  std::FILE* const file = std::fopen(options.json.c_str(), "w");
  if (!file) return false;
  {
    Json json(file);
    json.object(nullptr, [&] { write_result(json, options, result); });
  }
  return std::fclose(file) == 0;
}

}  // namespace spate::bench
