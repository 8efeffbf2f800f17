#include "handlers/hub/channel_option_table.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "handlers/hub/duration.h"

namespace spate::handlers::hub {
namespace {

using Options = ChannelOptions;

constexpr ChannelOption kTable[] = {
    {"presence", &Options::presence, "keep who is there, for presence and presence_stats"},
    {"join_leave", &Options::join_leave, "say when clients come and go"},
    {"force_push_join_leave", &Options::force_push_join_leave,
     "say so to all subscribers, not only to those that ask and may see presence"},
    {"history_size", &HistoryPolicy::size,
     "how many publications are kept; history is on when this and history_ttl are above zero"},
    {"history_ttl", &HistoryPolicy::ttl_ms, "how long they are kept after the last one"},
    {"history_meta_ttl", &HistoryPolicy::meta_ttl_ms,
     "how long the channel's position outlives its last publication or reading; longer than "
     "history_ttl"},
    {"force_positioning", &Options::force_positioning,
     "watch every subscriber's position, and have it subscribe again when it missed something; "
     "needs history"},
    {"allow_positioning", &Options::allow_positioning, "the same for clients that ask for it"},
    {"force_recovery", &Options::force_recovery,
     "a client that comes back is sent what it missed; needs history, implies positioning"},
    {"allow_recovery", &Options::allow_recovery, "the same for clients that ask for it"},
    {"force_recovery_mode", &Options::force_recovery_mode,
     "what coming back brings: all that was missed, or the newest publication alone"},
    {"auto_cache_recover", &Options::auto_cache_recover,
     "the newest publication on every subscription, the first too; needs force_recovery and mode "
     "cache"},
    {"allow_subscribe_for_client", &Options::allow_subscribe_for_client,
     "clients may subscribe without a token; not to private or user-limited channels"},
    {"allow_subscribe_for_anonymous", &Options::allow_subscribe_for_anonymous,
     "the anonymous too, where clients may"},
    {"allow_publish_for_client", &Options::allow_publish_for_client, "clients may publish"},
    {"allow_publish_for_subscriber", &Options::allow_publish_for_subscriber,
     "those subscribed may publish"},
    {"allow_publish_for_anonymous", &Options::allow_publish_for_anonymous,
     "the anonymous too, where one of these two is on"},
    {"allow_history_for_client", &Options::allow_history_for_client, "clients may read history"},
    {"allow_history_for_subscriber", &Options::allow_history_for_subscriber,
     "those subscribed may read history"},
    {"allow_history_for_anonymous", &Options::allow_history_for_anonymous,
     "the anonymous too, where one of these two is on"},
    {"allow_presence_for_client", &Options::allow_presence_for_client, "clients may see presence"},
    {"allow_presence_for_subscriber", &Options::allow_presence_for_subscriber,
     "those subscribed may see presence"},
    {"allow_presence_for_anonymous", &Options::allow_presence_for_anonymous,
     "the anonymous too, where one of these two is on"},
    {"allow_user_limited_channels", &Options::allow_user_limited_channels,
     "the users that stand behind # in a channel's name may subscribe, and nobody else"},
    {"channel_regex", &Options::channel_regex,
     "what follows the namespace must have a match of it; without one it must be ASCII"},
    {"publication_data_format", &Options::publication_data_format,
     "what clients may publish: anything that is not empty; JSON; a JSON object; anything"},
    {"exclude_publisher", &Options::exclude_publisher,
     "a client's publication is not sent back to that client, nor in its recovery; a call of "
     "`history` tells it"},
    {"slow_policy", &Options::slow_policy,
     "what happens to a subscriber that reads too slowly; conflate rules out positioning and "
     "recovery"},
};

template <typename... F>
struct Overloads : F... {
  using F::operator()...;
};
template <typename... F>
Overloads(F...) -> Overloads<F...>;

template <typename Enum>
std::string choice(Enum value) {
  return json_string(choices_of(value)[static_cast<std::size_t>(value)]);
}

template <typename Enum>
std::string choices(Enum any) {
  std::string out;
  const auto names = choices_of(any);
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + json_string(names[i]);
  return out;
}

}  // namespace

std::span<const ChannelOption> channel_option_table() {
  return kTable;
}

std::span<const std::string_view> choices_of(RecoveryMode) {
  static constexpr std::string_view kNames[] = {"stream", "cache"};
  return kNames;
}
std::span<const std::string_view> choices_of(DataFormat) {
  static constexpr std::string_view kNames[] = {"", "json", "json_object", "binary"};
  return kNames;
}
std::span<const std::string_view> choices_of(SlowPolicy) {
  static constexpr std::string_view kNames[] = {"disconnect", "conflate"};
  return kNames;
}

std::string type_of(const ChannelOption& option) {
  return std::visit(Overloads{
                        [](bool Options::*) -> std::string { return "true or false"; },
                        [](std::uint32_t HistoryPolicy::*) -> std::string { return "number"; },
                        [](std::int64_t HistoryPolicy::*) -> std::string { return "duration"; },
                        [](std::string Options::*) -> std::string { return "regex"; },
                        [](auto Options::*member) { return choices(Options{}.*member); },
                    },
                    option.field);
}

std::string value_of(const ChannelOptions& options, const ChannelOption& option) {
  return std::visit(
      Overloads{
          [&](bool Options::*member) -> std::string { return options.*member ? "true" : "false"; },
          [&](std::uint32_t HistoryPolicy::*member) {
            return std::to_string(options.history.*member);
          },
          [&](std::int64_t HistoryPolicy::*member) {
            return json_string(format_duration(options.history.*member));
          },
          [&](std::string Options::*member) { return json_string(options.*member); },
          [&](auto Options::*member) { return choice(options.*member); },
      },
      option.field);
}

std::string json_string(std::string_view text) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> writer(out);
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return {out.GetString(), out.GetSize()};
}

}  // namespace spate::handlers::hub
