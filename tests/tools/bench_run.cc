#include "tests/tools/bench_run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/base.h"

namespace spate::bench {

namespace {

// Never returns.
void execute(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  execv(pointers[0], pointers.data());
  _exit(127);
}

}  // namespace

MisbehavingServer::MisbehavingServer(const std::string& fault, bool broadcast) {
  int ends[2];
  SPATE_CHECK(pipe(ends) == 0);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    std::vector<std::string> words = {MISBEHAVING_SERVER, fault, "10"};
    if (broadcast) words.emplace_back("broadcast");
    execute(words);
  }
  close(ends[1]);
  out_ = ends[0];
  char line[16] = {};
  SPATE_CHECK(read(out_, line, sizeof line - 1) > 0);
  port_ = std::atoi(line);
}

MisbehavingServer::~MisbehavingServer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(out_);
}

std::string MisbehavingServer::url() const {
  return "ws://127.0.0.1:" + std::to_string(port_) + "/";
}

std::uint64_t BenchRun::errors(const char* kind) const {
  if (!json.IsObject() || !json["errors"].HasMember(kind)) return 0;
  return json["errors"][kind].GetUint64();
}

std::uint64_t BenchRun::all_errors() const {
  std::uint64_t sum = 0;
  if (json.IsObject())
    for (const auto& kind : json["errors"].GetObject()) sum += kind.value.GetUint64();
  return sum;
}

double BenchRun::number(const char* group, const char* name) const {
  SPATE_CHECK(json.IsObject() && json.HasMember(group) && json[group].HasMember(name));
  return json[group][name].GetDouble();
}

BenchRun spate_bench(std::vector<std::string> arguments) {
  char path[] = "/tmp/spate-bench-test-XXXXXX";
  const int fd = mkstemp(path);
  SPATE_CHECK(fd >= 0);
  close(fd);
  arguments.insert(arguments.begin(), SPATE_BENCH);
  arguments.insert(arguments.end(), {"--quiet", "--json", path});
  const int pid = fork();
  if (pid == 0) execute(arguments);
  int status = 0;
  waitpid(pid, &status, 0);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  unlink(path);
  BenchRun run{WIFEXITED(status) ? WEXITSTATUS(status) : -1, {}};
  run.json.Parse(text.c_str());
  return run;
}

}  // namespace spate::bench
