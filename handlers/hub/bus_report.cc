#include "handlers/hub/bus_report.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace spate::handlers::hub {

namespace {

using Number = std::pair<std::string_view, std::uint64_t>;

void append_numbers(std::string& out, std::initializer_list<Number> numbers) {
  for (const auto& [name, value] : numbers) {
    if (out.back() != '{') out += ',';
    out.append("\"").append(name).append("\":").append(std::to_string(value));
  }
}

std::string_view truth(bool value) {
  return value ? "true" : "false";
}

}  // namespace

std::string bus_report(const core::BusView& view, const core::LogMemory& log) {
  const core::BusBrokerWords& broker = view.broker();
  const std::uint64_t head = broker.events.head.load();
  std::uint64_t segments = 0;
  for (std::uint32_t i = 0; i < log.segment_count(); ++i) segments += log.table(i).load() != 0;
  std::string out = R"({"broker":{)";
  append_numbers(out, {{"generation", broker.generation.load()}});
  out.append(R"(,"syncing":)").append(truth(broker.syncing.load() != 0));
  append_numbers(out, {{"events", broker.events.count.load()},
                       {"event_bytes", head},
                       {"event_ring_bytes", view.event_bytes()},
                       {"log_head", log.header().head.load()},
                       {"log_segments", segments},
                       {"log_segments_of", log.segment_count()}});
  out += R"(},"workers":[)";
  for (std::uint32_t slot = 0; slot < view.slot_count(); ++slot) {
    const core::BusGenerations& generations = view.generations(slot);
    const core::BusServedWords& served = view.served(slot);
    const core::BusWorkerWords& worker = view.worker(slot);
    out += slot > 0 ? ",{" : "{";
    append_numbers(out, {{"slot", slot}, {"generation", generations.born.load()}});
    out.append(R"(,"alive":)").append(truth(generations.born.load() > generations.ended.load()));
    append_numbers(out,
                   {{"requests_unread", worker.requests.head.load() - served.request_cursor.load()},
                    {"request_ring_bytes", view.request_bytes()},
                    {"replies_unread", served.replies.head.load() - worker.reply_cursor.load()},
                    {"reply_ring_bytes", view.reply_bytes()},
                    {"waiting", worker.waiting.load()},
                    {"events_behind", head - std::min(head, worker.event_cursor.load())},
                    {"laps", worker.laps.load()},
                    {"events_lost", worker.events_lost.load()}});
    out += '}';
  }
  return out += "]}";
}

}  // namespace spate::handlers::hub
