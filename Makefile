# demo: a scaled rehearsal of a true story, at most 3 minutes after the build (SCALE=1: the full one).
# test: formatting, lints, all tests, on real servers.
# bench: what watching costs.

SCALE ?= 0.05
SCENARIO := scenarios/package-upgrade-deletes-everything/scenario.yaml

.PHONY: demo test bench

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

test:
	fixtures/servers/get mysql:9.7 mariadb:10.11 process
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo test --quiet

bench:
	fixtures/servers/get mysql:9.7
	cargo bench --quiet --profile dev --bench overhead
