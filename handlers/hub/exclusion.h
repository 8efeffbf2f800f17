// Whom a message is not for. Sorted when it is made, so that a list of ten thousand costs each of
// the many who are asked about fourteen comparisons. Names that are not a client's id are left out:
// no client has them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/hub/client_id.h"

namespace spate::handlers::hub {

class Exclusion {
 public:
  Exclusion(std::span<const std::string_view> users, std::span<const std::string_view> clients);

  bool has_user(std::string_view user) const;
  bool has_client(const ClientId& client) const;

 private:
  std::vector<std::string> users_;
  std::vector<ClientId> clients_;
};

}  // namespace spate::handlers::hub
