#include "tests/core/memory_transport.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace spate::test {

namespace {

Wire& wire_of(core::Link& link) {
  return *static_cast<Wire*>(link.state);
}

}  // namespace

MemoryTransport::Fault MemoryTransport::next_fault(Operation operation) {
  const std::uint64_t number = operations_++;
  return plan_ ? plan_(operation, number) : Fault{};
}

ssize_t MemoryTransport::recv(core::Link& link, Bytes to) {
  Wire& wire = wire_of(link);
  SPATE_CHECK(!wire.closed && !to.empty());
  if (wire.reset) return -ECONNRESET;
  if (wire.to_server.empty()) return wire.client_ended ? 0 : -EAGAIN;
  const Fault fault = next_fault(Operation::recv);
  if (fault.error == ECONNRESET) wire.reset = true;
  if (fault.error != 0) return -fault.error;
  const std::size_t bytes = std::min({to.size(), wire.to_server.size(), fault.bytes});
  std::memcpy(to.data(), wire.to_server.data(), bytes);
  wire.to_server.erase(0, bytes);
  return static_cast<ssize_t>(bytes);
}

ssize_t MemoryTransport::send(core::Link& link, std::span<const iovec> pieces) {
  Wire& wire = wire_of(link);
  SPATE_CHECK(!wire.closed);
  ++sends_;
  if (wire.reset || wire.server_ended) return -EPIPE;
  const Fault fault = next_fault(Operation::send);
  if (fault.error == ECONNRESET) wire.reset = true;
  if (fault.error != 0) return -fault.error;
  std::uint64_t left = std::min<std::uint64_t>(wire.room, fault.bytes);
  if (left == 0) return -EAGAIN;
  std::size_t sent = 0;
  for (const iovec& piece : pieces) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.iov_len));
    wire.to_client.append(static_cast<const char*>(piece.iov_base), bytes);
    left -= bytes;
    sent += bytes;
  }
  if (wire.room != Wire::kUnlimited) wire.room -= sent;
  return static_cast<ssize_t>(sent);
}

void MemoryTransport::shutdown_send(core::Link& link) {
  Wire& wire = wire_of(link);
  SPATE_CHECK(!wire.closed);
  wire.server_ended = true;
}

void MemoryTransport::close(core::Link& link) {
  Wire& wire = wire_of(link);
  SPATE_CHECK(!wire.closed);
  wire.closed = wire.server_ended = true;
}

MemoryTransport::Plan MemoryTransport::seeded(Random& random, unsigned shorten, unsigned again,
                                              unsigned reset) {
  return [&random, shorten, again, reset](Operation, std::uint64_t) -> Fault {
    if (random.chance(reset)) return {.error = ECONNRESET};
    if (random.chance(again)) return {.error = random.chance(500) ? EAGAIN : EINTR};
    if (random.chance(shorten)) return {.bytes = 1 + random.spread(14)};
    return {};
  };
}

MemoryTransport::Plan MemoryTransport::only(std::uint64_t number, Fault fault) {
  return [number, fault](Operation, std::uint64_t at) { return at == number ? fault : Fault{}; };
}

MemoryLoop::MemoryLoop(const core::ConnectionTable::Options& options)
    : reactor({}), table(reactor, options) {
  SPATE_CHECK(table.open_ring());
}

Wire& MemoryLoop::connect(core::Protocol& protocol, core::Transport* over) {
  Wire& wire = wires.emplace_back();
  core::Connection* const connection =
      table.open({.fd = -1, .state = &wire}, over != nullptr ? *over : transport, protocol);
  SPATE_CHECK(connection != nullptr);
  wire.connection = connection;
  wire.slot = connection->slot;
  // on_open may have closed it, and so moved the slot's generation on.
  wire.generation = wire.closed ? connection->generation - 1 : connection->generation;
  return wire;
}

// What level-triggered epoll says of it.
std::uint32_t MemoryLoop::ready(const Wire& wire) const {
  if (wire.closed || wire.connection == nullptr) return 0;
  std::uint32_t events = 0;
  if (!wire.to_server.empty() || wire.client_ended || wire.reset) events |= EPOLLIN;
  if (wire.room > 0 || wire.reset) events |= EPOLLOUT;
  events &= wire.connection->interest;
  if (wire.reset) events |= EPOLLERR | EPOLLHUP;
  if (wire.client_ended && wire.server_ended) events |= EPOLLHUP;
  return events;
}

bool MemoryLoop::turn() {
  struct Event {
    const Wire* wire;
    std::uint32_t events;
  };
  std::vector<Event> batch;
  for (const Wire& wire : wires)
    if (const std::uint32_t events = ready(wire); events != 0) batch.push_back({&wire, events});
  for (const Event& event : batch)
    table.on_event(event.wire->slot, event.wire->generation, event.events);
  table.on_turn_end();
  return !batch.empty();
}

void MemoryLoop::settle() {
  constexpr int kTurnsOfASpinningLoop = 1'000'000;
  for (int turns = 0; turn(); ++turns) {
    if (turns < kTurnsOfASpinningLoop) continue;
    ADD_FAILURE() << "the loop spins";
    return;
  }
}

void MemoryLoop::advance(core::Tick ticks) {
  const core::Tick end = now() + ticks;
  while (now() != end) {
    sleep(std::min(reactor.wheel().ticks_to_next(), end - now()));
    serve_timers();
  }
}

void MemoryLoop::live(core::Tick ticks) {
  const core::Tick end = now() + ticks;
  settle();
  while (now() != end) {
    advance(std::min(reactor.wheel().ticks_to_next(), end - now()));
    settle();
  }
}

}  // namespace spate::test
