// The server. Which endpoints it has is listed in handlers/app.
#include "handlers/app.h"

int main(int argc, char** argv) {
  return spate::handlers::run(argc, argv, spate::handlers::server_modules());
}
