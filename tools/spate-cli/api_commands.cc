// What each command asks the API, and how the answer reads. With --json the answer is printed as it
// came.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <vector>

#include "core/printable.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"
#include "handlers/client/reader.h"
#include "tools/spate-cli/api.h"
#include "tools/spate-cli/keys.h"
#include "tools/spate-cli/text.h"

namespace spate::cli {
namespace {

using handlers::client::append_json_string;
using handlers::client::for_each_item;
using handlers::client::for_each_member;
using handlers::client::JsonKind;
using handlers::client::JsonValue;

constexpr std::size_t kMaxShownBytes = 64 * 1024;

std::string shown(std::string_view text) {
  return core::printable(text, kMaxShownBytes);
}
// Strings without their quotes, everything else as it is.
std::string shown(const JsonValue& value) {
  return shown(value.kind == JsonKind::string ? value.string : value.text);
}

// The members of an object that have these names, "" for those that are missing.
std::vector<std::string> fields(std::string_view json, const std::vector<std::string_view>& names) {
  std::vector<std::string> values(names.size());
  for_each_member(json, [&](const JsonValue& value) {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (value.key == names[i]) values[i] = shown(value);
    return true;
  });
  return values;
}

std::string object(std::string_view name, std::string_view value) {
  std::string json = "{\"" + std::string(name) + "\":";
  append_json_string(json, value);
  return json + "}";
}

void print_position(std::string_view result) {
  const auto position = fields(result, {"offset", "epoch"});
  if (position[1].empty()) return;
  std::printf("offset %s, epoch %s\n", position[0].empty() ? "0" : position[0].c_str(),
              position[1].c_str());
}

void print_published(std::string_view result) {
  std::printf("published\n");
  print_position(result);
}

void print_presence(std::string_view result) {
  std::size_t count = 0;
  for_each_member(result, [&](const JsonValue& presence) {
    return presence.key != "presence" ||
           for_each_member(presence.text, [&](const JsonValue& client) {
             const auto info = fields(client.text, {"user", "conn_info", "chan_info"});
             std::printf("%s  user %s", shown(client.key).c_str(),
                         info[0].empty() ? "(anonymous)" : info[0].c_str());
             for (std::size_t i = 1; i < info.size(); ++i)
               if (!info[i].empty()) std::printf("  %s", info[i].c_str());
             std::printf("\n");
             ++count;
             return true;
           });
  });
  std::printf("%zu client%s\n", count, count == 1 ? "" : "s");
}

void print_history(std::string_view result) {
  for_each_member(result, [&](const JsonValue& publications) {
    return publications.key != "publications" ||
           for_each_item(publications.text, [](const JsonValue& publication) {
             const auto values = fields(publication.text, {"offset"});
             // As JSON, so that a string keeps its quotes.
             std::string data;
             for_each_member(publication.text, [&](const JsonValue& value) {
               if (value.key == "data") data = shown(value.text);
               if (value.key == "b64data") data = "base64 " + shown(value.string);
               return true;
             });
             std::printf("#%s  %s\n", values[0].c_str(), data.c_str());
             return true;
           });
  });
  print_position(result);
}

void print_nodes(std::string_view result) {
  for_each_member(result, [&](const JsonValue& nodes) {
    return nodes.key != "nodes" || for_each_item(nodes.text, [](const JsonValue& node) {
             for_each_member(node.text, [](const JsonValue& value) {
               std::string line = shown(value.key) + "  " + shown(value);
               std::int64_t seconds = 0;
               if (value.key == "uptime" &&
                   std::from_chars(value.text.data(), value.text.data() + value.text.size(),
                                   seconds)
                           .ec == std::errc{})
                 line += " (" + duration(seconds) + ")";
               std::printf("%s\n", line.c_str());
               return true;
             });
             return true;
           });
  });
}

void print_channels(std::string_view result) {
  std::size_t count = 0;
  for_each_member(result, [&](const JsonValue& channels) {
    return channels.key != "channels" ||
           for_each_member(channels.text, [&](const JsonValue& channel) {
             const auto values = fields(channel.text, {"num_clients"});
             std::printf("%s  %s\n", shown(channel.key).c_str(), values[0].c_str());
             ++count;
             return true;
           });
  });
  std::printf("%zu channel%s\n", count, count == 1 ? "" : "s");
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string part_of(const std::string& bytes, const std::string& all) {
  const std::uint64_t whole = std::max<std::uint64_t>(number_of(all), 1);
  return bytes + " B (" + std::to_string(number_of(bytes) * 100 / whole) + " %)";
}

// The broker in a sentence, a line a worker; how full each ring is, in percent of it.
void print_bus(std::string_view result) {
  std::string event_ring;
  for_each_member(result, [&](const JsonValue& value) {
    if (value.key == "broker") {
      const auto broker = fields(value.text, {"generation", "syncing", "events", "event_ring_bytes",
                                              "log_head", "log_segments", "log_segments_of"});
      event_ring = broker[3];
      std::printf("broker  generation %s%s, %s events, log at byte %s, %s of %s segments\n",
                  broker[0].c_str(), broker[1] == "true" ? " (asking workers who is here)" : "",
                  broker[2].c_str(), broker[4].c_str(), broker[5].c_str(), broker[6].c_str());
    }
    if (value.key != "workers") return true;
    constexpr const char* kRow = "%-7s %-5s %-6s %18s %18s %18s %8s %6s %10s\n";
    std::printf(kRow, "worker", "life", "state", "requests unread", "replies unread",
                "events behind", "waiting", "laps", "lost");
    return for_each_item(value.text, [&](const JsonValue& worker) {
      const auto is =
          fields(worker.text, {"slot", "generation", "alive", "requests_unread",
                               "request_ring_bytes", "replies_unread", "reply_ring_bytes",
                               "events_behind", "waiting", "laps", "events_lost"});
      std::printf(kRow, is[0].c_str(), is[1].c_str(), is[2] == "true" ? "alive" : "dead",
                  part_of(is[3], is[4]).c_str(), part_of(is[5], is[6]).c_str(),
                  part_of(is[7], event_ring).c_str(), is[8].c_str(), is[9].c_str(), is[10].c_str());
      return true;
    });
  });
}

// The count of connections, where the server tells it.
void print_disconnected(std::string_view result) {
  std::printf("disconnected");
  for_each_member(result, [](const JsonValue& value) {
    std::printf("  %s %s", shown(value.key).c_str(), shown(value).c_str());
    return true;
  });
  std::printf("\n");
}

struct Call {
  std::string method;
  std::string body;
  void (*print)(std::string_view result);
};

// {"channel":…,"limit":…,…}
core::Result<Call> history_call(const Options& options) {
  std::string body = object("channel", options.channel);
  body.pop_back();
  body += ",\"limit\":" + std::to_string(options.limit);
  if (options.reverse) body += ",\"reverse\":true";
  if (!options.since.empty()) {
    const std::size_t colon = options.since.find(':');
    std::uint64_t offset = 0;
    const char* const end = options.since.data() + std::min(colon, options.since.size());
    const auto [stop, error] = std::from_chars(options.since.data(), end, offset);
    if (stop != end || error != std::errc{})
      return core::Failure{"--since=" + options.since +
                           ": no position; write OFFSET or OFFSET:EPOCH"};
    body += ",\"since\":{\"offset\":" + std::to_string(offset) + ",\"epoch\":";
    append_json_string(body, colon == std::string::npos ? "" : options.since.substr(colon + 1));
    body += '}';
  }
  return Call{"history", body + "}", print_history};
}

core::Result<Call> call_of(const Options& options) {
  switch (options.subcommand) {
    case Subcommand::publish: {
      std::string body = object("channel", options.channel);
      body.pop_back();
      body += ",\"data\":";
      if (handlers::client::is_json(options.data))
        body += options.data;
      else
        append_json_string(body, options.data);
      return Call{"publish", body + "}", print_published};
    }
    case Subcommand::presence:
      return Call{"presence", object("channel", options.channel), print_presence};
    case Subcommand::history:
      return history_call(options);
    case Subcommand::channels:
      return Call{"channels", options.pattern.empty() ? "{}" : object("pattern", options.pattern),
                  print_channels};
    case Subcommand::disconnect:
      return Call{"disconnect", object("user", options.user), print_disconnected};
    case Subcommand::bus:
      return Call{"bus", "{}", print_bus};
    default:
      return Call{"info", "{}", print_nodes};
  }
}

}  // namespace

int run_api_command(const Options& options) {
  const auto call = call_of(options);
  if (!call) {
    std::fprintf(stderr, "spate-cli: %s\n", call.error().c_str());
    return kUsage;
  }
  ApiOptions api = options.api;
  if (api.key.empty() && !api.config.empty()) {
    const auto key = api_key_of(api.config);
    if (!key) {
      std::fprintf(stderr, "spate-cli: %s\n", key.error().c_str());
      return kUsage;
    }
    api.key = *key;
  }
  const auto result = call_api(api, call.value().method, call.value().body);
  if (!result) {
    std::fprintf(stderr, "spate-cli: %s\n", result.error().c_str());
    return kFailed;
  }
  if (options.json)
    std::printf("%s\n", result.value().c_str());
  else
    call.value().print(*result);
  return kDone;
}

}  // namespace spate::cli
