# A thin front: what a target does is in scripts/ and in cargo.

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Build and run the demo; DEMO_SECONDS=n ends it after n seconds
	@scripts/demo

.PHONY: test
test: ## Set up what the tests need and pass them; this is what CI runs
	@scripts/test

.PHONY: campaign-files
campaign-files: ## Kill the release binary 200 times over a million rows, and compare
	@scripts/campaign-files

.PHONY: campaign-kafka
campaign-kafka: ## The same between topics of real Kafka brokers, at every step; they die too
	@scripts/campaign-kafka

.PHONY: campaign-sql
campaign-sql: ## Play 1000 queries made by chance, in every way, against Flink's answers
	@scripts/campaign-sql

.PHONY: setup
setup: ## Install what building and testing need
	@scripts/setup

.PHONY: build
build: setup ## Build target/release/thalweg
	@cargo build --release

.PHONY: fmt
fmt: ## Lay the code out
	@cargo fmt --all

.PHONY: bench
bench: ## Measure state, checkpoints and throughput; figures go to bench/results
	@scripts/bench

.PHONY: bench-quick
bench-quick: ## The same with small sizes, to see that it works
	@scripts/bench --quick

.PHONY: bench-check
bench-check: ## Fail if a hot path needs 3 % more instructions than bench/instructions.txt says
	@scripts/bench-check

.PHONY: nexmark-data
nexmark-data: ## Write NEXMARK_EVENTS (1000000) events as JSON lines, flat and nested
	@scripts/nexmark-data

.PHONY: oracle
oracle: ## Evaluate tests/sql/functions with Flink itself again; fail if a kept answer is not Flink's
	@scripts/oracle check

.PHONY: campaign-fuzz
campaign-fuzz: ## Run each fuzzer for FUZZ_SECONDS seconds (60); FUZZ_ONLY=programs: SQL made of the project's
	@scripts/fuzz
