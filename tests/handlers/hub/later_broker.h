// A broker that answers when it is told to: what one in another process looks like from here.
// Requests wait in their order, copied; what is answered goes through the broker below.
//
//   LaterBroker broker(log_broker);
//   broker.holds = true;
//   …                // the request is made
//   broker.answer();  // one; answer_all(): until nothing waits
//   broker.fail();    // one, with `unavailable`
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "handlers/hub/broker.h"

namespace spate::test {

class LaterBroker final : public handlers::hub::Broker {
 public:
  using BrokerError = handlers::hub::BrokerError;
  using ClientInfo = handlers::hub::ClientInfo;

  explicit LaterBroker(Broker& below) : below_(below) {}

  bool holds = false;
  bool room = true;

  std::size_t waiting() const { return waiting_.size(); }
  void answer() { next()(BrokerError::none); }
  void fail() { next()(BrokerError::unavailable); }
  void answer_all() {
    while (!waiting_.empty()) answer();
  }
  // Room again, and everybody is told.
  void make_room() {
    room = true;
    if (on_room) on_room();
  }

  void publish(const handlers::hub::PublishRequest& request,
               const Done<handlers::hub::PublishResult>& done) override {
    ask([this, copy = KeptPublish(request), done](BrokerError error) {
      if (error == BrokerError::none) return below_.publish(copy.request(), done);
      done({.error = error, .position = {}});
    });
  }
  void history(const handlers::hub::HistoryRequest& request,
               const Done<handlers::hub::HistoryResult>& done) override {
    ask([this, wanted = handlers::hub::HistoryRequest(request),
         channel = std::string(request.channel), done](BrokerError error) mutable {
      wanted.channel = channel;
      if (error == BrokerError::none) return below_.history(wanted, done);
      done({.error = error});
    });
  }
  void remove_history(std::string_view channel, const Done<BrokerError>& done) override {
    ask([this, channel = std::string(channel), done](BrokerError error) {
      if (error == BrokerError::none) return below_.remove_history(channel, done);
      done(error);
    });
  }
  void add_presence(std::string_view channel, const ClientInfo& info, bool tells_leave) override {
    ask([this, channel = std::string(channel), kept = KeptInfo(info), tells_leave](BrokerError) {
      below_.add_presence(channel, kept.info(), tells_leave);
    });
  }
  void remove_presence(std::string_view channel, std::string_view client) override {
    ask([this, channel = std::string(channel), client = std::string(client)](BrokerError) {
      below_.remove_presence(channel, client);
    });
  }
  void presence(std::string_view channel,
                const Done<handlers::hub::PresenceResult>& done) override {
    ask([this, channel = std::string(channel), done](BrokerError error) {
      if (error == BrokerError::none) return below_.presence(channel, done);
      done({.error = error});
    });
  }
  void presence_stats(std::string_view channel,
                      const Done<handlers::hub::PresenceStats>& done) override {
    ask([this, channel = std::string(channel), done](BrokerError error) {
      if (error == BrokerError::none) return below_.presence_stats(channel, done);
      done({.error = error});
    });
  }
  void publish_join(std::string_view channel, const ClientInfo& info) override {
    ask([this, channel = std::string(channel), kept = KeptInfo(info)](BrokerError) {
      below_.publish_join(channel, kept.info());
    });
  }
  void publish_leave(std::string_view channel, const ClientInfo& info) override {
    ask([this, channel = std::string(channel), kept = KeptInfo(info)](BrokerError) {
      below_.publish_leave(channel, kept.info());
    });
  }
  void user_connected(std::string_view user, std::string_view client,
                      std::uint32_t connections) override {
    ask([this, user = std::string(user), client = std::string(client), connections](BrokerError) {
      below_.user_connected(user, client, connections);
    });
  }
  void user_gone(std::string_view user, std::string_view client,
                 std::uint32_t connections) override {
    ask([this, user = std::string(user), client = std::string(client), connections](BrokerError) {
      below_.user_gone(user, client, connections);
    });
  }
  void user_status(std::string_view user, const Done<handlers::hub::UserStatus>& done) override {
    ask([this, user = std::string(user), done](BrokerError error) {
      if (error == BrokerError::none) return below_.user_status(user, done);
      done({.error = error});
    });
  }
  void follow(std::string_view channel) override { below_.follow(channel); }
  void unfollow(std::string_view channel) override { below_.unfollow(channel); }
  void tick(std::int64_t now_ns) override { below_.tick(now_ns); }
  bool has_room() const override { return room; }

 private:
  class KeptInfo {
   public:
    explicit KeptInfo(const ClientInfo& info)
        : user_(info.user),
          client_(info.client),
          conn_info_(info.conn_info),
          chan_info_(info.chan_info) {}
    ClientInfo info() const { return {user_, client_, conn_info_, chan_info_}; }

   private:
    std::string user_, client_, conn_info_, chan_info_;
  };
  class KeptPublish {
   public:
    explicit KeptPublish(const handlers::hub::PublishRequest& request)
        : request_(request),
          channel_(request.channel),
          data_(request.publication.data),
          key_(request.idempotency_key),
          version_epoch_(request.version_epoch),
          users_(request.exclude_users.begin(), request.exclude_users.end()),
          clients_(request.exclude_clients.begin(), request.exclude_clients.end()) {
      if (request.publication.info) info_.emplace(*request.publication.info);
      for (const auto& tag : request.publication.tags) tags_.emplace_back(tag.key, tag.value);
    }
    // Its views live until the next call.
    handlers::hub::PublishRequest request() const {
      users_view_.assign(users_.begin(), users_.end());
      clients_view_.assign(clients_.begin(), clients_.end());
      tags_view_.clear();
      for (const auto& [key, value] : tags_) tags_view_.push_back({key, value});
      handlers::hub::PublishRequest request = request_;
      request.channel = channel_;
      request.publication.data = data_;
      if (info_) request.publication.info = info_->info();
      request.publication.tags = tags_view_;
      request.idempotency_key = key_;
      request.version_epoch = version_epoch_;
      request.exclude_users = users_view_;
      request.exclude_clients = clients_view_;
      return request;
    }

   private:
    handlers::hub::PublishRequest request_;
    std::string channel_, data_, key_, version_epoch_;
    std::vector<std::string> users_, clients_;
    std::optional<KeptInfo> info_;
    std::vector<std::pair<std::string, std::string>> tags_;
    mutable std::vector<std::string_view> users_view_, clients_view_;
    mutable std::vector<handlers::hub::Tag> tags_view_;
  };

  // What has no answer keeps its place among what has, and is done whatever becomes of the others.
  void ask(std::function<void(BrokerError)> what) {
    if (!holds) return what(BrokerError::none);
    waiting_.push_back(std::move(what));
  }
  std::function<void(BrokerError)> next() {
    if (waiting_.empty()) {
      ADD_FAILURE() << "the broker was asked nothing";
      return [](BrokerError) {};
    }
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }

  Broker& below_;
  std::deque<std::function<void(BrokerError)>> waiting_;
};

}  // namespace spate::test
