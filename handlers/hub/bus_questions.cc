// Workers that ask each other, through the broker: it knows who is there to be asked, passes
// question and answers on, and says when all of them have come.
#include <algorithm>
#include <utility>

#include "core/log.h"
#include "handlers/hub/bus_server.h"

namespace spate::handlers::hub {

void BusServer::question(BusParser& parser) {
  Question question;
  question.asker = in_hand_.index;
  question.asker_generation = in_hand_.slot->generation;
  question.id = parser.number<std::uint64_t>();
  const auto target = parser.number<std::uint32_t>();
  const auto topic = parser.number<Topic>();
  const std::string_view text = parser.text();
  question.asked_ns = clock_.monotonic_ns();
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (target != kEveryWorker && target != i) continue;
    // Whoever has not said anything yet has nobody connected.
    if (alive(i) && slots_[i]->generation != 0) question.missing.push_back(i);
  }
  const std::uint64_t key = next_question_++;
  const std::vector<std::uint32_t> asked = question.missing;
  questions_.emplace(key, std::move(question));
  for (const std::uint32_t index : asked) {
    std::string payload;
    BusWriter(payload)
        .number(events_.head())
        .number(generation_)
        .number(key)
        .number(topic)
        .text(text);
    tell(index, BusReply::question, std::move(payload));
  }
  if (asked.empty()) finish(key);
}

void BusServer::answer(BusParser& parser) {
  const auto generation = parser.number<std::uint64_t>();
  const auto key = parser.number<std::uint64_t>();
  const bool last = parser.number<std::uint8_t>() != 0;
  const std::string_view text = parser.text();
  const auto found = questions_.find(key);
  // One that the last broker has passed on, or that has taken too long.
  if (generation != generation_ || found == questions_.end()) return;
  Question& question = found->second;
  std::string payload;
  BusWriter(payload).number(events_.head()).number(question.id).number(in_hand_.index).text(text);
  if (slots_[question.asker]->generation == question.asker_generation)
    tell(question.asker, BusReply::answer, std::move(payload));
  if (!last) return;
  std::erase(question.missing, in_hand_.index);
  if (question.missing.empty()) finish(key);
}

void BusServer::finish(std::uint64_t key) {
  const auto found = questions_.find(key);
  const Question question = std::move(found->second);
  questions_.erase(found);
  if (slots_[question.asker]->generation != question.asker_generation) return;
  std::string payload;
  BusWriter(payload).number(events_.head()).number(question.id);
  tell(question.asker, BusReply::answered, std::move(payload));
}

void BusServer::lose_answers_of(std::uint32_t index) {
  std::vector<std::uint64_t> finished;
  for (auto& [key, question] : questions_) {
    if (std::erase(question.missing, index) == 0) continue;
    // Whoever was connected there is not any more, and what was asked of it holds of nobody.
    if (question.missing.empty()) finished.push_back(key);
  }
  for (const std::uint64_t key : finished) finish(key);
}

// --- What nobody has kept room for.

void BusServer::tell(std::uint32_t index, BusReply kind, std::string payload) {
  Slot& slot = *slots_[index];
  if (payload.size() > kMaxUnaskedBytes || slot.queued_bytes + payload.size() > kMaxQueuedBytes) {
    metrics_->questions_lost.add();
    return;  // who waits for it gives up in time
  }
  slot.queued_bytes += payload.size();
  slot.queue.push_back({kind, std::move(payload)});
  tell_queued(index);
}

// Whether the next that waits for a worker has room.
bool BusServer::can_tell(std::uint32_t index) {
  Slot& slot = *slots_[index];
  if (slot.queue.empty()) return false;
  const std::uint64_t read = view_.worker(index).reply_cursor.load(std::memory_order_acquire);
  while (!slot.unread.empty() && slot.unread.front().first <= read) {
    slot.unread_bytes -= slot.unread.front().second;
    slot.unread.pop_front();
  }
  const std::size_t bytes = core::ring_record_bytes(slot.queue.front().payload.size());
  return slot.unread_bytes + bytes <= kUnaskedBytes && bytes <= slot.replies.room(read);
}

void BusServer::tell_queued(std::uint32_t index) {
  Slot& slot = *slots_[index];
  while (can_tell(index)) {
    const Unasked& next = slot.queue.front();
    slot.replies.append(raw_kind(next.kind), 0, as_bytes(next.payload));
    const std::size_t bytes = core::ring_record_bytes(next.payload.size());
    slot.unread.emplace_back(slot.replies.head(), bytes);
    slot.unread_bytes += bytes;
    slot.queued_bytes -= next.payload.size();
    slot.queue.pop_front();
    slot.wake = true;
  }
}

}  // namespace spate::handlers::hub
