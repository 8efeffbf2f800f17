// A BrokerSink that writes down what comes out, a line each:
//
//   pub news 3 data from=user/client key=value not=user not_client=id
//   join news user/client      leave news user/client      online user client      offline …
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "handlers/hub/broker.h"

namespace spate::test {

class RecordingSink final : public handlers::hub::BrokerSink {
 public:
  using Publication = handlers::hub::Publication;
  using StreamPosition = handlers::hub::StreamPosition;
  using ClientInfo = handlers::hub::ClientInfo;

  void on_publication(std::string_view channel, const Publication& publication,
                      StreamPosition position, std::span<const std::string_view> exclude_users,
                      std::span<const std::string_view> exclude_clients) override {
    EXPECT_EQ(publication.offset, position.offset);
    lines.push_back("pub " + std::string(channel) + " " +
                    describe(publication, exclude_users, exclude_clients));
    positions.push_back(position);
  }
  void on_join(std::string_view channel, const ClientInfo& info) override {
    lines.push_back("join " + std::string(channel) + " " + name(info));
  }
  void on_leave(std::string_view channel, const ClientInfo& info) override {
    lines.push_back("leave " + std::string(channel) + " " + name(info));
  }
  void on_user_status(std::string_view user, std::string_view client, bool online) override {
    lines.push_back((online ? "online " : "offline ") + std::string(user) + " " +
                    std::string(client));
  }

  static std::string describe(const Publication& publication,
                              std::span<const std::string_view> exclude_users,
                              std::span<const std::string_view> exclude_clients) {
    std::string line = std::to_string(publication.offset) + " ";
    line += publication.data;
    if (publication.info) line += " from=" + name(*publication.info);
    for (const auto& tag : publication.tags)
      line += " " + std::string(tag.key) + "=" + std::string(tag.value);
    for (const std::string_view user : exclude_users) line += " not=" + std::string(user);
    for (const std::string_view each : exclude_clients) line += " not_client=" + std::string(each);
    return line;
  }
  static std::string describe(const handlers::hub::KeptPublication& kept) {
    return describe(kept.publication, kept.exclude_users, kept.exclude_clients);
  }
  static std::string name(const ClientInfo& info) {
    std::string text = std::string(info.user) + "/" + std::string(info.client);
    if (!info.conn_info.empty()) text += "/" + std::string(info.conn_info);
    if (!info.chan_info.empty()) text += "/" + std::string(info.chan_info);
    return text;
  }

  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::vector<StreamPosition> positions;
};

}  // namespace spate::test
