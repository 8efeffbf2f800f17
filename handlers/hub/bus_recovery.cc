// How a broker's process takes over from one that was killed, and what goes with a worker.
#include <algorithm>
#include <utility>

#include "core/log.h"
#include "handlers/hub/bus_server.h"

namespace spate::handlers::hub {

using core::BusIntent;

namespace {

constexpr std::uint32_t kSuppressed = 1;
constexpr std::uint32_t kReplyIsDue = 2;

}  // namespace

bool BusServer::committed(const BusIntent& intent) const {
  const std::uint64_t before = intent.head_before.load();
  switch (intent.commits.load()) {
    case BusIntent::Commits::log:
      return memory_.header().head.load(std::memory_order_acquire) > before;
    case BusIntent::Commits::events:
      return events_.head() > before;
    case BusIntent::Commits::nothing:
      break;
  }
  return false;
}

// What is written here is torn when we are killed meanwhile, and then the other intent of the slot
// is whole.
void BusServer::intend(BusIntent::Commits commits, const PublishResult& result) {
  if (in_hand_.slot == nullptr || std::exchange(in_hand_.intended, true)) return;
  Slot& slot = *in_hand_.slot;
  BusIntent& intent = view_.served(in_hand_.index).intents[slot.intent];
  slot.intent ^= 1;
  intent.end.store(0, std::memory_order_release);
  view_.hook().stored();
  const bool published = in_hand_.record.kind == raw_kind(BusRequest::publish);
  intent.begin.store(in_hand_.record.begin, std::memory_order_relaxed);
  intent.head_before.store(commits == BusIntent::Commits::log
                               ? memory_.header().head.load(std::memory_order_relaxed)
                               : events_.head(),
                           std::memory_order_relaxed);
  intent.commits.store(commits, std::memory_order_relaxed);
  intent.flags.store((result.suppressed ? kSuppressed : 0) | (published ? kReplyIsDue : 0),
                     std::memory_order_relaxed);
  intent.result[0].store(result.position.offset, std::memory_order_relaxed);
  intent.result[1].store(result.position.epoch.packed(), std::memory_order_relaxed);
  view_.hook().stored();
  intent.end.store(in_hand_.record.end, std::memory_order_release);
  view_.hook().stored();
}

core::Result<bool> BusServer::open() {
  // Before anything commits, which would make what did not look as if it had.
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    for (BusIntent& intent : view_.served(i).intents) {
      if (intent.end.load() == 0 || committed(intent)) continue;
      intent.end.store(0, std::memory_order_release);
      view_.hook().stored();
    }
  auto opened = broker_.open();
  if (!opened) return opened;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) resume(i);
  generation_ = view_.broker().generation.load(std::memory_order_relaxed) + 1;
  view_.broker().syncing.store(1, std::memory_order_relaxed);
  view_.broker().generation.store(generation_, std::memory_order_release);
  view_.hook().stored();
  BusWriter(event_).number(generation_);
  emit(BusEvent::started, {}, 0);
  metrics_->starts.add();
  check_synced();
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (std::exchange(slots_[i]->wake, false)) view_.wake(i);
  return true;
}

// Where a slot's requests go on: behind the last that was done, whose answer may not have left.
void BusServer::resume(std::uint32_t index) {
  Slot& slot = *slots_[index];
  core::BusServedWords& words = view_.served(index);
  const std::uint64_t cursor = words.request_cursor.load(std::memory_order_relaxed);
  slot.requests.seek(cursor);
  // What of it came unasked is not known any more.
  const std::uint64_t read = view_.worker(index).reply_cursor.load(std::memory_order_acquire);
  slot.unread_bytes = slot.replies.head() - read;
  if (slot.unread_bytes > 0) slot.unread.emplace_back(slot.replies.head(), slot.unread_bytes);
  const BusIntent* last = nullptr;
  for (std::uint32_t i = 0; i < words.intents.size(); ++i) {
    const BusIntent& intent = words.intents[i];
    if (intent.end.load() <= cursor) continue;
    SPATE_CHECK(last == nullptr);  // one request at a time
    last = &intent;
    slot.intent = i ^ 1;
  }
  if (last == nullptr) return;
  slot.requests.seek(last->end.load());
  const std::uint32_t flags = last->flags.load();
  if ((flags & kReplyIsDue) != 0) {
    const PublishResult result{BrokerError::none,
                               {last->result[0].load(), Epoch::of_packed(last->result[1].load())},
                               (flags & kSuppressed) != 0};
    // It may be there already, and then what was kept free for it is used up.
    if (slot.replies.room(read) >= core::ring_record_bytes(kReplyRoom)) {
      in_hand_ = {&slot, index, {}, true};
      in_hand_.record.begin = last->begin.load();
      reply_published(result);
      in_hand_ = {};
    }
  }
  words.request_cursor.store(slot.requests.cursor(), std::memory_order_release);
  view_.hook().stored();
}

// --- Who is there.

bool BusServer::alive(std::uint32_t index) const {
  const core::BusGenerations& generations = view_.generations(index);
  return generations.born.load(std::memory_order_acquire) >
         generations.ended.load(std::memory_order_acquire);
}

void BusServer::check_synced() {
  if (!syncing_) return;
  for (std::uint32_t i = 0; i < slots_.size(); ++i)
    if (alive(i) && slots_[i]->announced != generation_) return;
  syncing_ = false;
  view_.broker().syncing.store(0, std::memory_order_relaxed);
  core::log::debug("broker: everybody has been announced");
}

// Who was there in the slot's last process has gone with it. `next`: whose requests come now; 0:
// nobody's yet.
void BusServer::end_generation(std::uint32_t index, std::uint64_t next) {
  Slot& slot = *slots_[index];
  const std::uint64_t ended = std::exchange(slot.generation, next);
  if (ended != 0) forget(index);
  core::BusServedWords& words = view_.served(index);
  if (words.joined_generation.load(std::memory_order_relaxed) == next) return;
  broker_.metrics().count_leave(PresenceEvent::lost,
                                words.joined.exchange(0, std::memory_order_relaxed));
  words.joined_generation.store(next, std::memory_order_relaxed);
}

void BusServer::forget(std::uint32_t index) {
  Slot& slot = *slots_[index];
  slot.announced = 0;
  slot.queue.clear();
  slot.queued_bytes = 0;
  broker_.remove_presence_of(
      index, [this, index](std::string_view channel, const ClientInfo& info, bool tells_leave) {
        if (tells_leave) leave(index, channel, info);
      });
  std::vector<std::string> users;
  for (const auto& [user, count] : slot.users) users.push_back(user);
  for (const std::string& user : users) set_connections(index, user, {}, 0);
  lose_answers_of(index);
  check_synced();
}

}  // namespace spate::handlers::hub
