# The front door: each target first sets up what it needs (tools/setup.sh), then CMake and the scripts do the work.
PREFIX ?= /usr/local

release: ## build build/release/equipoise (the default)
	@tools/setup.sh build
	@mkdir -p build
	@cmake --preset release >build/release.log || { cat build/release.log; exit 1; }
	@cmake --build --preset release

test: ## run every test: unit, virtual, fuzz corpora, house rules, end to end, under sanitizers
	@tools/test.sh

demo: release ## start modelled backends and the gateway, drive a workload, end with the report (ONCE=1 ends by itself)
	@build/release/equipoise demo $(if $(ONCE),--once)

bench: release ## measure against nginx and HAProxy
	@tools/setup.sh bench
	@tools/run.sh bench/run.sh

eval: release ## judge against the data of ../shared, where it is present
	@tools/setup.sh test
	@tools/run.sh eval/run.sh ../shared

soak: release ## run for long under load and faults, and watch for leaks
	@tools/setup.sh test
	@tools/setup.sh soak
	@tools/run.sh test/soak/run.sh

lint: ## clang-tidy and cppcheck
	@tools/lint.sh

format: ## lay out the code as .clang-format says
	@tools/setup.sh format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

doc: release ## write doc/config.md from the table of the configuration's keys
	@build/release/equipoise check --help-config --markdown >doc/config.md

install: release ## install the program and its man page below PREFIX
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove everything that was built
	rm -rf build

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile
	@echo 'YES=1 installs what is missing without asking.'

.PHONY: release test demo bench eval soak lint format doc install clean help
