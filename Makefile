# `make demo` and `make test` do all their own set-up on a fresh Debian machine with a Swift toolchain.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test check faults bench plots peers deps test-deps bench-deps format

release := .build/release/martlet
# One file to copy, and a command that starts in half the time: measured 25 ms with the runtime's libraries loaded, 13 without.
release_flags := -c release --static-swift-stdlib
strict := MARTLET_WARNINGS_AS_ERRORS=1

demo: deps
	swift build $(release_flags) --product martlet
	Examples/demo/run $(release)

# What matters most comes first. One suite after another: each runs its own tests side by side, and all of them at once
# would only wait for each other.
suites := MartletStoreTests MartletSQLiteTests MartletPostgresTests MartletPQTests MartletFaultTests MartletWorkerTests \
  MartletWebhooksTests MartletTests MartletTestingTests MartletAppTests MartletCoreTests

test: deps test-deps check
	@[ "$(sort $(suites))" = "$(sort $(notdir $(wildcard Tests/*Tests)))" ] \
	  || { echo "Tests/ holds other suites than the Makefile names" >&2; exit 1; }
	$(strict) swift build --build-tests
	set -e; for suite in $(suites); do $(strict) Tests/suite $$suite; done
	Tests/example
	Tests/demo $(CURDIR)
	Tests/compose
	Tests/machines
	Tests/replica
	Tests/docs

# Form, imports, warnings. Nothing is run.
check:
	swift format lint --strict --parallel --recursive Sources Tests Benchmarks Examples migrations Package.swift
	Tests/imports

# The fault suites in full doses; `make test` runs them in small ones.
faults: deps test-deps
	MARTLET_FAULT_DOSE=full swift test --filter MartletFaultTests --filter MartletPostgresTests.StressTests

# make bench CASES="pg.drain sqlite" RUNS=3 MINUTES=10 JSON=bench.json
bench: deps test-deps $(if $(CASES),$(if $(filter pg sqlite pg.peers% sqlite.peers%,$(CASES)),peers),peers)
	swift build $(release_flags)
	.build/release/MartletBench $(if $(RUNS),--runs $(RUNS)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(JSON),--json $(JSON)) $(CASES)

# make plots REPORTS="one.json two.json": the pictures of the README, from reports of the bench.
plots: peers
	.build/peers/bin/python -B Benchmarks/plots/draw.py $(REPORTS)

# Other queues, from PyPI, that the bench measures beside ours; and what draws the plots.
peers: .build/peers/installed
.build/peers/installed: Benchmarks/peers/requirements.txt | bench-deps
	python3 -m venv .build/peers
	.build/peers/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

format:
	swift format --in-place --parallel --recursive Sources Tests Benchmarks Examples migrations Package.swift

# The headers of SQLite and libpq, where they are missing.
deps: packages := libsqlite3-dev libpq-dev
# Servers, which the tests start themselves, what makes certificates and other machines' networks for them, YAML, and a
# client for a documented example.
test-deps: packages := postgresql pgbouncer openssl iproute2 python3-yaml python3-psycopg
bench-deps: packages := python3-venv
deps test-deps bench-deps:
	@for package in $(packages); do \
	  dpkg-query -W -f='$${Status}\n' $$package 2>/dev/null | grep -q 'ok installed' \
	    || { apt-get update -qq && apt-get install -y -qq $$package; }; done
