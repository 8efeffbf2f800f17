// Publishes over the server API as fast as it is taken: one keep-alive connection, DEPTH requests
// in flight, each to the next of CHANNELS channels.
//   api_client PORT KEY CHANNELS DEPTH PAYLOAD_BYTES SECONDS
// Every answer must be a 200 with a result in it. Prints the publications of SECONDS.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <string>
#include <string_view>

static double now() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return double(at.tv_sec) + double(at.tv_nsec) / 1e9;
}

static std::string request_of(size_t number, const std::string& key, size_t payload) {
  const std::string body = R"({"channel":"bench:)" + std::to_string(number) + R"(","data":")" +
                           std::string(payload, 'x') + R"("})";
  return "POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: " + key +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// Whole answers at the front of `in` are taken off and counted; -1: one of them is no success.
static long take_answers(std::string& in) {
  constexpr std::string_view kLength = "content-length: ", kResult = R"({"result":)";
  long answers = 0;
  size_t at = 0;
  for (;; ++answers) {
    const size_t head = in.find("\r\n\r\n", at);
    if (head == in.npos) break;
    std::string lower = in.substr(at, head - at);
    for (char& letter : lower) letter = char(std::tolower(letter));
    const size_t length = lower.find(kLength);
    if (!lower.starts_with("http/1.1 200 ") || length == lower.npos) return -1;
    const size_t bytes = std::stoul(lower.substr(length + kLength.size()));
    if (in.size() < head + 4 + bytes) break;
    if (in.compare(head + 4, kResult.size(), kResult) != 0) return -1;
    at = head + 4 + bytes;
  }
  in.erase(0, at);
  return answers;
}

int main(int argc, char** argv) {
  if (argc != 7)
    return fprintf(stderr, "api_client PORT KEY CHANNELS DEPTH PAYLOAD_BYTES SECONDS\n"), 2;
  const std::string key = argv[2];
  const size_t channels = std::stoul(argv[3]), depth = std::stoul(argv[4]);
  const size_t payload = std::stoul(argv[5]);
  const sockaddr_in at{AF_INET, htons(in_port_t(std::stoi(argv[1]))), {htonl(INADDR_LOOPBACK)}, {}};
  const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (const sockaddr*)&at, sizeof at) != 0) return perror("api_client"), 1;
  std::string out, in, piece(256 * 1024, '\0');
  size_t asked = 0, answered = 0;
  const double begin = now(), end = begin + std::stod(argv[6]);
  while (now() < end || answered < asked) {
    out.clear();
    while (now() < end && asked < answered + depth)
      out += request_of(asked++ % channels, key, payload);
    // Blocks where an answer would have to be read first; so little is in flight that it never is.
    if (send(fd, out.data(), out.size(), MSG_NOSIGNAL) != ssize_t(out.size()))
      return perror("api_client"), 1;
    const ssize_t got = recv(fd, piece.data(), piece.size(), 0);
    if (got <= 0) return fprintf(stderr, "api_client: the connection is gone\n"), 1;
    in.append(piece, 0, size_t(got));
    const long answers = take_answers(in);
    if (answers < 0) return fprintf(stderr, "api_client: refused: %.300s\n", in.c_str()), 1;
    answered += size_t(answers);
  }
  printf("%zu publications, %.0f a second\n", answered, double(answered) / (now() - begin));
}
