// What a channel's batch is for one subscriber: all of it in one piece, nearly always.
#include <algorithm>

#include "handlers/client/client.h"
#include "handlers/client/client_waiting.h"
#include "handlers/client/clients.h"

namespace spate::handlers::client {

using hub::Push;
using hub::PushBatch;
using hub::PushKind;
using hub::Subscription;

void Client::deliver(Subscription* listed) {
  if (state_ == State::ended) return;
  transport_.turn(link_, [this, listed] {
    for (Subscription* each = listed; each != nullptr && state_ != State::ended;) {
      Subscription* const next = each->next_dirty;
      each->next_dirty = nullptr;
      deliver_batch(*each);
      each = next;
    }
  });
}

void Client::deliver_batch(Subscription& subscription) {
  hub::Channel& channel = *subscription.channel;
  PushBatch& batch = *channel.sending;
  hub::NamespaceMetrics& metrics = clients_.parts_.metrics.of(channel.options->index);
  const bool conflates = channel.options->slow_policy == hub::SlowPolicy::conflate;
  const std::size_t count = batch.pushes.size();
  std::size_t at = subscription.from > batch.first
                       ? static_cast<std::size_t>(subscription.from - batch.first)
                       : 0;
  while (at < count) {
    const std::size_t from = at;
    Verdict verdict = Verdict::skip;
    std::uint64_t publications = 0;
    for (; at < count; ++at) {
      verdict = judge(subscription, batch, batch.pushes[at]);
      if (verdict != Verdict::take) break;
      publications += batch.pushes[at].kind == PushKind::publication ? 1 : 0;
    }
    if (at > from) {
      if (conflates && transport_.has_backlog(link_)) {
        subscription.missed |= publications > 0;
        metrics.conflated.add(publications);
      } else {
        metrics.deliveries.add(publications);
        send_pushes(batch, from, at);
        if (state_ == State::ended) return;
      }
    }
    if (verdict == Verdict::gap) {
      metrics.positions_lost.add();
      return lost_position(subscription);
    }
    if (verdict == Verdict::unfit) {
      clients_.count(hub::Ended::payload);
      return disconnect(kDisconnectInappropriateProtocol);
    }
    if (at < count) ++at;  // the one that is skipped
  }
}

void Client::send_pushes(PushBatch& batch, std::size_t from, std::size_t to) {
  if (state_ != State::joining) return transport_.send(link_, framing_, batch, from, to);
  // Nothing goes before the connect's reply; behind it, the queue would have to take all at once.
  Connecting& connecting = *waiting_->connecting;
  const auto bytes = batch.bytes_of(framing_, from, to);
  connecting.held_bytes += bytes.size();
  if (connecting.held_bytes > clients_.parts_.options.recovery_max_bytes)
    return disconnect(kDisconnectSlow);
  connecting.held.push_back(core::BlockRef::copy(bytes));
}

Client::Verdict Client::judge(Subscription& subscription, const PushBatch& batch,
                              const Push& push) {
  if (push.kind != PushKind::publication)
    return subscription.wants_join_leave ? Verdict::take : Verdict::skip;
  if (subscription.positioned && push.offset != 0) {               // 0: beside the history
    if (push.offset <= subscription.offset) return Verdict::skip;  // it was in the recovery
    if (push.offset != subscription.offset + 1) return Verdict::gap;
    subscription.offset = push.offset;  // whether it is for this one or not
  }
  if (push.excluded != 0 && excluded(batch.exclusions[push.excluded - 1])) return Verdict::skip;
  return (push.unfit >> static_cast<unsigned>(framing_) & 1) == 0 ? Verdict::take : Verdict::unfit;
}

bool Client::excluded(const hub::Exclusion& exclusion) const {
  return exclusion.has_client(id_) || (user_ != nullptr && exclusion.has_user(user()));
}

}  // namespace spate::handlers::client
