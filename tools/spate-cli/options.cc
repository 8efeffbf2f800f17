#include "tools/spate-cli/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "core/printable.h"
#include "handlers/setting_source.h"
#include "handlers/version.h"

namespace spate::cli {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kHundredYearsSeconds = 36'525 * kDaySeconds;

void add_secret(CLI::App& app, KeyOptions& keys) {
  const char* group = "Keys";
  // Where the environment ranks is told in keys.cc: below everything that is written out.
  app.add_option(
         "--hmac-secret", keys.family.hmac_secret,
         "the server's secret; also in SPATE_TOKEN_HMAC_SECRET, where the process list does "
         "not show it")
      ->group(group);
  app.add_option("--hmac-secret-file", keys.family.hmac_secret_file, "file with the secret")
      ->group(group);
  app.add_option("--config", keys.config, "the server's configuration file, to take it from there")
      ->group(group);
}

void add_signing(CLI::App& app, Options& options) {
  add_secret(app, options.keys);
  TokenOptions& token = options.token;
  const char* group = "Keys";
  app.add_option("--private-key", token.private_key,
                 "PEM file of an RSA, EC or Ed25519 key to sign with, in the secret's place")
      ->group(group);
  app.add_option("--algorithm", token.algorithm,
                 "such as HS512 or RS384 (default: HS256, RS256, or the curve's)")
      ->group(group);
  app.add_option("--kid", token.kid, "the key's name, for servers with a JWK set")->group(group);
}

void add_claims(CLI::App& app, TokenOptions& token) {
  const char* group = "Claims";
  app.add_option("--user", token.user, "the user's id; none is an anonymous user")->group(group);
  app.add_option("--ttl", token.ttl_seconds, "seconds until it expires; 0 is never")
      ->check(CLI::Range(std::int64_t{0}, kHundredYearsSeconds))
      ->capture_default_str()
      ->group(group);
  app.add_option("--info", token.info, "JSON that others see in presence, joins and publications")
      ->group(group);
  app.add_option("--audience", token.audience, "aud")->group(group);
  app.add_option("--issuer", token.issuer, "iss")->group(group);
}

void add_inspection(CLI::App& app, Options& options) {
  app.add_option("TOKEN", options.inspected, "the token")->required();
  add_secret(app, options.keys);
  handlers::client::TokenSettingFamily& family = options.keys.family;
  const char* group = "Keys";
  app.add_option("--rsa-public-key", family.rsa_public_key, "PEM file")->group(group);
  app.add_option("--ecdsa-public-key", family.ecdsa_public_key, "PEM file")->group(group);
  app.add_option("--jwks", family.jwks, "file with a JSON Web Key Set")->group(group);
  app.add_option("--audience", family.audience, "what the server expects of aud")->group(group);
  app.add_option("--issuer", family.issuer, "what the server expects of iss")->group(group);
  app.add_option("--user-id-claim", family.user_id_claim, "the claim with the user's id")
      ->group(group);
}

void add_api(CLI::App& app, ApiOptions& api) {
  const char* group = "Server";
  app.add_option("--api", api.url, "where the server's HTTP API is")
      ->capture_default_str()
      ->group(group);
  app.add_option("--api-key", api.key, "the API's key; also in SPATE_API_KEY")->group(group);
  app.add_option("--config", api.config, "the server's configuration file, to take the key from")
      ->group(group);
}

CLI::App* add(CLI::App& to, Options& options, Subcommand subcommand, const char* name,
              const char* what) {
  CLI::App* const app = to.add_subcommand(name, what);
  app->add_flag("--json", options.json, "JSON, one object a line, for programs");
  // The outer one's callback runs first.
  app->final_callback([&options, subcommand, app] {
    if (app->get_subcommands().empty()) options.subcommand = subcommand;
  });
  return app;
}

void add_tokens(CLI::App& app, Options& options) {
  CLI::App* const token = add(app, options, Subcommand::token, "token",
                              "make a token for a connection, or with --channel a subscription");
  add_claims(*token, options.token);
  auto* const channel =
      token->add_option("--channel", options.token.channel, "the channel that it lets subscribe to")
          ->group("Claims");
  token
      ->add_option(
          "--subs", options.token.subs,
          "channels that the server subscribes the connection to, or a JSON object of them "
          "with options")
      ->excludes(channel)
      ->group("Claims");
  add_signing(*token, options);
  CLI::App* const inspect =
      add(*token, options, Subcommand::inspect, "inspect",
          "show what is in a token and, given keys, whether the server would take it");
  add_inspection(*inspect, options);
}

void add_api_commands(CLI::App& app, Options& options) {
  CLI::App* const publish = add(app, options, Subcommand::publish, "pub", "publish to a channel");
  publish->add_option("CHANNEL", options.channel, "the channel")->required();
  publish->add_option("DATA", options.data, "JSON; what is none is published as a JSON string")
      ->required();
  CLI::App* const presence =
      add(app, options, Subcommand::presence, "presence", "who is subscribed to a channel");
  presence->add_option("CHANNEL", options.channel, "the channel")->required();
  CLI::App* const history =
      add(app, options, Subcommand::history, "history", "what was published to a channel");
  history->add_option("CHANNEL", options.channel, "the channel")->required();
  history
      ->add_option("--limit", options.limit,
                   "publications at most; 0 is the position alone, --limit=-1 is all")
      ->check(CLI::Range(std::int64_t{-1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  history->add_option("--since", options.since, "OFFSET or OFFSET:EPOCH to go on from");
  history->add_flag("--reverse", options.reverse, "the newest first");
  CLI::App* const info = add(app, options, Subcommand::info, "info", "the server's nodes");
  CLI::App* const bus = add(app, options, Subcommand::bus, "bus",
                            "the rings between workers and broker, and who is behind");
  CLI::App* const channels =
      add(app, options, Subcommand::channels, "channels", "channels with subscribers");
  channels->add_option("PATTERN", options.pattern, "a glob, such as chat:*");
  CLI::App* const disconnect =
      add(app, options, Subcommand::disconnect, "disconnect", "close a user's connections");
  disconnect->add_option("USER", options.user, "the user's id")->required();
  for (CLI::App* const command : {publish, presence, history, info, bus, channels, disconnect})
    add_api(*command, options.api);
}

void add_subscribe(CLI::App& app, Options& options) {
  CLI::App* const subscribe =
      add(app, options, Subcommand::subscribe, "sub", "print what is published to channels");
  subscribe->add_option("CHANNEL", options.channels, "the channels")->required();
  subscribe->add_option("--count", options.count, "publications after which to end; 0 is never")
      ->capture_default_str();
  subscribe->add_flag("--join-leave", options.join_leave, "ask for joins and leaves too");
  subscribe->add_option("--url", options.url, "the server's WebSocket endpoint")
      ->capture_default_str()
      ->group("Server");
  subscribe
      ->add_option("--token", options.connection_token,
                   "token of the connection; without one it is made from the key, or is anonymous")
      ->group("Server");
  add_claims(*subscribe, options.token);
  add_signing(*subscribe, options);
}

// CLI11's sentences, but for a subcommand that does not exist: it says only that one is missing.
std::string wrong_of(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::string wrong = error.what();
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands().empty()) {
    std::vector<std::string> names;
    for (const CLI::App* const known : app.get_subcommands({})) names.push_back(known->get_name());
    const std::string near = handlers::nearest(argv[1], names);
    wrong = core::printable(argv[1], 80) + ": no such subcommand";
    if (!near.empty()) return wrong + "; did you mean " + near + "?";
  }
  return wrong + "; --help lists everything";
}

}  // namespace

int parse_options(int argc, char** argv, Options& options) {
  options.token.ttl_seconds = 3'600;
  CLI::App app{"spate-cli " + std::string(handlers::version()) +
               " - tokens, the server's API, and subscriptions, from the command line"};
  // Everything at once: nobody has to know the subcommands to find a flag.
  app.set_help_flag();
  app.set_help_all_flag("-h,--help", "print this and exit");
  app.set_version_flag("--version", "spate-cli " + std::string(handlers::version()),
                       "print the version and exit");
  app.require_subcommand(1);
  app.footer("Exit status: 0 done, 1 refused or not reached, 2 a wrong flag.");
  add_tokens(app, options);
  add_api_commands(app, options);
  add_subscribe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are exceptions too.
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "spate-cli: %s\n", wrong_of(app, error, argc, argv).c_str());
    return kUsage;
  }
  // Not by CLI11, which reads it for the subcommands that were not given as well, over the flag.
  if (const char* const key = std::getenv("SPATE_API_KEY");
      key != nullptr && options.api.key.empty())
    options.api.key = key;
  return -1;
}

}  // namespace spate::cli
