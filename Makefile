# demo: a scaled rehearsal of a true story, 3 to 4 minutes after the build (SCALE=1: the full one).
# test: formatting, lints, all tests, on real servers.
# browser: report.html in a real browser: no error, no network, by keyboard, accessible, quick (SHOTS=DIR: with screenshots).
# bench: what watching costs; batched deletes against pt-archiver; a general and a slow log against pt-query-digest (MB=5000 for
#   5 GB); the capture proxy against a direct connection and MySQL Router.
# fuzz: each target of fuzz/ for FUZZ_SECONDS (60), with its corpus; what breaks it is kept in fuzz/artifacts (FUZZ=logs: one target).

SCALE ?= 0.05
FUZZ_SECONDS ?= 60
FUZZ ?= capture login logs script wire
SCENARIO := scenarios/package-upgrade-deletes-everything/scenario.yaml

.PHONY: demo test browser bench fuzz

# A container where an engine answers, else a server binary of this machine.
demo:
	cargo build --quiet --bin rehearse
	@if docker info >/dev/null 2>&1; then \
	    get=mysql:9.7; place="--server mysql:9.7 --sandbox container"; \
	else \
	    get=process; place="--server mariadb:10.11 --sandbox process"; \
	fi; \
	fixtures/servers/get $$get || exit 1; \
	if [ "$(SCALE)" != 1 ]; then echo "A scaled run: $(SCALE) of production's rows. \`make demo SCALE=1\` is the full one."; fi; \
	target/debug/rehearse run --scenario $(SCENARIO) --scale $(SCALE) --out rehearsal/demo $$place; \
	code=$$?; [ $$code = 1 ] || [ $$code = 0 ] || exit $$code; \
	if [ "$(SCALE)" != 1 ]; then echo "This was a scaled run ($(SCALE)): times of production's size come from \`make demo SCALE=1\`."; fi

# The gate tries the same inputs each time: what fails is the change, not luck. Other ones: PROPTEST_RNG_SEED=7 PROPTEST_CASES=20000.
test: export PROPTEST_RNG_SEED ?= 20261121
test:
	fixtures/servers/get mysql:9.7 mariadb:10.11 mariadb:11.8 process tools
	fixtures/clients/get
	fixtures/ci/get
	fixtures/upgrades/get
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo test --quiet

browser:
	cargo build --quiet --bin rehearse
	fixtures/browser/get
	target/browser/bin/python tests/browser/page.py $(if $(SHOTS),--shots $(SHOTS))

bench:
	fixtures/servers/get mysql:9.7 mysql-router:9.7 pt-archiver sysbench
	cargo bench --quiet --profile dev --bench overhead
	cargo bench --quiet --profile dev --bench archiver
	cargo bench --quiet --bench logs
	cargo bench --quiet --bench proxy

# The stable compiler has all that libFuzzer needs, behind a door that is opened here. What a run finds is kept beside the corpus
# that is part of the repository: `cargo fuzz cmin` makes of both a small one. No address sanitizer: there is no unsafe code here.
fuzz:
	@command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
	RUSTC_BOOTSTRAP=1 cargo fuzz build --sanitizer none
	@set -e; for target in $(FUZZ); do \
	    mkdir -p fuzz/found/$$target; \
	    RUSTC_BOOTSTRAP=1 nice cargo fuzz run --sanitizer none $$target fuzz/found/$$target fuzz/corpus/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=512 -max_len=4096 -print_final_stats=1; \
	done
