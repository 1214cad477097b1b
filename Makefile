# What you can do here; each target installs what it lacks (as root) and says so otherwise.
binary = .build/release/tunneld

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

build:  ## build the daemon: .build/release/tunneld
	@scripts/install-dependencies build
	swift build -c release --static-swift-stdlib --product tunneld

run: build  ## run it on this host, as root
	@scripts/run $(binary)

demo: build  ## two hosts, a tunnel between them, and packets through it; with no ipip here, in user-mode Linux
	@scripts/install-dependencies demo
	@TUNNELD=$(binary) scripts/demo

playground: build  ## two hosts with traffic and faults that come and go, and the web page to look at them
	@scripts/install-dependencies playground
	@TUNNELD=$(binary) scripts/playground

test:  ## all tests: Swift's here, the system's on a real kernel
	@scripts/install-dependencies test
	@scripts/test

bench: build  ## measure, against plain C that does the same
	@scripts/install-dependencies bench
	@$(MAKE) --no-print-directory -C Benchmarks
	swift build -c release --static-swift-stdlib --product measure-history
	@Benchmarks/run --tunneld $(binary)

fmt:  ## format the Swift code
	swift format --in-place --recursive --parallel Package.swift Sources Tests migrations

lint:  ## check format, scripts and the API's description
	@scripts/install-dependencies lint
	@scripts/lint

.PHONY: help build run demo playground test bench fmt lint
