# Two commands: `make dev` shows everything at work on this machine, `make test` proves it.
#
#   make dev              sample database, issuer, both planes, a sample pipeline; stays up until Ctrl-C
#   make dev ONCE=1       the same, and ends after the pipeline: 0 only if every step met its outcome
#   make dev DATA=FOLDER  keeps its files and its audit log there
#   make test             every test
#   make soak             a thousand kills instead of fifty (KILLS=N, SEED=N), and whatever else takes long
#   make lint             formatting and lints

.PHONY: dev test soak lint

dev:
	@.ci/needs dev
	@cargo run --locked --package postern --bin postern -- dev $(if $(filter-out 0,$(ONCE)),--once) $(if $(DATA),--data "$(DATA)")

# Everything is built in one go, so that the tests find the binary that they start and nothing is built twice.
# Not nextest: a process for each test would start a house for each test.
test:
	@.ci/needs test
	tests/clients/prepare
	cargo build --locked --workspace --all-targets
	cargo test --locked --workspace --no-fail-fast

# One after the other: each has the machine for itself.
soak:
	@.ci/needs test
	cargo build --locked --workspace --all-targets
	POSTERN_KILLS=$(or $(KILLS),1000) $(if $(SEED),POSTERN_SEED=$(SEED)) cargo test --locked --package postern-tests \
	  --test promises -- --nocapture --test-threads=1 --include-ignored kills:: soak

lint:
	@.ci/needs lint
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
