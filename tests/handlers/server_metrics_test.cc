// docs/operations.md lists every metric as the table says it, between two marks (UPDATE_DOCS=1
// writes it there); the Grafana dashboard asks for nothing that the server does not have.
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "handlers/app.h"
#include "handlers/server_metrics.h"
#include "handlers/settings.h"
#include "tests/core/exposition.h"

namespace spate::handlers {
namespace {

constexpr const char* kPage = SPATE_SOURCE_DIR "/docs/operations.md";
constexpr const char* kDashboard = SPATE_SOURCE_DIR "/tools/package/grafana-dashboard.json";
constexpr std::string_view kBegin = "<!-- metrics: begin -->\n";
constexpr std::string_view kEnd = "<!-- metrics: end -->\n";
// More values than this are listed below the table.
constexpr std::size_t kFewValues = 8;

std::string read(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ServerMetricsTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kWorkers = 2;

  ServerMetricsTest() : modules_(server_modules()) {
    // A hub has metrics when it has channels.
    SettingTable table(spate_program());
    add_settings(table, settings_);
    for (const auto& module : modules_.modules()) module->add_settings(table);
    const char* const no_environment[] = {nullptr};
    const Outcome outcome =
        table.parse({"--channels", R"({"namespaces":[{"name":"chat"}]})"}, no_environment);
    EXPECT_TRUE(outcome.run()) << outcome.err;
    EXPECT_EQ(slots_.create(kWorkers), 0);
    metrics_ = std::make_unique<ServerMetrics>(modules_, slots_);
    EXPECT_EQ(metrics_->create(), 0);
  }

  Registry modules_;
  Settings settings_;
  core::Slots slots_;
  std::unique_ptr<ServerMetrics> metrics_;
};

// How many processes there are and what they are called is the installation's.
bool of_the_installation(const core::MetricLabel& label) {
  return std::ranges::count(
             std::array{"worker", "process", "version", "build", "endpoint", "namespace"},
             label.name) > 0;
}

std::string join(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + value;
  return out;
}

std::string labels_cell(const core::MetricFamily& family) {
  std::string out;
  for (const core::MetricLabel& label : family.labels) {
    if (!out.empty()) out += "; ";
    out += "`" + label.name + "`";
    if (of_the_installation(label)) continue;
    out += label.values.size() <= kFewValues ? ": " + join(label.values) : ": see below";
  }
  return out;
}

std::string markdown(const core::MetricTable& table) {
  constexpr std::array kKinds{"counter", "gauge", "histogram"};
  std::string out = "\n| name | type | labels | meaning |\n|---|---|---|---|\n", below;
  for (const core::MetricFamily& family : table.families()) {
    out += "| `" + family.name + "` | " + kKinds[static_cast<std::size_t>(family.kind)] + " | " +
           labels_cell(family) + " | " + family.help + " |\n";
    for (const core::MetricLabel& label : family.labels)
      if (label.values.size() > kFewValues && !of_the_installation(label))
        below += "- `" + label.name + "` of `" + family.name + "`: " + join(label.values) + "\n";
  }
  return out + "\n" + below + "\n";
}

TEST_F(ServerMetricsTest, PageListsThemAll) {
  const std::string page = read(kPage);
  const std::size_t begin = page.find(kBegin);
  const std::size_t end = page.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_LT(begin, end);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  const std::string generated = markdown(metrics_->table());
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::ofstream(kPage) << page.substr(0, from) << generated << page.substr(end);
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), generated)
      << "docs/operations.md lags behind; UPDATE_DOCS=1 build/tests/test_server_metrics "
         "--gtest_filter='*PageListsThemAll' rewrites it";
}

TEST_F(ServerMetricsTest, TextIsWellFormedAndWhole) {
  metrics_->name_endpoint(0, "/echo");
  for (const auto split : {core::MetricSplit::none, core::MetricSplit::by_worker}) {
    const tests::Exposition text(metrics_->text(split));
    ASSERT_EQ(text.error(), "");
    ASSERT_EQ(text.families().size(), metrics_->table().families().size());
    for (const core::MetricFamily& family : metrics_->table().families())
      EXPECT_NE(text.find(family.name), nullptr) << family.name;
  }
}

