// The parameters of a call of the server API, whatever its method: each method looks at the members
// that are its own. JSON payloads are spans of the body, or, where line ends between tokens had to
// go, of this object. Of a member that comes twice the last one counts.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/client/token.h"

namespace spate::handlers {

struct ApiPosition {
  bool given = false;
  std::uint64_t offset = 0;
  std::string epoch;
};

struct ApiRequest {
  std::string channel;
  std::vector<std::string> channels;
  std::string user;
  std::vector<std::string> users;
  std::string client;
  std::string session;
  std::string_view data;  // of b64data, or else data
  std::string_view info;  // the same way
  bool binary = false;    // data came as b64data
  bool skip_history = false;
  std::map<std::string, std::string> tags;
  std::string idempotency_key;
  std::uint64_t version = 0;
  std::string version_epoch;
  std::vector<std::string> exclude_clients;
  std::vector<std::string> exclude_users;
  std::vector<std::string> whitelist;
  std::uint64_t disconnect_code = 0;
  std::string disconnect_reason;
  bool expired = false;
  std::int64_t expire_at = 0;
  std::int64_t limit = 0;
  ApiPosition since;
  ApiPosition recover_since;
  bool reverse = false;
  std::string pattern;
  client::OptionOverride override_;
  std::vector<std::pair<std::string, std::string_view>> commands;  // of a batch: method, parameters

  // Bad is a member that some method knows and that is of another kind than is due. Members that
  // nobody knows, and null, are skipped.
  enum class Parsed : std::uint8_t { ok, not_json, bad_member };
  Parsed parse(std::string_view json);

 private:
  std::deque<std::string> kept_;
};

}  // namespace spate::handlers
