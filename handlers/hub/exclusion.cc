// Sorted, not hashed: most lists name one or two, and those cost no table and no hash a subscriber.
#include "handlers/hub/exclusion.h"

#include <algorithm>

namespace spate::handlers::hub {

Exclusion::Exclusion(std::span<const std::string_view> users,
                     std::span<const std::string_view> clients)
    : users_(users.begin(), users.end()) {
  std::ranges::sort(users_);
  for (const std::string_view text : clients)
    if (const auto id = ClientId::parse(text)) clients_.push_back(*id);
  std::ranges::sort(clients_, {}, &ClientId::bytes);
}

bool Exclusion::has_user(std::string_view user) const {
  return std::ranges::binary_search(users_, user, {},
                                    [](const std::string& each) { return std::string_view(each); });
}

bool Exclusion::has_client(const ClientId& client) const {
  return std::ranges::binary_search(clients_, client.bytes, {}, &ClientId::bytes);
}

}  // namespace spate::handlers::hub