TEST_F(ServerMetricsTest, NamesBeginWithTheProgramsAndSayTheirUnits) {
  for (const core::MetricFamily& family : metrics_->table().families()) {
    EXPECT_TRUE(family.name.starts_with("spate_")) << family.name;
    EXPECT_EQ(family.help.find('\n'), std::string::npos) << family.name;
    EXPECT_EQ(family.help.back(), '.') << family.name;
    for (const char* abbreviated : {"_ms", "_ns", "_us", "_kb", "_mb", "_count", "_sum", "_bucket"})
      EXPECT_FALSE(family.name.ends_with(abbreviated)) << family.name;
  }
}

// What happens on the wire must not make new samples.
TEST_F(ServerMetricsTest, NoLabelGrows) {
  const tests::Exposition before(metrics_->text(core::MetricSplit::none));
  SessionMetrics& sessions = metrics_->worker(0).of(metrics_->handlers().sessions);
  for (std::uint32_t code = 0; code <= 0xFFFF; ++code)
    sessions.closes_received[close_code_index(static_cast<codec::CloseCode>(code))].add();
  const tests::Exposition after(metrics_->text(core::MetricSplit::none));
  ASSERT_EQ(before.families().size(), after.families().size());
  for (std::size_t i = 0; i < before.families().size(); ++i)
    EXPECT_EQ(before.families()[i].samples.size(), after.families()[i].samples.size());
  EXPECT_EQ(after.sum("spate_closes_received_total"), 65536);
  EXPECT_EQ(after.value("spate_closes_received_total", {{"code", "1006"}}), 1);
  EXPECT_EQ(after.value("spate_closes_received_total", {{"code", "3000-3999"}}), 1000);
  EXPECT_EQ(after.value("spate_closes_received_total", {{"code", "4000-4999"}}), 1000);
}

TEST_F(ServerMetricsTest, AWorkerThatIsGoneHoldsNothing) {
  core::ConnectionMetrics& connections = metrics_->worker(1).of(metrics_->core().connections);
  connections.connections.set(7);
  connections.opened.add(9);
  metrics_->on_worker_gone(1);
  EXPECT_EQ(connections.connections, 0u);
  EXPECT_EQ(connections.opened, 9u);
  EXPECT_EQ(metrics_->instance().of(metrics_->core().slots, 1).connections_lost, 7u);
}

class Counting final : public Module {
 public:
  struct Metrics {
    std::array<core::Counter, 2> words;
  };
  void add_metrics(core::MetricTable& table) override {
    auto rows = table.group<Metrics>(core::MetricScope::worker, "channel", {"a", "b"});
    rows.add("counting_words_total", "Words.", &Metrics::words, "length", {"short", "long"});
    group = rows.group();
  }
  void mount(const Mounts&) override {}

  core::MetricGroup<Metrics> group;
};

TEST(ModuleMetrics, StandBesideTheServers) {
  core::Slots slots;
  ASSERT_EQ(slots.create(2), 0);
  Registry registry = server_modules();
  auto module = std::make_unique<Counting>();
  Counting& counting = *module;
  registry.add(std::move(module));
  ServerMetrics metrics(registry, slots);
  ASSERT_EQ(metrics.create(), 0);
  metrics.worker(0).of(counting.group, 1).words[0].add(2);
  metrics.worker(1).of(counting.group, 1).words[0].add(3);
  const tests::Exposition text(metrics.text(core::MetricSplit::none));
  ASSERT_EQ(text.error(), "");
  EXPECT_EQ(text.value("counting_words_total", {{"channel", "b"}, {"length", "short"}}), 5);
}

// --- The dashboard.

// Every PromQL expression of every panel.
void find_expressions(const rapidjson::Value& value, std::vector<std::string>& out) {
  if (value.IsArray())
    for (const auto& element : value.GetArray()) find_expressions(element, out);
  if (!value.IsObject()) return;
  for (const auto& member : value.GetObject()) {
    if (member.name == "expr" && member.value.IsString())
      out.push_back(member.value.GetString());
    else
      find_expressions(member.value, out);
  }
}

class Dashboard : public ServerMetricsTest {
 protected:
  Dashboard() : text_(text()) {
    json_.Parse(read(kDashboard).c_str());
    EXPECT_FALSE(json_.HasParseError()) << "at " << json_.GetErrorOffset();
    if (!json_.HasParseError()) find_expressions(json_, expressions_);
  }

