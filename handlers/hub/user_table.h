// Which users are here, by the connections they have. One whose last connection goes is offline
// only after a grace time, so that a reconnect is nothing that anybody hears of.
//
//      (unknown) ── connected ──► online ── last one gone ──► lingering ── grace over ──► offline
//                                   ▲────────── connected ───────┘                           │
//                                   └────────────────────── connected ◄──────────────────────┘
//
// Who is online is also in a log, so that a broker that takes over knows whom others think to be
// there: they linger from then on. The log is the caller's; the table knows where in it each user's
// record is.
//
// Users that are offline are remembered, for `since`, as long as they are not more than
// kMaxOffline: then the one that has been so the longest is forgotten. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/age_list.h"
#include "core/pointer_index.h"
#include "core/record_log.h"
#include "core/siphash.h"
#include "core/text_behind.h"
#include "handlers/hub/broker.h"

namespace spate::handlers::hub {

class UserTable {
 public:
  static constexpr std::size_t kMaxOffline = 65536;
  // A user's status changed; `client` is the connection that came first or went last.
  using OnStatus = std::function<void(std::string_view user, std::string_view client, bool online)>;

  UserTable(const core::HashKey& key, std::int64_t grace_ms, OnStatus on_status)
      : key_(key), grace_ms_(grace_ms), on_status_(std::move(on_status)) {}
  ~UserTable();
  UserTable(const UserTable&) = delete;
  UserTable& operator=(const UserTable&) = delete;

  // Times: now_ms is monotonic, wall_ms for people.
  void connected(std::string_view user, std::string_view client, std::int64_t wall_ms);
  void gone(std::string_view user, std::string_view client, std::int64_t now_ms,
            std::int64_t wall_ms);
  UserStatus status(std::string_view user) const;
  // Out of the log: as if the last connection had gone now. `told`: others have heard that it came;
  // if not, they will when it comes back, or that it is gone.
  void restore(std::string_view user, core::LogPlace place, std::int64_t since_ms, bool told,
               std::int64_t now_ms);
  // Where the user's record is; kNoPlace without one. Null: there is no such user.
  core::LogPlace* place_of(std::string_view user);
  // Those whose grace time is over go offline.
  void advance(std::int64_t now_ms, std::int64_t wall_ms);

  std::size_t online() const { return users_.count() - offline_count_; }

 private:
  struct User;
  User* find(std::string_view user) const;
  void go_offline(User& user, std::int64_t wall_ms);
  void forget(User& user);

  const core::HashKey key_;
  const std::int64_t grace_ms_;
  const OnStatus on_status_;
  core::PointerIndex<User> users_;
  core::AgeList<User> lingering_;  // by the end of their grace time, which is the same for all
  core::AgeList<User> offline_;
  std::size_t offline_count_ = 0;
};

}  // namespace spate::handlers::hub
