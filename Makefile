# The few commands that everyone needs; Meson and Ninja do the building. `make help` lists them.

BUILD := build
# Under sanitizers gcc warns of what cannot happen.
SANITIZE := -Db_lundef=false -Doptimization=1 -Dwerror=false
# There is nothing for the thread sanitizer in a world that has one.
ONE_THREAD := sim/world sim/again sim/restart sim/disk sim/disk_raw
# librdkafka makes its threads with thrd_create, which the thread sanitizer of gcc 12 does not know: it crashes.
UNKNOWN_THREADS := bus/kafka

.PHONY: all demo demo-services test test-services lint asan tsan valgrind coverage fuzz plants deep bench clean help

all: ## build the program: build/onhand
	@tools/setup build
	@tools/build program $(BUILD)

demo: all ## sell a year of real trade and show it live (ARGS="--exit --speed 50")
	@$(BUILD)/onhand demo $(ARGS)

demo-services: all ## the same on two nodes of each service behind a gateway, while they are killed (ARGS="--seconds 0": the whole year)
	@tools/setup test
	@ONHAND_BIN=$(BUILD)/onhand tools/node demo/services.mjs $(ARGS)

test: ## run all tests
	@tools/setup test
	@BUILD=$(BUILD) tools/test

test-services: ## start the whole system with its servers, break them, and check what comes of it (ARGS="lead", ROUNDS=N)
	@tools/setup test
	@BUILD=$(BUILD) tools/test services $(ARGS)

lint: ## check format, common mistakes and the layers
	@tools/setup test
	@tools/lint $(BUILD)

asan: ## run all tests with address and undefined-behaviour sanitizers
	@tools/setup test
	@tools/build tests $(BUILD)-asan -Db_sanitize=address,undefined $(SANITIZE)
	@BUILD=$(BUILD)-asan TEST_TIMEOUT_FACTOR=10 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 tools/test

tsan: ## run the C tests with the thread sanitizer
	@tools/setup test
	@tools/build tests $(BUILD)-tsan -Db_sanitize=thread $(SANITIZE)
	@BUILD=$(BUILD)-tsan TEST_LEFT_OUT="$(ONE_THREAD) $(UNKNOWN_THREADS)" TEST_TIMEOUT_FACTOR=20 TSAN_OPTIONS=halt_on_error=1 tools/test c

valgrind: ## run the C tests under valgrind, but for those that start the program
	@tools/setup valgrind
	@BUILD=$(BUILD)-valgrind tools/valgrind

coverage: ## show what the C tests reach, by folder; ARGS=all adds the tests of the program
	@tools/setup coverage
	@BUILD=$(BUILD)-coverage tools/coverage $(ARGS)

fuzz: ## fuzz every parser, SECONDS=60 each, with address and undefined-behaviour sanitizers
	@tools/setup fuzz
	@FUZZ_SECONDS=$(or $(SECONDS),60) BUILD=$(BUILD)-fuzz tools/fuzz run

plants: ## put known bugs into a copy of the tree, one by one, and see that the checks find them (ARGS="p17", ARGS=--all)
	@tools/setup test
	@tools/plants $(ARGS)

deep: ## run the long forms of all proofs, MINUTES=60; appends to qa/ledger.csv
	@tools/setup test
	@tools/setup fuzz
	@tools/build tests $(BUILD)
	@tools/node-packages
	@BUILD=$(BUILD) tools/deep $(or $(MINUTES),60)

bench: ## measure everything beside its alternatives; ARGS="--only read --rounds 3", ARGS=--quick
	@tools/setup build
	@tools/setup bench
	@tools/build bench $(BUILD)
	@ONHAND_BIN=$(BUILD)/onhand tools/node bench/run.mjs $(ARGS)

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-valgrind $(BUILD)-coverage $(BUILD)-fuzz build-deep build-plants

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
