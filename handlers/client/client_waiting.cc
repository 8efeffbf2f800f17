// A client that waits: for what it is about to be subscribed to, since what it says next may depend
// on it, for answers when very many are due, or for the broker to take more. What it says meanwhile
// is put aside, and it is not read; so what one client has waiting here is what it had sent at
// most, and a broker that does not keep up is felt by those who ask it.
#include "handlers/client/client_waiting.h"

#include <algorithm>

namespace spate::handlers::client {

Joining::Joining(Client& of, const SubscribeRequest& asked, const Client::Terms& on,
                 Client::Told tells, Client::Failed fails)
    : client(of),
      channel(asked.channel),
      epoch(asked.epoch),
      info(on.info),
      data(on.data),
      request(asked),
      terms(on),
      told(std::move(tells)),
      failed(std::move(fails)) {
  request.channel = channel;
  request.epoch = epoch;
  request.token = {};
  request.delta = {};
  terms.info = info;
  terms.data = data;
}

Client::~Client() = default;

ClientWaiting& Client::waiting() {
  if (waiting_ == nullptr) waiting_ = std::make_unique<ClientWaiting>();
  return *waiting_;
}

bool Client::joins(std::string_view channel) const {
  return waiting_ != nullptr && std::ranges::any_of(waiting_->joins, [&](const auto& joining) {
           return joining->channel == channel;
         });
}

std::size_t Client::join_count() const {
  return waiting_ == nullptr ? 0 : waiting_->joins.size();
}

// Whether a command has to wait. A subscription also does for what was asked before it: what was
// published to a channel before is not for who subscribes behind that.
bool Client::must_wait(Method method) const {
  if (method == Method::subscribe && pending_ > 0) return true;
  if (pending_ >= kMostPending) return true;
  if (waiting_ != nullptr && (!waiting_->joins.empty() || waiting_->connecting)) return true;
  return !clients_.parts_.broker.has_room();
}

void Client::put_aside(ConstBytes frame, std::size_t done) {
  ClientWaiting& waiting = this->waiting();
  waiting.frames.push_back({std::string(as_text(frame)), done});
  if (!std::exchange(waiting.paused, true)) transport_.pause(link_);
  wait_for_room();
}

void Client::wait_for_room() {
  if (clients_.parts_.broker.has_room() || std::exchange(waiting_->for_room, true)) return;
  clients_.wait_for_room(*this);
}

// Handles a frame's commands from the one behind `done` on. False when it has to wait for the rest.
bool Client::process(ConstBytes frame, std::size_t& done) {
  CommandReader& reader = clients_.reader(encoding());
  Command& command = clients_.command_;
  reader.begin(frame);
  for (std::size_t at = 0; state_ != State::ended; ++at) {
    const ReadStatus status = reader.next(command);
    if (status == ReadStatus::end) break;
    if (at < done) continue;
    if (must_wait(status == ReadStatus::command ? command.method : Method::none)) {
      done = at;
      return false;
    }
    if (status == ReadStatus::bad)
      bad_request("a frame that is not made of commands");
    else
      handle(command);
    // A frame has room for a thousand questions with large answers.
    if (clients_.ordered_.size() + clients_.urgent_.size() >= kLargeAnswerBytes) send_answers();
  }
  return true;
}

void Client::on_frame(ConstBytes frame) {
  if (state_ == State::ended) return;
  if ((waiting_ != nullptr && !waiting_->frames.empty()) || must_wait(Method::none))
    return put_aside(frame, 0);
  std::size_t done = 0;
  bool whole = true;
  {
    const InHand in_hand(*this);
    whole = process(frame, done);
  }
  if (!whole) put_aside(frame, done);
  stop_waiting();
}

// What waits, as far as it can.
void Client::go_on() {
  if (waiting_ == nullptr || clients_.in_hand_ == this) return;  // whoever has it in hand goes on
  transport_.turn(link_, [this] {
    while (state_ != State::ended && waiting_ != nullptr && !waiting_->frames.empty() &&
           !must_wait(Method::none)) {
      ClientWaiting::Frame frame = std::move(waiting_->frames.front());
      waiting_->frames.pop_front();
      const InHand in_hand(*this);
      if (process(as_bytes(frame.bytes), frame.done)) continue;
      waiting().frames.push_front(std::move(frame));
      break;
    }
  });
  if (state_ == State::ended || waiting_ == nullptr) return;
  if (!waiting_->frames.empty()) wait_for_room();
  stop_waiting();
}

void Client::stop_waiting() {
  if (waiting_ == nullptr || !waiting_->idle()) return;
  const bool paused = waiting_->paused;
  waiting_.reset();
  if (paused) transport_.resume(link_);
}

// One answer fewer is due. False: the client has ended, and with the last one it may be gone.
bool Client::answered() {
  --pending_;
  if (state_ != State::ended) return true;
  if (pending_ == 0 && released_) clients_.release(*this);
  return false;
}

}  // namespace spate::handlers::client
