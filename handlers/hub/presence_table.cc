#include "handlers/hub/presence_table.h"

#include <cstring>
#include <utility>

namespace spate::handlers::hub {

struct PresenceTable::User {
  std::uint64_t hash = 0;
  std::string name;
  std::uint32_t clients = 0;
};

// A ClientInfo that owns its texts, one behind another.
struct PresenceTable::Client {
  std::uint64_t hash = 0;
  User* user = nullptr;
  std::unique_ptr<char[]> text;
  std::uint32_t bytes[4] = {};
  PresenceOwner owner;

  Client(const ClientInfo& info, PresenceOwner of) : owner(of) {
    const std::string_view parts[4] = {info.user, info.client, info.conn_info, info.chan_info};
    std::size_t all = 0;
    for (const std::string_view part : parts) all += part.size();
    text = std::make_unique_for_overwrite<char[]>(all);
    char* to = text.get();
    for (int i = 0; i < 4; ++i) {
      bytes[i] = static_cast<std::uint32_t>(parts[i].size());
      if (!parts[i].empty()) std::memcpy(to, parts[i].data(), parts[i].size());
      to += parts[i].size();
    }
  }
  ClientInfo info() const {
    std::string_view parts[4];
    const char* from = text.get();
    for (int i = 0; i < 4; ++i) {
      parts[i] = {from, bytes[i]};
      from += bytes[i];
    }
    return {parts[0], parts[1], parts[2], parts[3]};
  }
  bool says(const ClientInfo& other) const {
    const ClientInfo mine = info();
    return mine.user == other.user && mine.client == other.client &&
           mine.conn_info == other.conn_info && mine.chan_info == other.chan_info;
  }
};

struct PresenceTable::Channel {
  std::uint64_t hash = 0;
  std::string name;
  core::PointerIndex<Client> clients;
  core::PointerIndex<User> users;
};

PresenceTable::Reading::Reading(PresenceTable& owner) : table(owner) {
  ++table.readers_;
}

PresenceTable::Reading::~Reading() {
  if (--table.readers_ == 0) table.gone_.clear();
}

PresenceTable::PresenceTable(const core::HashKey& key) : key_(key) {}

PresenceTable::~PresenceTable() {
  std::vector<std::unique_ptr<Channel>> channels;
  channels_.for_each([&](Channel& channel) { channels.emplace_back(&channel); });
  for (const auto& channel : channels) {
    channel->clients.for_each([](Client& client) { delete &client; });
    channel->users.for_each([](User& user) { delete &user; });
  }
}

PresenceTable::Channel* PresenceTable::find(std::string_view channel) const {
  return channels_.find(hash(channel), [&](const Channel& each) { return each.name == channel; });
}

void PresenceTable::add(std::string_view channel, const ClientInfo& info, PresenceOwner owner) {
  Channel* place = find(channel);
  if (place == nullptr) {
    place = new Channel{hash(channel), std::string(channel), {}, {}};
    channels_.insert(place->hash, place);
  }
  const std::uint64_t client_hash = hash(info.client);
  Client* const there = place->clients.find(
      client_hash, [&](const Client& client) { return client.info().client == info.client; });
  if (there != nullptr && there->says(info)) {
    there->owner = owner;
    return;
  }
  auto client = std::make_unique<Client>(info, owner);
  client->hash = client_hash;
  join_user(*place, *client, info.user);
  if (there != nullptr) {
    leave_user(*place, *there);
    place->clients.erase(client_hash, there);
    discard(std::unique_ptr<Client>(there));
  } else {
    ++entry_count_;
  }
  place->clients.insert(client_hash, client.release());
}

void PresenceTable::remove(std::string_view channel, std::string_view client) {
  Channel* const place = find(channel);
  if (place == nullptr) return;
  Client* const there = place->clients.find(
      hash(client), [&](const Client& each) { return each.info().client == client; });
  if (there == nullptr) return;
  leave_user(*place, *there);
  place->clients.erase(there->hash, there);
  discard(std::unique_ptr<Client>(there));
  --entry_count_;
  if (!place->clients.empty()) return;
  channels_.erase(place->hash, place);
  delete place;
}

// Collected first: whoever is told may look at the table.
void PresenceTable::remove_owner(std::uint32_t owner, const Removed& removed) {
  struct Gone {
    std::string channel;
    std::unique_ptr<Client> client;
  };
  std::vector<Gone> gone;
  channels_.for_each([&](Channel& channel) {
    channel.clients.for_each([&](Client& client) {
      if (client.owner.slot == owner)
        gone.push_back({channel.name, std::make_unique<Client>(client.info(), client.owner)});
    });
  });
  for (const Gone& each : gone) {
    const ClientInfo info = each.client->info();
    remove(each.channel, info.client);
    removed(each.channel, info, each.client->owner.tells_leave);
  }
}

void PresenceTable::discard(std::unique_ptr<Client> client) {
  if (readers_ > 0) gone_.push_back(std::move(client));
}

void PresenceTable::join_user(Channel& channel, Client& client, std::string_view name) {
  const std::uint64_t user_hash = hash(name);
  User* user = channel.users.find(user_hash, [&](const User& each) { return each.name == name; });
  if (user == nullptr) {
    user = new User{user_hash, std::string(name), 0};
    channel.users.insert(user_hash, user);
  }
  ++user->clients;
  client.user = user;
}

void PresenceTable::leave_user(Channel& channel, const Client& client) {
  if (--client.user->clients > 0) return;
  channel.users.erase(client.user->hash, client.user);
  delete client.user;
}

std::vector<PresenceEntry> PresenceTable::entries_of(std::string_view channel) const {
  std::vector<PresenceEntry> entries;
  const Channel* const place = find(channel);
  if (place == nullptr) return entries;
  entries.reserve(place->clients.count());
  place->clients.for_each([&](const Client& client) { entries.push_back({client.info()}); });
  return entries;
}

PresenceStats PresenceTable::stats(std::string_view channel) const {
  const Channel* const place = find(channel);
  if (place == nullptr) return {};
  return {BrokerError::none, static_cast<std::uint32_t>(place->clients.count()),
          static_cast<std::uint32_t>(place->users.count())};
}

}  // namespace spate::handlers::hub
