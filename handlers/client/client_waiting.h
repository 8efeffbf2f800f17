// What a client has put aside while it waits for the broker, and how it goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/block.h"
#include "handlers/client/client.h"
#include "handlers/client/clients.h"

namespace spate::handlers::client {

// Answers that the broker owes to one client, before what it says next waits.
inline constexpr std::uint32_t kMostPending = 512;

// A subscription that the broker has been asked about.
struct Joining {
  Joining(Client& of, const SubscribeRequest& asked, const Client::Terms& on, Client::Told tells,
          Client::Failed fails);

  Client& client;
  const std::string channel;
  const std::string epoch;
  const std::string info;
  const std::string data;
  SubscribeRequest request;  // its views are of the texts above, or empty
  Client::Terms terms;
  Client::Told told;
  Client::Failed failed;
  bool cancelled = false;
  bool unsubscribed = false;  // by the server, before it was
};

// What a connect result tells of a subscription, when the log's views may be gone.
struct ToldSubscription {
  std::string channel;
  std::string data;
  SubscribeResult result;
  std::vector<std::string> text;
  std::vector<hub::KeptPublication> publications;
  std::vector<std::vector<hub::Tag>> tags;

  void copy(const SubscribeResult& from);
};

// A connect whose subscriptions have not all been answered.
struct Connecting {
  std::uint32_t id = 0;
  std::vector<ToldSubscription> told;
  std::size_t left = 0;
  std::uint64_t told_bytes = 0;
  std::vector<std::string> unsubscribed;  // by the server meanwhile
  // Pushes that came before the connect's reply has left: finished frames.
  std::vector<core::BlockRef> held;
  std::uint64_t held_bytes = 0;
};

struct ClientWaiting {
  struct Frame {
    std::string bytes;
    std::size_t done = 0;  // commands of it
  };

  std::vector<std::shared_ptr<Joining>> joins;
  std::deque<Frame> frames;
  std::unique_ptr<Connecting> connecting;
  bool for_room = false;  // in Clients' list of those who go on when the broker takes more
  bool paused = false;    // the transport does not read

  bool idle() const { return joins.empty() && frames.empty() && !connecting && !for_room; }
};

// While it lives, answers gather for one client. Also when a method of the server's own throws:
// what was answered before leaves, and nothing of it is left for the next client.
struct Client::InHand {
  explicit InHand(Client& of) : client(of) { client.clients_.in_hand_ = &client; }
  ~InHand() {
    client.send_answers();
    client.clients_.in_hand_ = nullptr;
  }
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;

  Client& client;
};

// Runs `work` with the client in hand, which it may be already.
template <typename Work>
void Client::in_hand(Work&& work) {
  if (clients_.in_hand_ == this) return work();
  SPATE_CHECK(clients_.in_hand_ == nullptr);
  transport_.turn(link_, [&] {
    const InHand guard(*this);
    work();
  });
}

template <typename Work>
void Client::take_answer(Work&& work) {
  if (!answered()) return;
  in_hand(work);
  go_on();
}

}  // namespace spate::handlers::client
