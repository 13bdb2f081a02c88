# `make demo` and `make test` do all their own set-up on a fresh Debian machine with a Swift toolchain.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test check faults bench deps test-deps format

release := .build/release/martlet
strict := MARTLET_WARNINGS_AS_ERRORS=1

demo: deps
	swift build -c release --product martlet
	Examples/demo/run $(release)

# What matters most comes first: what cannot work fails early.
test: deps test-deps check
	$(strict) swift build --build-tests
	$(strict) swift test --skip-build
	Tests/example
	Tests/demo $(CURDIR)

# Form, imports, warnings. Nothing is run.
check:
	swift format lint --strict --parallel --recursive Sources Tests Benchmarks Examples migrations Package.swift
	Tests/imports

# The fault suite in full doses; `make test` runs it in small ones.
faults: deps test-deps
	MARTLET_FAULT_DOSE=full swift test --filter MartletFaultTests

bench: deps
	swift build -c release
	.build/release/MartletBench

format:
	swift format --in-place --parallel --recursive Sources Tests Benchmarks Examples migrations Package.swift

# The headers of SQLite and libpq, where they are missing.
deps: packages := libsqlite3-dev libpq-dev
# A PostgreSQL server, which the tests start themselves.
test-deps: packages := postgresql
deps test-deps:
	@for package in $(packages); do \
	  dpkg-query -W -f='$${Status}\n' $$package 2>/dev/null | grep -q 'ok installed' \
	    || { apt-get update -qq && apt-get install -y -qq $$package; }; done
