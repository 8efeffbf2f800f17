// Two drawings in one file: latency over percentiles, its axis logarithmic in 1/(1 - percentile) so
// that each further nine has the same room; and throughput over time. No script, no font but the
// reader's own.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "tools/spate-bench/result.h"

namespace spate::bench {

namespace {

constexpr double kWidth = 760, kLeft = 80, kRight = 20, kPlot = 240;

std::string text(const char* format, auto... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

std::string escaped(const std::string& plain) {
  std::string safe;
  for (const char c : plain)
    safe += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return safe;
}

// 1, 2 or 5 times a power of ten, so that at most `most` of them reach `end`.
double round_step(double end, int most) {
  double step = std::pow(10, std::floor(std::log10(std::max(end, 1e-9) / most)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0})
    if (end / (step * factor) <= most) return step * factor;
  return 10 * step;
}

std::string nanoseconds(double ns) {
  if (ns >= 1e9) return text("%g s", ns / 1e9);
  if (ns >= 1e6) return text("%g ms", ns / 1e6);
  return text("%g us", ns / 1e3);
}

std::string number(double n) {
  if (n >= 1e6) return text("%g M", n / 1e6);
  if (n >= 1e3) return text("%g k", n / 1e3);
  return text("%g", n);
}

// One plot: x from 0 to x_end, y from 0 to y_end.
class Plot {
 public:
  Plot(std::string& svg, double top, double x_end, double y_end)
      : svg_(svg), top_(top), x_end_(x_end), y_end_(y_end) {}

  void title(const std::string& line) {
    label(kLeft, top_ - 12, "start", line, "font-weight='bold'");
  }
  void y_axis(std::string (*format)(double)) {
    const double step = round_step(y_end_, 6);
    for (double y = 0; y <= y_end_ * 1.0001; y += step) {
      line(0, y, x_end_, y, "#ddd");
      label(kLeft - 8, at_y(y) + 4, "end", format(y));
    }
  }
  void x_tick(double x, const std::string& name) {
    line(x, 0, x, y_end_, "#ddd");
    label(at_x(x), top_ + kPlot + 18, "middle", name);
  }
  void curve(const std::vector<std::pair<double, double>>& points, const char* colour) {
    svg_ += text("<polyline fill='none' stroke='%s' stroke-width='2' points='", colour);
    for (const auto& [x, y] : points) svg_ += text("%.1f,%.1f ", at_x(x), at_y(y));
    svg_ += "'/>\n";
  }

 private:
  [[nodiscard]] double at_x(double x) const {
    return kLeft + x / x_end_ * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double at_y(double y) const { return top_ + kPlot * (1 - y / y_end_); }
  void line(double x1, double y1, double x2, double y2, const char* colour) {
    svg_ += text("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s'/>\n", at_x(x1),
                 at_y(y1), at_x(x2), at_y(y2), colour);
  }
  void label(double x, double y, const char* anchor, const std::string& what,
             const char* style = "") {
    svg_ += text("<text x='%.1f' y='%.1f' text-anchor='%s' %s>", x, y, anchor, style) +
            escaped(what) + "</text>\n";
  }

  std::string& svg_;
  const double top_, x_end_, y_end_;
};

void draw_latency(std::string& svg, double top, const Options& options, const Result& result) {
  const Histogram& of = result.latency;
  const double nines =
      std::clamp(std::log10(static_cast<double>(std::max<std::uint64_t>(of.count(), 1))), 2.0, 6.0);
  Plot plot(svg, top, nines, std::max(1.0, static_cast<double>(of.max())));
  plot.title(
      options.scenario_name + " " + options.url + ": latency" +
      (result.invalid_because.empty() ? "" : " (INVALID: " + result.invalid_because[0] + ")"));
  plot.y_axis(nanoseconds);
  constexpr const char* kNames[] = {"0 %",     "90 %",     "99 %",     "99.9 %",
                                    "99.99 %", "99.999 %", "99.9999 %"};
  for (int i = 0; i <= static_cast<int>(nines); ++i) plot.x_tick(i, kNames[i]);
  std::vector<std::pair<double, double>> points;
  constexpr int kPoints = 200;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = nines * i / kPoints;
    const double percent = 100 * (1 - std::pow(10, -x));
    points.emplace_back(x, static_cast<double>(of.percentile(percent)));
  }
  plot.curve(points, "#1f6feb");
}

void draw_throughput(std::string& svg, double top, const Options& options, const Result& result) {
  double most = 1;
  for (const Moment& moment : result.moments) most = std::max(most, moment.per_second);
  const double end = result.moments.empty() ? 1 : result.moments.back().seconds;
  Plot plot(svg, top, end, 1.05 * most);
  plot.title(std::string(options.unit().many) + " a second, over time in seconds");
  plot.y_axis(number);
  const double step = round_step(end, 10);
  for (double x = 0; x <= end * 1.0001; x += step) plot.x_tick(x, text("%g", x));
  std::vector<std::pair<double, double>> points;
  for (const Moment& moment : result.moments) {
    // A second's figure belongs to the middle of the second.
    const double before = points.empty() ? 0 : (&moment - 1)->seconds;
    points.emplace_back((before + moment.seconds) / 2, moment.per_second);
  }
  plot.curve(points, "#1a7f37");
}

}  // namespace

bool write_svg(const Options& options, const Result& result) {
  constexpr double kFirst = 40, kSecond = kFirst + kPlot + 80, kHeight = kSecond + kPlot + 40;
  std::string svg = text(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %g %g' width='%g' height='%g' "
      "font-family='sans-serif' font-size='12'>\n<rect width='100%%' height='100%%' "
      "fill='white'/>\n",
      kWidth, kHeight, kWidth, kHeight);
  draw_latency(svg, kFirst, options, result);
  draw_throughput(svg, kSecond, options, result);
  svg += "</svg>\n";
  std::FILE* const file = std::fopen(options.svg.c_str(), "w");
  if (!file) return false;
  std::fwrite(svg.data(), 1, svg.size(), file);
  return std::fclose(file) == 0;
}

}  // namespace spate::bench
