// docs/configuration.md holds what the table says, between two marks; UPDATE_DOCS=1 writes it
// there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "handlers/app.h"
#include "handlers/setting_help.h"

namespace spate::handlers {
namespace {

constexpr const char* kPage = SPATE_SOURCE_DIR "/docs/configuration.md";
constexpr std::string_view kBegin = "<!-- settings: begin -->\n";
constexpr std::string_view kEnd = "<!-- settings: end -->\n";

TEST(SettingsPage, HoldsWhatTheTableSays) {
  SettingTable table(spate_program());
  Settings settings;
  add_settings(table, settings);
  const Registry registry = server_modules();
  for (const auto& module : registry.modules()) module->add_settings(table);

  std::ifstream file(kPage);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = page.find(kBegin);
  const std::size_t end = page.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_LT(begin, end);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  const std::string generated = "\n" + help_markdown(table) + "\n";
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::ofstream(kPage) << page.substr(0, from) << generated << page.substr(end);
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), generated)
      << "docs/configuration.md lags behind; UPDATE_DOCS=1 build/tests/test_settings "
         "--gtest_filter='SettingsPage.*' rewrites it";
}

}  // namespace
}  // namespace spate::handlers
