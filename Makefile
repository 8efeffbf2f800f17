# Spate's front door. CMake holds the targets; this file holds the commands people type.
SHELL := /bin/bash
BUILD ?= build
JOBS  ?= $(shell nproc)
SETUP ?= 1
T     ?=
F     ?=
S     ?= 60
CMAKE_FLAGS ?=
BENCH_LTO = OFF
ARGS  ?=

.DEFAULT_GOAL := all

configure = cmake -S . -B $(1) -G Ninja $(CMAKE_FLAGS) $(2) > $(1).configure.log 2>&1 || { cat $(1).configure.log; exit 1; }
need = @if [ "$(SETUP)" != 0 ]; then tools/setup $(1); fi

all: ## build everything (release, LTO) into build/
	$(call need,build)
	@mkdir -p $(BUILD)
	@$(call configure,$(BUILD),-DSPATE_TESTS=OFF)
	@cmake --build $(BUILD) -j $(JOBS)

run: all ## build and start a server on 127.0.0.1:8000 with the sample channels (ARGS=… for flags)
	@exec tools/run $(BUILD) $(ARGS)

build-tests:
	$(call need,build test)
	@mkdir -p $(BUILD)
	@$(call configure,$(BUILD),-DSPATE_TESTS=ON -DSPATE_BENCH_LTO=$(BENCH_LTO))
	@cmake --build $(BUILD) -j $(JOBS)

test: build-tests ## build and run all tests (T=regex selects)
	$(call need,clients)
	@SETUP=$(SETUP) ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure $(CTEST_FLAGS) $(if $(T),-R '$(T)')

asan: ## unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(call need,build test fuzz)
	@$(sanitized)
	@cmake --build build-asan -j $(JOBS) --target unit_tests
	@ctest --test-dir build-asan -j $(JOBS) --output-on-failure -L unit $(if $(T),-R '$(T)')
comma := ,
# One tree for both, of clang: it has libFuzzer, and takes half of GCC's time for instrumented code.
sanitized = mkdir -p build-asan && CXX=clang++ $(SHELL) -c '$(call configure,build-asan,-DSPATE_TESTS=ON -DSPATE_FUZZ=ON -DSPATE_SANITIZE=fuzzer-no-link$(comma)address$(comma)undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo)'

ubsan: asan ## the same run as asan: both sanitizers are on

tsan: ## unit tests under ThreadSanitizer
	$(call need,build test)
	@mkdir -p build-tsan
	@$(call configure,build-tsan,-DSPATE_TESTS=ON -DSPATE_SANITIZE=thread -DCMAKE_BUILD_TYPE=RelWithDebInfo)
	@cmake --build build-tsan -j $(JOBS) --target unit_tests
	@ctest --test-dir build-tsan -j $(JOBS) --output-on-failure -L unit $(if $(T),-R '$(T)')

fuzz: ## fuzz each target for S seconds (F=name for one)
	$(call need,build test fuzz)
	@$(sanitized)
	@cmake --build build-asan -j $(JOBS) --target fuzzers
	@tools/fuzz build-asan/fuzz $(S) $(F)

bench: BENCH_LTO = ON
bench: build-tests ## micro-benchmarks of codec and core
	@for b in $(BUILD)/bench/bench_*; do $$b $(ARGS) || exit 1; done

peers: ## install, build and try the other servers that Spate is compared with
	$(call need,build peers)
	@mkdir -p $(BUILD)
	@$(call configure,$(BUILD),-DSPATE_TESTS=OFF)
	@cmake --build $(BUILD) -j $(JOBS) --target peers
	@BUILD=$(BUILD) tests/bench/peers.py --bench $(BUILD)/spate-bench

instructions: build-tests ## instructions and allocations of each path, against the record (RECORD=1 writes it)
	@tools/instructions --table $(if $(RECORD),--record)

compare: all ## Spate, the floor and other servers in one run (QUICK=1 ROWS=… PEERS=… ROUNDS=… BASE=rev)
	@BUILD=$(BUILD) python3 tools/compare $(if $(filter-out 0,$(QUICK)),--quick) $(if $(ROWS),--rows '$(ROWS)') \
	  $(if $(PEERS),--peers '$(PEERS)') $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(BASE),--base '$(BASE)') $(ARGS)

conformance: build-tests ## RFC 6455 row by row, against the real binary (T=regex selects)
	@$(BUILD)/tests/conformance/conformance $(if $(T),'$(T)')

sim: build-tests ## processes killed after any of their stores, in many more schedules (ROUNDS=… SEED=…)
	@$(BUILD)/tests/sim_log_broker $(or $(ROUNDS),500) $(SEED)
	@$(BUILD)/tests/sim_bus $(or $(ROUNDS),500) $(SEED)

kill-series: build-tests ## workers killed, stopped and starved under load, a hundred times each
	@for s in kill descriptors stop; do python3 tests/system/supervision.py $(BUILD)/spate $$s --rounds 100; done

kill-hub: build-tests ## the hub's worker killed under load for S seconds, nothing lost, doubled or reordered
	$(call need,clients)
	@node tests/clients/centrifuge/kill_checker.mjs --spate $(BUILD)/spate --seconds $(S) $(ARGS)

chaos: build-tests ## four workers and their broker killed and stopped at random for ten minutes, nothing lost (S=600)
	$(call need,clients)
	@node tests/clients/centrifuge/kill_checker.mjs --spate $(BUILD)/spate --workers 4 --blows kill,stop \
	  --subscribers 200 --channels 20 --of 2 --pause 4 --seconds $(if $(filter 60,$(S)),600,$(S)) $(ARGS)

storm: build-tests ## 20,000 clients over four workers, two of them killed: all recover, the others hardly notice
	@$(BUILD)/tests/reconnect_storm

million: all ## a million connections at once on this machine, and the curve to there (ARGS=… for flags)
	@python3 tools/million $(ARGS)

leak: build-tests ## memory after a million short connections
	@$(BUILD)/tests/leak 1000000

soak: build-tests ## memory after 200,000 clients of a hub that came, subscribed, published and left
	@$(BUILD)/tests/soak 200000

format: ## clang-format every source file
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

lint: ## formatting, include direction, clang-tidy
	$(call need,build lint)
	@git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror
	@tools/check-includes
	@clang-tidy --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument -p $(BUILD) --quiet $$(git ls-files 'codec/*.cc' 'core/*.cc' 'handlers/*.cc')

install: all ## install to PREFIX (default /usr/local)
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),/usr/local)

clean: ## remove every build tree
	@rm -rf build build-*

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: all run build-tests test asan ubsan tsan fuzz bench peers compare instructions conformance sim kill-series kill-hub chaos storm million leak soak format lint install clean help
