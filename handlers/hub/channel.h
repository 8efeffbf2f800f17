// A channel as one worker sees it: who is subscribed here, and what is on its way to them.
//
//   publish -> open batch -> (end of turn) sealed: sending -> each subscriber in turn -> gone
//
// A publication is encoded once for each framing that the channel has subscribers for, when it
// comes. What a turn brings gathers in one batch, whose bytes lie one behind the other, so that a
// subscriber who takes all of it is sent a single piece. While a batch is on its way the next one
// gathers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/block.h"
#include "core/timer_wheel.h"
#include "handlers/hub/channel_options.h"
#include "handlers/hub/exclusion.h"
#include "handlers/hub/publication.h"
#include "handlers/outgoing_message.h"

namespace spate::handlers::hub {

// How a client takes its messages: an encoding in a transport's envelope.
enum class Framing : std::uint8_t { websocket_json, websocket_protobuf };
inline constexpr std::size_t kFramings = 2;

struct Channel;
class Subscriber;

enum class PushKind : std::uint8_t { publication, join, leave };

struct Push {
  PushKind kind = PushKind::publication;
  std::uint8_t unfit = 0;      // bit per framing: the payload cannot be said in it
  std::uint32_t excluded = 0;  // of PushBatch::exclusions, counted from 1; 0: for everybody
  std::uint64_t offset = 0;    // 0: outside of history
  std::array<std::uint32_t, kFramings> end{};  // of its bytes; they begin where the last one's end
};

struct PushBatch {
  std::uint64_t first = 0;  // the number of pushes[0], counted over the channel's life
  std::vector<Push> pushes;
  std::vector<Exclusion> exclusions;
  std::int64_t published_ns = 0;                 // when its first push came; monotonic
  std::array<std::string, kFramings> bytes;      // while it is open
  std::array<core::BlockRef, kFramings> blocks;  // when it is sealed
  // For receivers that take compressed messages, made when the first one asks.
  std::array<std::vector<std::unique_ptr<OutgoingMessage>>, kFramings> messages;

  std::uint64_t end() const { return first + pushes.size(); }
  ConstBytes bytes_of(Framing framing, std::size_t from, std::size_t to) const {
    const auto at = static_cast<std::size_t>(framing);
    const std::uint32_t begin = from == 0 ? 0 : pushes[from - 1].end[at];
    return blocks[at].bytes().subspan(begin, pushes[to - 1].end[at] - begin);
  }
  void clear();  // keeps its memory, if it is not much
};

struct Subscription {
  Channel* channel = nullptr;
  Subscriber* subscriber = nullptr;
  Subscription* next = nullptr;        // of the same subscriber
  Subscription* next_dirty = nullptr;  // while its subscriber is about to be delivered to
  std::uint64_t from = 0;              // pushes with lower numbers came before it
  std::uint64_t offset = 0;            // positioned: of the last publication that it got
  std::unique_ptr<std::string> chan_info;
  std::uint32_t index = 0;  // in Channel::subscribers
  core::Tick expires = 0;   // 0: never
  bool positioned = false;
  bool wants_join_leave = false;
  bool emits_join_leave = false;
  bool in_presence = false;
  bool server_side = false;
  bool announced = false;  // it has been told, and so may others be
  bool missed = false;     // conflating: something newer waits in Channel::newest
};

struct Channel {
  std::string name;
  std::uint64_t hash = 0;  // of the name, under the hub's key
  const ChannelOptions* options = nullptr;
  std::vector<Subscription*> subscribers;
  std::array<std::uint32_t, kFramings> framings{};  // how many subscribers take which
  std::uint32_t positioned = 0;                     // how many are
  std::uint32_t index = 0;                          // in the hub's list of channels
  StreamPosition position;                          // the highest seen, with history
  std::uint64_t next_push = 0;
  std::unique_ptr<PushBatch> open;
  std::unique_ptr<PushBatch> sending;
  std::size_t pass = 0;                          // subscribers that have been sent `sending`
  bool dirty = false;                            // is in the hub's queue
  bool catching_up = false;                      // what it missed is about to come
  std::array<core::BlockRef, kFramings> newest;  // conflating: the last publication, framed
  std::unique_ptr<Exclusion> newest_excluded;    // whom it is not for; null: for everybody
};

}  // namespace spate::handlers::hub
