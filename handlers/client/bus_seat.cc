#include "handlers/client/bus_seat.h"

#include <utility>

#include "core/sys.h"

namespace spate::handlers::client {

// --- In a worker.

BusEnd::BusEnd(const core::BusMemory& memory, std::uint32_t slot, core::Reactor& reactor,
               const core::LogMemory& log, hub::BrokerSink& sink, hub::BusBroker::Home home,
               hub::BusMetrics& metrics)
    : reactor_(reactor), slot_(slot), number_(reactor.add_sink(*this)), again_([this] { take(); }) {
  SPATE_CHECK(view_.open(memory, core::BusView::Role::worker, slot));
  broker_.emplace(view_, slot, log, sink, std::move(home), &metrics);
  reactor_.look_each_turn([this] { look(); });
}

BusEnd::~BusEnd() {
  reactor_.look_each_turn({});
  reactor_.precise().cancel(again_);
}

void BusEnd::start() {
  broker_->open();
  reactor_.precise().arm(again_, reactor_.now_ns());
}

void BusEnd::on_event(std::uint32_t, std::uint32_t, std::uint32_t) {
  core::BusView::take_wake(view_.wake_fd(slot_));
  take();
}

// A loop that is busy with thousands of sockets comes to the descriptor late.
void BusEnd::look() {
  if (watching_ && broker_->has_news()) take();
}

// The loop is opened after everything has been mounted in it.
void BusEnd::take() {
  if (!std::exchange(watching_, true))
    SPATE_CHECK(reactor_.add(view_.wake_fd(slot_), EPOLLIN, {number_, 0, 0}) == 0);
  // In the next turn: sockets come first.
  if (broker_->drain(kTurnBytes) || !broker_->may_sleep())
    reactor_.precise().arm(again_, reactor_.now_ns() + 1);
}

// --- In the broker's process.

BusSeat::BusSeat(const core::BusMemory& memory, core::Reactor& reactor, core::LogMemory& log,
                 hub::BusServer::Options options, hub::BrokerMetrics& broker_metrics,
                 hub::BusMetrics& metrics)
    : reactor_(reactor),
      number_(reactor.add_sink(*this)),
      again_([this] { serve(); }),
      tick_([this] {
        const std::int64_t now = core::sys::monotonic_ns();
        server_->tick(now);
        reactor_.precise().arm(tick_, now + kTickNs);
        serve();
      }) {
  SPATE_CHECK(view_.open(memory, core::BusView::Role::broker));
  server_.emplace(view_, log, std::move(options), &broker_metrics, &metrics);
}

BusSeat::~BusSeat() {
  reactor_.precise().cancel(again_);
  reactor_.precise().cancel(tick_);
}

core::Result<bool> BusSeat::open() {
  auto opened = server_->open();
  if (!opened) return opened;
  SPATE_CHECK(reactor_.add(view_.broker_wake_fd(), EPOLLIN, {number_, 0, 0}) == 0);
  const std::int64_t now = core::sys::monotonic_ns();
  reactor_.precise().arm(tick_, now + kTickNs);
  reactor_.precise().arm(again_, now);
  return opened;
}

void BusSeat::on_event(std::uint32_t, std::uint32_t, std::uint32_t) {
  core::BusView::take_wake(view_.broker_wake_fd());
  serve();
}

void BusSeat::serve() {
  if (server_->serve(kTurnRequests) || !server_->may_sleep())
    reactor_.precise().arm(again_, reactor_.now_ns() + 1);
}

}  // namespace spate::handlers::client
