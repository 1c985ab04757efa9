# SPDX-License-Identifier: Apache-2.0
# The one door. On a fresh machine `make test` needs Python 3.11 or later, Rust 1.89 or later and a C compiler, no more.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CARGO ?= cargo
FUZZ_SECONDS ?= 60
SEEDS ?= 10000
# Later releases of clippy know more lints: what this one finds is an error, what others find a warning.
CLIPPY := 0.1.95
LINTS = $(if $(findstring clippy $(CLIPPY),$(shell $(CARGO) clippy --version)),-D warnings)

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust/crates -name '*.rs' -o -name Cargo.toml)
TOOLS := $(VENV)/.tools
TEST_TOOLS := $(VENV)/.test-tools
CHECK_TOOLS := $(VENV)/.check-tools
PROTO_TOOLS := $(VENV)/.proto-tools
BUILT := $(VENV)/.built

# For our own environment alone: chaincodes and other implementations need other versions than ours.
$(TOOLS) $(TEST_TOOLS) $(CHECK_TOOLS) $(PROTO_TOOLS) $(BUILT): export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: help build demo test test-rust test-python bench check protos fuzz simulate interop emulated clean

help:
	@echo "make build    the fastledger command, in $(BIN)"
	@echo "make demo     a network walked through, its ledger and a real Fabric one validated"
	@echo "make test     all tests"
	@echo "make bench    ours beside real Fabric where Go is there, with a report; milliseconds per stage"
	@echo "make check    formatting, lints, types, layers, dependencies"
	@echo "make protos   the Python modules of protos/, generated again"
	@echo "make fuzz     every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) seconds"
	@echo "make simulate Raft clusters from SEEDS=$(SEEDS) seeds, under every fault; prints those that fail"
	@echo "make interop  comparisons with other implementations, which it fetches; says what it skips"
	@echo "make emulated the core's tests on other processors, played by qemu; says what it skips"
	@echo "make clean    removes what was built"

build: $(BUILT)

$(TOOLS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fastledger needs Python 3.11 or later; set PYTHON to one"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --group build
	@touch $@

$(TEST_TOOLS): $(TOOLS)
	$(BIN)/pip install --quiet --group test
	@touch $@

$(CHECK_TOOLS): $(TOOLS)
	$(BIN)/pip install --quiet --group check
	@touch $@

$(PROTO_TOOLS): $(TOOLS)
	$(BIN)/pip install --quiet --group protos
	@touch $@

# The Python sources are used in place; only the core is built.
$(BUILT): $(TOOLS) $(RUST_SOURCES)
	@$(BIN)/python tools/toolchain.py
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked --quiet --extras report
	@touch $@

demo: build
	@$(BIN)/python examples/demo.py

test: test-rust test-python

# In release mode, because it shares what `build` has built and the ledgers replay fifty times as fast.
test-rust: $(TOOLS)
	@$(BIN)/python tools/toolchain.py
	$(CARGO) test --workspace --release --locked --quiet

test-python: build $(TEST_TOOLS)
	$(BIN)/pytest

bench: build $(TEST_TOOLS)
	$(BIN)/python benches/compare.py --out target/bench
	$(BIN)/python benches/orderers.py --out target/bench
	$(BIN)/python benches/replay.py
	$(BIN)/python benches/subscribers.py
	$(BIN)/pytest benches --benchmark-columns=min,median,ops --benchmark-disable-gc

check: build $(CHECK_TOOLS) $(PROTO_TOOLS)
	@$(BIN)/python tools/toolchain.py rustc cargo rustfmt cargo-clippy
	$(CARGO) fmt --all --check
	@$(if $(LINTS),,echo "note: another clippy than $(CLIPPY): what it finds is shown, and is no error")
	$(CARGO) clippy --workspace --all-targets --locked --quiet -- $(LINTS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.toml
	$(BIN)/lint-imports
	$(BIN)/stubtest fastledger._core
	$(BIN)/python protos/generate.py --check
	@if ! command -v cargo-deny >/dev/null; then \
		echo "skipped: crates' advisories and bans need cargo-deny (cargo install --locked cargo-deny)"; \
	elif $(CARGO) deny fetch db >/dev/null 2>&1; then \
		$(CARGO) deny --locked check; \
	else \
		echo "skipped: crates' advisories, whose database cannot be fetched here"; \
		$(CARGO) deny --locked check licenses bans sources; fi

protos: $(PROTO_TOOLS)
	$(BIN)/python protos/generate.py

fuzz:
	@command -v cargo-fuzz >/dev/null || { echo "fuzzing needs cargo-fuzz: cargo install cargo-fuzz"; exit 1; }
	@$(CARGO) +nightly --version >/dev/null 2>&1 || \
		{ echo "fuzzing needs a nightly toolchain: rustup toolchain install nightly"; exit 1; }
	cd rust/fuzz && $(CARGO) run --quiet --release --example seeds
	for target in $$($(CARGO) +nightly fuzz list --fuzz-dir rust/fuzz); do \
		$(CARGO) +nightly fuzz run --fuzz-dir rust/fuzz $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=25 -rss_limit_mb=4096 || exit 1; done

simulate:
	$(CARGO) run --release --locked --quiet --package fastledger-raftsim --example simulate -- $(SEEDS)

interop: build $(TEST_TOOLS) $(PROTO_TOOLS)
	test -x .venv-interop/bin/python || $(PYTHON) -m venv .venv-interop
	.venv-interop/bin/pip install --quiet hyperledger-fabric-protos fabric-chaincode-python
	FASTLEDGER_INTEROP=1 FABRIC_PYTHON=$(abspath .venv-interop/bin/python) \
		$(BIN)/pytest tests/conformance/test_protos_descriptors.py tests/interop
	@echo "not compared yet: Fabric's CA"

emulated: $(TOOLS)
	@$(BIN)/python tools/toolchain.py
	@$(BIN)/python tools/emulated.py

clean:
	rm -rf $(VENV) .venv-interop target build rust/fuzz/target python/fastledger/*.so
