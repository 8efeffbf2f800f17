// Who is in which channel. An entry costs one allocation for its texts and one for itself; counting
// clients and distinct users costs a lookup. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/pointer_index.h"
#include "core/siphash.h"
#include "handlers/hub/broker.h"

namespace spate::handlers::hub {

// Whose an entry is, and whether its going is to be told.
struct PresenceOwner {
  std::uint32_t slot : 31 = 0;
  bool tells_leave : 1 = false;
};

class PresenceTable {
 public:
  using Removed =
      std::function<void(std::string_view channel, const ClientInfo& info, bool tells_leave)>;

  explicit PresenceTable(const core::HashKey& key);
  ~PresenceTable();
  PresenceTable(const PresenceTable&) = delete;
  PresenceTable& operator=(const PresenceTable&) = delete;

  // A client that is there gets the new info.
  void add(std::string_view channel, const ClientInfo& info, PresenceOwner owner = {});
  void remove(std::string_view channel, std::string_view client);
  // All of one owner's, wherever they are: looks at every entry.
  void remove_owner(std::uint32_t owner, const Removed& removed);
  // Calls `visit(std::span<const PresenceEntry>)`. It may change the table; the span stays.
  template <typename Visit>
  void list(std::string_view channel, Visit&& visit) {
    const std::vector<PresenceEntry> entries = entries_of(channel);
    const Reading reading(*this);
    visit(std::span<const PresenceEntry>(entries));
  }
  PresenceStats stats(std::string_view channel) const;

  std::size_t entries() const { return entry_count_; }

 private:
  struct Client;
  struct User;
  struct Channel;
  // While somebody reads a list, the clients that it names are kept although they have gone.
  struct Reading {
    explicit Reading(PresenceTable& owner);
    ~Reading();
    PresenceTable& table;
  };

  std::uint64_t hash(std::string_view text) const { return core::siphash64(key_, text); }
  Channel* find(std::string_view channel) const;
  std::vector<PresenceEntry> entries_of(std::string_view channel) const;
  void discard(std::unique_ptr<Client> client);
  void join_user(Channel& channel, Client& client, std::string_view user);
  static void leave_user(Channel& channel, const Client& client);

  const core::HashKey key_;
  core::PointerIndex<Channel> channels_;
  std::size_t entry_count_ = 0;
  std::uint32_t readers_ = 0;
  std::vector<std::unique_ptr<Client>> gone_;
};

}  // namespace spate::handlers::hub
