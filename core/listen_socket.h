// Listening sockets, bound in the master and kept there. Start-up only.
#pragma once

#include "core/address.h"
#include "core/result.h"

namespace spate::core {

struct ListenOptions {
  int backlog = 4096;
  int defer_accept_seconds =
      0;  // TCP_DEFER_ACCEPT: wake us when the first bytes are there; 0 = off
};

// Sees to it that nobody else listens at `address`, by binding and listening once without
// SO_REUSEPORT: with it, a second instance would share the port without a word. With port 0 the
// kernel chooses, and the address is changed to say what.
Result<bool> claim_address(Address& address);

// A non-blocking listening socket with SO_REUSEPORT; one per worker slot shares the address. The
// error says what failed and what to do.
Result<int> listen_at(const Address& address, const ListenOptions& options);

}  // namespace spate::core
