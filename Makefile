# Two commands: `make dev` shows everything at work on this machine, `make test` proves it.
#
#   make dev              sample database, issuer, both planes, a sample pipeline; stays up until Ctrl-C
#   make dev ONCE=1       the same, and ends after the pipeline: 0 only if every step met its outcome
#   make dev DATA=FOLDER  keeps its files and its audit log there
#   make test             every test
#   make lint             formatting and lints

.PHONY: dev test lint

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

lint:
	@.ci/needs lint
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
