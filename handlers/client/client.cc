#include "handlers/client/client.h"

#include "core/log.h"
#include "handlers/client/client_waiting.h"
#include "handlers/client/clients.h"

namespace spate::handlers::client {

using hub::Ended;
using hub::Refused;

ClientInfo fit(const ClientInfo& info, Encoding encoding) {
  ClientInfo fitting = info;
  if (encoding != Encoding::json) return fitting;
  if (!fitting.conn_info.empty() && !is_json(fitting.conn_info)) fitting.conn_info = {};
  if (!fitting.chan_info.empty() && !is_json(fitting.chan_info)) fitting.chan_info = {};
  return fitting;
}

Client::Client(Clients& clients, ClientTransport& transport, ClientTransport::Link link,
               const Origin& origin)
    : clients_(clients),
      transport_(transport),
      link_(link),
      id_(hub::ClientId::random()),
      framing_(origin.framing),
      frame_pings_(origin.frame_pings) {
  if (!origin.user.empty()) {
    // Named by a proxy; it counts among the user's connections once it has connected.
    extra_ = std::make_unique<ClientExtra>();
    extra_->trusted_user = origin.user;
  }
  due_ = clients_.now() + core::ticks_of_ms(clients_.parts_.options.stale_close_ms);
  transport_.arm(link_, due_);
}

std::string_view Client::user() const {
  return user_ == nullptr ? std::string_view() : user_->text();
}

Encoding Client::encoding() const {
  return framing_ == hub::Framing::websocket_json ? Encoding::json : Encoding::protobuf;
}

MessageWriter& Client::writer() const {
  return writer_of(encoding());
}

// Where the answer of the command in hand goes. What may overtake does so only where something
// waits: else it is one message with the rest.
std::string& Client::out(bool urgent) {
  return urgent && transport_.has_backlog(link_) ? clients_.urgent_ : clients_.ordered_;
}

Client::Self Client::self(const hub::Subscription* subscription) const {
  Self self{.text = id_.text(), .info = {}};
  self.info.user = user();
  if (extra_ != nullptr) self.info.conn_info = extra_->conn_info;
  if (subscription != nullptr && subscription->chan_info != nullptr)
    self.info.chan_info = *subscription->chan_info;
  return self;  // info.client is set by the caller, whose copy of the text stays where it is
}

void Client::send_answers() {
  std::string& urgent = clients_.urgent_;
  std::string& ordered = clients_.ordered_;
  if (!urgent.empty() && state_ != State::ended) transport_.send(link_, framing_, urgent, true);
  if (!ordered.empty() && state_ != State::ended) transport_.send(link_, framing_, ordered, false);
  for (std::string* const answers : {&urgent, &ordered}) {
    if (answers->capacity() > 2 * kLargeAnswerBytes) *answers = {};
    answers->clear();
  }
}

void Client::handle(const Command& command) {
  clients_.parts_.client_metrics.commands.add();
  switch (state_) {
    case State::connecting:
      if (command.method != Method::connect || command.id == 0)
        return bad_request("the first command must be connect");
      return connect(command);
    case State::refused:
      return bad_request("a command after a connect that was refused");
    case State::connected:
      return dispatch(command);
    case State::joining:  // it waits
    case State::ended:
      return;
  }
}

void Client::dispatch(const Command& command) {
  if (command.id == 0) {
    if (command.method == Method::send) return send(command);
    return pong();  // whatever else it holds: nobody waits for an answer
  }
  switch (command.method) {
    case Method::subscribe:
      return subscribe(command);
    case Method::unsubscribe:
      return unsubscribe(command);
    case Method::publish:
      return publish(command);
    case Method::presence:
      return presence(command);
    case Method::presence_stats:
      return presence_stats(command);
    case Method::history:
      return history(command);
    case Method::rpc:
      return rpc(command);
    case Method::send:
      return send(command);
    case Method::refresh:
      return refresh(command);
    case Method::sub_refresh:
      return sub_refresh(command);
    case Method::ping:
      return writer().done(out(true), command.id, Method::ping);
    case Method::connect:
      return bad_request("a second connect");
    case Method::none:
      return bad_request("a command without a request");
  }
}

void Client::bad_request(std::string_view rule) {
  clients_.count(Refused::bad_request);
  core::log::limited(core::log::Level::info, "client bad request",
                     "ended a connection with 3501: {rule}", {{"rule", rule}, {"user", user()}});
  disconnect(kDisconnectBadRequest);
}

void Client::reply_error(std::uint32_t id, const Error& error) {
  writer().error(out(), id, error);
}

// Behind the answers to what the client asked before.
void Client::push(const std::string& message) {
  if (clients_.in_hand_ == this) send_answers();
  if (state_ == State::connected) transport_.send(link_, framing_, message, false);
}

// What it answered before in the same frame still leaves, in front of the end.
void Client::disconnect(const Disconnect& why) {
  if (state_ == State::ended) return;
  if (clients_.in_hand_ == this) send_answers();
  end();
  transport_.close(link_, why);
}

// Takes its leave of everything but the transport.
void Client::end() {
  if (state_ == State::ended) return;
  const bool was_connected = state_ == State::connected || state_ == State::joining;
  state_ = State::ended;
  if (waiting_ != nullptr) {
    for (const auto& joining : waiting_->joins) joining->cancelled = true;
    if (waiting_->for_room) clients_.stop_waiting_for_room(*this);
    waiting_.reset();
  }
  while (subscriptions_ != nullptr) leave(*subscriptions_);
  if (was_connected) clients_.delist(*this);
}

void Client::on_end() {
  end();
  clients_.release(*this);
}

void Client::announce_again() {
  for (const hub::Subscription* each = subscriptions_; each != nullptr; each = each->next)
    add_presence(*each);
}

void Client::on_drained() {
  for (hub::Subscription* each = subscriptions_; each != nullptr; each = each->next) {
    if (!std::exchange(each->missed, false)) continue;
    const hub::Channel& channel = *each->channel;
    if (channel.newest_excluded != nullptr && excluded(*channel.newest_excluded)) continue;
    const core::BlockRef& newest = channel.newest[static_cast<std::size_t>(framing_)];
    if (newest) transport_.send(link_, newest);
    if (state_ == State::ended) return;
  }
}

}  // namespace spate::handlers::client
