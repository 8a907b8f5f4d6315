# `make` alone lists the targets.

CARGO ?= cargo
# Arguments for the program, as in: make run-server ARGS="--port 7000"
ARGS ?=
# Directory of the optimised programs.
PROGRAMS = $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run-server
run-server: ## Run the server; ARGS="--port 7000" passes arguments
	@$(CARGO) run --release --bin echo-server -- $(ARGS)

.PHONY: run-client
run-client: ## Run the interactive client; ARGS="--port 7000" passes arguments
	@$(CARGO) run --release --bin echo-client -- $(ARGS)

# Port of the page in `make run-gui`.
PORT ?= 8080

.PHONY: run-gui
run-gui: ## Run the server with its page for a browser; PORT=8080 ARGS=
	@$(CARGO) build --release --bin echo-server
	@scripts/run-gui.sh "$(PROGRAMS)" "$(PORT)" $(ARGS)

.PHONY: load-test
load-test: ## Load a server with client processes; PROCESSES=50 CONNECTIONS=20 DURATION=10s ARGS=
	@$(CARGO) build --release --bin echo-server --bin echo-client
	@PROCESSES="$(PROCESSES)" CONNECTIONS="$(CONNECTIONS)" DURATION="$(DURATION)" \
		scripts/load-test.sh "$(PROGRAMS)" $(ARGS)

.PHONY: build
build: ## Build optimised programs in target/release
	$(CARGO) build --release --workspace --bins

.PHONY: test
test: ## Run all tests
	$(CARGO) test --workspace --no-fail-fast

.PHONY: check
check: ## Check format, lints, documentation and tests, as the CI does
	$(CARGO) fmt --all -- --check
	$(CARGO) check --package server --no-default-features --lib --locked
	$(CARGO) check --package server --no-default-features --features cli --locked
	$(CARGO) check --package server --no-default-features --features admin --lib --locked
	$(CARGO) check --package server --no-default-features --features tls --lib --locked
	$(CARGO) check --package server --no-default-features --features history --lib --locked
	$(CARGO) check --package server --no-default-features --features http --lib --locked
	$(CARGO) check --package server --no-default-features --features login --lib --locked
	$(CARGO) check --package server --no-default-features --features receipt --lib --locked
	$(CARGO) check --package server --no-default-features --features rooms --lib --locked
	$(CARGO) check --package server --no-default-features --features redis --lib --locked
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(MAKE) --no-print-directory test

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

# Seeds of the simulation in `make torture`. A single seed prints its schedule.
SEEDS ?= 0..10000000
# The same over TLS, where a schedule takes much longer.
TLS_SEEDS ?= 0..50000
# Duration of each fuzz target in `make torture`.
FUZZ_SECONDS ?= 30

.PHONY: torture
torture: ## Search for faults for minutes; SEEDS=0..1000 sets the seeds, SEEDS=7 or TLS_SEEDS=7 replays one
	@SEEDS="$(SEEDS)" TLS_SEEDS="$(TLS_SEEDS)" FUZZ_SECONDS="$(FUZZ_SECONDS)" CARGO="$(CARGO)" scripts/torture.sh

.PHONY: soak
soak: ## Run traffic, churn and misbehaving peers, and check for leaks; DURATION=30m
	@$(CARGO) build --release --workspace --bins
	@$(PROGRAMS)/soak $(if $(DURATION),--duration "$(DURATION)") $(ARGS)

.PHONY: bench
bench: ## Compare the server with other servers; writes BENCHMARKS.md and docs/benchmarks.*
	@$(CARGO) build --release --workspace --bins
	@$(PROGRAMS)/bench --markdown BENCHMARKS.md --json docs/benchmarks.json --svg docs/benchmarks.svg $(ARGS)

.PHONY: bench-quick
bench-quick: ## Print a comparison within three minutes; ARGS="--only 50,tls-50"
	@$(CARGO) build --release --workspace --bins
	@$(PROGRAMS)/bench --quick $(ARGS)

.PHONY: bench-client
bench-client: ## Compare the load client with a minimal load loop; ARGS="--rounds 3"
	@$(CARGO) build --release --workspace --bins
	@$(CARGO) run --quiet --release --bin bench-client -- $(ARGS)

.PHONY: bench-micro
bench-micro: ## Run micro-benchmarks: splitting, exits, escaping, log records
	@$(CARGO) bench --package common --bench protocol
	@$(CARGO) bench --package server --bench log_record

.PHONY: man
man: ## Write man pages of both programs to target/man
	@$(CARGO) run --quiet --release --bin echo-client -- man target/man
	@$(CARGO) run --quiet --release --bin echo-server -- man target/man
	@echo "The pages are in target/man; show one with: man -l target/man/echo-server.1"

.PHONY: deb
deb: ## Build packages for Debian and its relatives: target/debian/*.deb
	@CARGO="$(CARGO)" scripts/package.sh deb

.PHONY: rpm
rpm: ## Build packages for Fedora and its relatives: target/generate-rpm/*.rpm
	@CARGO="$(CARGO)" scripts/package.sh rpm

.PHONY: picture
picture: ## Draw the README's terminal from the programs' real output: docs/terminal.svg
	@$(CARGO) build --release --bin echo-server --bin echo-client
	@scripts/readme-picture.py "$(PROGRAMS)"

.PHONY: install
install: ## Install both programs with cargo
	$(CARGO) install --locked --path server
	$(CARGO) install --locked --path client

.PHONY: clean
clean: ## Remove all build output
	$(CARGO) clean