  // An endpoint has metrics when it has been mounted.
  std::string text() {
    metrics_->name_endpoint(0, "/echo");
    return metrics_->text(core::MetricSplit::none);
  }
  std::string together() const {
    std::string all;
    for (const std::string& expression : expressions_) all += expression + "\n";
    return all;
  }
  // What a sample's name may be, and the labels that such samples have.
  std::set<std::string> labels_of(const std::string& sample) {
    std::set<std::string> labels;
    for (const tests::Family& family : text_.families())
      for (const tests::Sample& each : family.samples)
        if (each.name == sample)
          for (const auto& label : each.labels) labels.insert(label.first);
    return labels;
  }
  bool exposed(const std::string& sample) {
    return std::ranges::any_of(text_.families(), [&](const tests::Family& family) {
      return std::ranges::any_of(family.samples,
                                 [&](const tests::Sample& each) { return each.name == sample; });
    });
  }

  rapidjson::Document json_;
  std::vector<std::string> expressions_;
  const tests::Exposition text_;
};

std::vector<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it)
    out.push_back((*it)[1]);
  return out;
}

TEST_F(Dashboard, AsksForWhatTheServerExposes) {
  ASSERT_GE(expressions_.size(), 10u);
  for (const std::string& expression : expressions_) {
    const auto names = matches(expression, "\\b(spate_[a-z0-9_]+)");
    EXPECT_FALSE(names.empty()) << expression;
    for (const std::string& name : names) EXPECT_TRUE(exposed(name)) << expression;
  }
}

TEST_F(Dashboard, GroupsByLabelsThatThereAre) {
  for (const std::string& expression : expressions_) {
    const auto names = matches(expression, "\\b(spate_[a-z0-9_]+)");
    for (const std::string& group : matches(expression, "\\bby *\\(([a-z_, ]+)\\)"))
      for (const std::string& label : matches(group, "([a-z_]+)"))
        EXPECT_TRUE(label == "instance" || labels_of(names.at(0)).contains(label)) << expression;
  }
}

TEST_F(Dashboard, ShowsWhatOperatorsAskFirst) {
  const std::string all = together();
  for (const char* needed :
       {"spate_connections", "spate_messages_received_total", "spate_messages_sent_total",
        "spate_received_bytes_total", "spate_sent_bytes_total", "spate_loop_lag_seconds_bucket",
        "spate_handler_seconds_bucket", "spate_refusals_total", "spate_closes_sent_total",
        "spate_memory_bytes", "spate_worker_restarts_total", "spate_process_cpu_seconds_total"})
    EXPECT_NE(all.find(needed), std::string::npos) << needed;
}

// What nobody has a panel for goes wrong unseen.
TEST_F(Dashboard, ShowsWhateverGoesWrong) {
  const std::string all = together();
  const std::regex bad(
      ".*_(lost|refused|refusals|failures|errors|exceptions|overruns|overflows|laps|unanswered|"
      "missed|dropped|conflated|evictions|crashes|stalls|sheds|timeouts)_total");
  std::size_t seen = 0;
  for (const tests::Family& family : text_.families()) {
    if (!std::regex_match(family.name, bad)) continue;
    ++seen;
    EXPECT_NE(all.find(family.name + "{"), std::string::npos) << family.name;
  }
  EXPECT_GE(seen, 20u);
}

TEST_F(Dashboard, PanelsHaveTitlesIdsOfTheirOwnAndDoNotOverlap) {
  std::set<int> ids;
  std::set<std::pair<int, int>> cells;
  for (const auto& panel : json_["panels"].GetArray()) {
    const std::string title = panel["title"].GetString();
    EXPECT_NE(title, "");
    EXPECT_TRUE(ids.insert(panel["id"].GetInt()).second) << title;
    const auto& at = panel["gridPos"];
    EXPECT_LE(at["x"].GetInt() + at["w"].GetInt(), 24) << title;
    for (int x = at["x"].GetInt(); x < at["x"].GetInt() + at["w"].GetInt(); ++x)
      for (int y = at["y"].GetInt(); y < at["y"].GetInt() + at["h"].GetInt(); ++y)
        EXPECT_TRUE(cells.insert({x, y}).second) << title << " overlaps another panel";
  }
}

}  // namespace
}  // namespace spate::handlers
