// Sessions that another worker's client speaks to, and those that are not there any more.
#include "handlers/client/session_router.h"

#include <gmock/gmock.h>

#include <memory>
#include <optional>

#include "tests/handlers/hub/broker_fixture.h"
#include "tests/handlers/hub/bus_host.h"

namespace spate::test {
namespace {

using handlers::client::RoutedSession;
using handlers::client::SessionRouter;
using testing::ElementsAre;
using testing::IsEmpty;
using Route = SessionRouter::Route;

struct HeardSession final : RoutedSession {
  std::vector<std::string> heard;
  void on_routed(std::string_view data) override { heard.emplace_back(data); }
};

class SessionRouterTest : public testing::Test {
 protected:
  SessionRouterTest() {
    for (std::size_t i = 0; i < 2; ++i) begin(i);
  }
  void begin(std::size_t i) { routers[i] = std::make_unique<SessionRouter>(host.broker(i)); }
  SessionRouter& router(std::size_t i) { return *routers[i]; }

  // From a client whose request came to the worker.
  std::optional<Route> route(std::size_t worker, const std::string& node, const std::string& name,
                             std::string_view data) {
    const auto out = std::make_shared<std::optional<Route>>();
    router(worker).route(node, name, data, [out](Route route) { *out = route; });
    host.settle();
    return *out;
  }

  BrokerTime time;
  RecordingSink sinks[2];
  BusHost host{{&sinks[0], &sinks[1]}, time};
  std::unique_ptr<SessionRouter> routers[2];
  HeardSession session;
};

TEST_F(SessionRouterTest, ReachesASessionFromEveryWorker) {
  const std::string name = router(1).add(session);
  EXPECT_EQ(route(0, router(1).node(), name, R"({"id":1})"), Route::taken);
  EXPECT_EQ(route(1, router(1).node(), name, R"({"id":2})"), Route::taken);
  const std::string large(64 << 10, 'x');
  EXPECT_EQ(route(0, router(1).node(), name, large), Route::taken);
  EXPECT_THAT(session.heard, ElementsAre(R"({"id":1})", R"({"id":2})", large));
}

TEST_F(SessionRouterTest, AMessageForOneThatIsOverIsTakenByNobody) {
  const std::string name = router(1).add(session);
  router(1).remove(name);
  EXPECT_EQ(route(0, router(1).node(), name, "a"), Route::taken);
  EXPECT_EQ(route(0, router(1).node(), "", "a"), Route::taken);
  EXPECT_THAT(session.heard, IsEmpty());
}

TEST_F(SessionRouterTest, NamesOfOneWorkerMeanNothingToAnother) {
  HeardSession other;
  const std::string here = router(0).add(session);
  const std::string there = router(1).add(other);
  EXPECT_NE(here, there);
  EXPECT_EQ(route(0, router(1).node(), here, "a"), Route::taken);
  EXPECT_THAT(session.heard, IsEmpty());
  EXPECT_THAT(other.heard, IsEmpty());
}

TEST_F(SessionRouterTest, AWorkerThatWasIsNotItsSuccessor) {
  const std::string node = router(1).node();
  const std::string name = router(1).add(session);
  routers[1].reset();
  host.end_worker(1);
  host.settle();
  EXPECT_EQ(route(0, node, name, "a"), Route::no_node);
  host.begin_worker(1);
  host.settle();
  begin(1);
  EXPECT_EQ(route(0, node, name, "a"), Route::no_node);
  EXPECT_EQ(route(1, node, name, "a"), Route::no_node);
  EXPECT_THAT(session.heard, IsEmpty());
}

TEST_F(SessionRouterTest, WhoDiesOverAMessageIsGone) {
  host.broker(1).set_on_question(handlers::hub::Topic::session, [](auto, const auto&) {});
  std::optional<Route> heard;
  router(0).route(router(1).node(), "s", "a", [&](Route route) { heard = route; });
  host.settle();
  EXPECT_EQ(heard, std::nullopt);
  routers[1].reset();
  host.end_worker(1);
  host.settle();
  EXPECT_EQ(heard, Route::no_node);
}

TEST_F(SessionRouterTest, NamesOfNoNode) {
  const std::string uuid = router(1).node().substr(2);
  for (const std::string& node :
       {std::string(), std::string("1"), std::string("1-"), "2-" + uuid, "0-" + uuid, "-1-" + uuid,
        "4294967295-" + uuid, "4294967296-" + uuid, " 1-" + uuid, uuid, "1-" + uuid + "0"})
    EXPECT_EQ(route(0, node, "s", "a"), Route::no_node) << node;
}

TEST_F(SessionRouterTest, WhatCannotBeCarriedIsSaidToBeTooLarge) {
  const std::string name = router(1).add(session);
  EXPECT_EQ(route(0, router(1).node(), name, std::string(200 << 10, 'x')), Route::too_large);
  EXPECT_THAT(session.heard, IsEmpty());
}

TEST_F(SessionRouterTest, WithoutABrokerItIsUnknown) {
  const std::string name = router(1).add(session);
  host.end_broker();
  std::optional<Route> heard;
  router(0).route(router(1).node(), name, "a", [&](Route route) { heard = route; });
  host.settle();
  EXPECT_EQ(heard, std::nullopt);
  time.monotonic_ns += 61'000'000'000;
  host.tick();
  EXPECT_EQ(heard, Route::unavailable);
}

TEST(SessionRouterAlone, IsItsOnlyNode) {
  handlers::hub::OnlyWorker workers;
  SessionRouter router(workers);
  HeardSession session;
  std::optional<Route> heard;
  const auto note = [&](Route route) { heard = route; };
  router.route(router.node(), router.add(session), "a", note);
  EXPECT_EQ(heard, Route::taken);
  EXPECT_THAT(session.heard, ElementsAre("a"));
  router.route("0-0", "s", "a", note);
  EXPECT_EQ(heard, Route::no_node);
  router.route("1-0", "s", "a", note);
  EXPECT_EQ(heard, Route::no_node);
}

}  // namespace
}  // namespace spate::test
