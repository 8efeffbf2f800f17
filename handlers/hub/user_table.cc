#include "handlers/hub/user_table.h"

#include <memory>
#include <utility>
#include <vector>

namespace spate::handlers::hub {

struct UserTable::User : core::TextBehind<User> {
  struct Lingering {
    std::int64_t grace_ends_ms = 0;
    std::string last_client;
  };

  std::uint32_t connections = 0;
  enum class State : std::uint8_t { online, lingering, offline } state = State::online;
  bool told = true;  // false: others may not have heard that it came
  core::LogPlace place = core::kNoPlace;
  std::int64_t since_ms = 0;
  std::unique_ptr<Lingering> lingering;  // while it is
  User* older = nullptr;                 // among the lingering or the offline
  User* newer = nullptr;
};

UserTable::~UserTable() {
  users_.for_each([](User& user) { delete &user; });
}

UserTable::User* UserTable::find(std::string_view user) const {
  return users_.find(core::siphash64(key_, user),
                     [&](const User& each) { return each.text() == user; });
}

void UserTable::connected(std::string_view name, std::string_view client, std::int64_t wall_ms) {
  if (name.empty()) return;
  User* user = find(name);
  const bool comes = user == nullptr || user->state == User::State::offline || !user->told;
  if (user == nullptr) {
    user = User::make(name);
    users_.insert(core::siphash64(key_, name), user);
  } else if (user->state == User::State::lingering) {
    lingering_.remove(*user);
    user->lingering.reset();
  } else if (user->state == User::State::offline) {
    offline_.remove(*user);
    --offline_count_;
  }
  user->state = User::State::online;
  user->told = true;
  ++user->connections;
  if (!comes) return;
  user->since_ms = wall_ms;
  on_status_(name, client, true);
}

void UserTable::gone(std::string_view name, std::string_view client, std::int64_t now_ms,
                     std::int64_t wall_ms) {
  User* const user = name.empty() ? nullptr : find(name);
  if (user == nullptr || user->connections == 0 || --user->connections > 0) return;
  user->state = User::State::lingering;
  user->lingering =
      std::make_unique<User::Lingering>(User::Lingering{now_ms + grace_ms_, std::string(client)});
  lingering_.push_newest(*user);
  if (grace_ms_ <= 0) go_offline(*user, wall_ms);
}

void UserTable::restore(std::string_view name, core::LogPlace place, std::int64_t since_ms,
                        bool told, std::int64_t now_ms) {
  User* const user = User::make(name);
  users_.insert(core::siphash64(key_, name), user);
  user->state = User::State::lingering;
  user->told = told;
  user->place = place;
  user->since_ms = since_ms;
  user->lingering = std::make_unique<User::Lingering>(User::Lingering{now_ms + grace_ms_, {}});
  lingering_.push_newest(*user);
}

core::LogPlace* UserTable::place_of(std::string_view name) {
  User* const user = find(name);
  return user == nullptr ? nullptr : &user->place;
}

void UserTable::advance(std::int64_t now_ms, std::int64_t wall_ms) {
  while (User* const user = lingering_.oldest()) {
    if (user->lingering->grace_ends_ms > now_ms) break;
    go_offline(*user, wall_ms);
  }
}

void UserTable::go_offline(User& user, std::int64_t wall_ms) {
  lingering_.remove(user);
  offline_.push_newest(user);
  user.state = User::State::offline;
  user.since_ms = wall_ms;
  const std::unique_ptr<User::Lingering> lingering = std::move(user.lingering);
  const std::string name(user.text());
  if (++offline_count_ > kMaxOffline) forget(*offline_.oldest());
  on_status_(name, lingering->last_client, false);
}

void UserTable::forget(User& user) {
  offline_.remove(user);
  --offline_count_;
  users_.erase(core::siphash64(key_, user.text()), &user);
  delete &user;
}

UserStatus UserTable::status(std::string_view name) const {
  const User* const user = find(name);
  if (user == nullptr) return {};
  return {BrokerError::none, user->state != User::State::offline, user->connections,
          user->since_ms};
}

}  // namespace spate::handlers::hub
