// What the user asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "handlers/client/token_settings.h"

namespace spate::cli {

enum class Subcommand : std::uint8_t {
  none,
  token,
  inspect,
  publish,
  presence,
  history,
  info,
  bus,
  channels,
  disconnect,
  subscribe,
};

// Exit statuses.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  // the server, or a token, says no; nothing can be reached
inline constexpr int kUsage = 2;   // a wrong flag

// Keys as the server is given them, here by flags without "token-" in front, or by its own
// configuration file.
struct KeyOptions {
  handlers::client::TokenSettingFamily family;
  std::string config;
};

struct TokenOptions {
  std::string user;
  std::string channel;            // then it is a subscription's
  std::int64_t ttl_seconds = 0;   // 0: no exp
  std::string info;               // JSON
  std::vector<std::string> subs;  // channels, or one JSON object
  std::string audience;
  std::string issuer;
  std::string private_key;  // PEM file
  std::string algorithm;    // empty: the key's usual one
  std::string kid;
};

struct ApiOptions {
  std::string url = "http://127.0.0.1:8001";
  std::string key;
  std::string config;  // a file to take the key from when none is given
};

struct Options {
  Subcommand subcommand = Subcommand::none;
  bool json = false;

  KeyOptions keys;
  TokenOptions token;
  ApiOptions api;

  std::string inspected;  // token inspect
  std::string channel;    // pub, presence, history
  std::string data;       // pub
  std::string user;       // disconnect
  std::string pattern;    // channels
  std::int64_t limit = 10;
  std::string since;  // OFFSET[:EPOCH]
  bool reverse = false;

  // sub
  std::vector<std::string> channels;
  std::string url = "ws://127.0.0.1:8000/connection/websocket";
  std::string connection_token;
  std::uint64_t count = 0;  // 0: until Ctrl-C
  bool join_leave = false;
};

// Fills `options`; returns -1 to go on, else the exit status: help was printed, or a flag was
// wrong.
int parse_options(int argc, char** argv, Options& options);

}  // namespace spate::cli
