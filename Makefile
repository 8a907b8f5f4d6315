# `make` alone lists what there is.

CARGO ?= cargo
# Passed on to the programs: make run-server ARGS="--port 7000"
ARGS ?=
# Where cargo puts what it builds optimised.
PROGRAMS = $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run-server
run-server: ## Run the server (ARGS="--port 7000" passes flags on)
	@$(CARGO) run --release --bin echo-server -- $(ARGS)

.PHONY: run-client
run-client: ## Run the interactive client (ARGS="--port 7000" passes flags on)
	@$(CARGO) run --release --bin echo-client -- $(ARGS)

.PHONY: load-test
load-test: ## Load a server with 50 client processes (PROCESSES= CONNECTIONS= DURATION= ARGS=)
	@$(CARGO) build --release --bin echo-server --bin echo-client
	@PROCESSES="$(PROCESSES)" CONNECTIONS="$(CONNECTIONS)" DURATION="$(DURATION)" \
		scripts/load-test.sh "$(PROGRAMS)" $(ARGS)

.PHONY: build
build: ## Build both programs, optimised, into target/release
	$(CARGO) build --release --workspace --bins

.PHONY: test
test: ## Run all tests
	$(CARGO) test --workspace

# The seeds of the simulation that `make torture` runs; one alone says what it does.
SEEDS ?= 0..20000000
# How long each fuzz target runs in it.
FUZZ_SECONDS ?= 30

.PHONY: torture
torture: ## Look for faults for minutes: SEEDS=7 replays one schedule, SEEDS=0..1000 runs so many
	@SEEDS="$(SEEDS)" FUZZ_SECONDS="$(FUZZ_SECONDS)" CARGO="$(CARGO)" scripts/torture.sh

.PHONY: soak
soak: ## Traffic, churn and rude peers together: fails if memory or descriptors grow (DURATION=30m)
	@$(CARGO) build --release --workspace --bins
	@$(PROGRAMS)/soak $(if $(DURATION),--duration "$(DURATION)") $(ARGS)

.PHONY: bench-client
bench-client: ## Compare `echo-client load` with a bare load loop (ARGS="--rounds 3" passes flags on)
	@$(CARGO) build --release --workspace --bins
	@$(CARGO) run --quiet --release --bin bench-client -- $(ARGS)

.PHONY: bench
bench: ## Measure the server next to others; writes BENCHMARKS.md and docs/benchmarks.* (ARGS=)
	@$(CARGO) build --release --workspace --bins
	@$(PROGRAMS)/bench --markdown BENCHMARKS.md --json docs/benchmarks.json --svg docs/benchmarks.svg $(ARGS)

.PHONY: bench-quick
bench-quick: ## The same in less than three minutes, printed only (ARGS="--only 50,churn" passes flags on)
	@$(CARGO) build --release --workspace --bins
	@$(PROGRAMS)/bench --quick $(ARGS)

.PHONY: bench-micro
bench-micro: ## Micro-benchmarks of what needs no socket: splitting, exits, escaping, a log record
	@$(CARGO) bench --package common --bench protocol
	@$(CARGO) bench --package server --bench log_record

.PHONY: check
check: ## Format, lints, docs and tests: what has to pass before a change lands
	$(CARGO) fmt --all -- --check
	$(CARGO) check --package server --no-default-features --lib --locked
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(MAKE) --no-print-directory test

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: man
man: ## Write man pages of both programs into target/man
	@$(CARGO) run --quiet --release --bin echo-client -- man target/man
	@$(CARGO) run --quiet --release --bin echo-server -- man target/man
	@echo "target/man: try man -l target/man/echo-server.1"

.PHONY: install
install: ## Install both programs where cargo installs programs
	$(CARGO) install --locked --path server
	$(CARGO) install --locked --path client

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean
