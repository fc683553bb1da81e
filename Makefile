# Every target makes what it needs; a second call does not make it again.
PYTHON ?= python3.11
# What the cluster's environment holds beside batchscore: the model's library, in the version of training.
DIST_EXTRAS ?= sklearn
DIST_REQUIREMENTS ?=
# Where the cluster's nodes have Python 3.11, if not where this machine has it: /usr on EMR.
DIST_PYTHON_PREFIX ?=
# Arguments of the benchmark, as docs/performance.md has them.
BENCH ?=
# How often a soak repeats each fault, and how many random schedules of faults it draws.
SEEDS ?= 20

BIN := .venv/bin
BIN35 := .venv-spark35/bin
BIN_BENCH := .venv-bench/bin
SOURCES := $(shell find src jobs -name '*.py')

.DEFAULT_GOAL := help
.PHONY: help install demo test check fmt unit soak soak-fuzz bench dist clean need-python need-java FORCE

help: ## Print the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## Make the environment for work on this machine in .venv

demo: .venv/installed need-java ## Train and register a model, score two files with it, and show the results
	@rm -rf demo
	@$(BIN)/python jobs/register_demo_model.py
	@echo; echo "== batchscore verify"
	@$(BIN)/batchscore verify --config conf/local.yaml id=demo
	@echo; echo "== batchscore run"
	@$(BIN)/batchscore run --config conf/local.yaml id=demo > demo/summary.json
	@echo; echo "== the summary"
	@$(BIN)/python -m json.tool demo/summary.json
	@echo; echo "== the first lines of a result"
	@gzip -dc demo/output/batch-prediction/result/demo-customers-1.csv/part-00000.csv.gz | head -n 6
	@echo; echo "== the manifest"
	@cat demo/output/batch-prediction/demo.manifest; echo

test: check dist/environment.tar.gz .venv-spark35/installed need-java ## Run all checks and tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile
	$(BIN35)/python -m pytest tests/e2e/test_main_job.py

check: .venv/installed ## Run the linters, the type checker, and the check of dependencies for known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.audit

unit: .venv/installed ## Run the tests that need no Spark
	$(BIN)/python -m pytest tests/unit

soak-fuzz: .venv/installed ## Look for inputs that break what reads them, for about an hour
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest tests/unit -m hypothesis --timeout 7200

soak: .venv/installed need-java soak-fuzz ## The same, then repeat the faults of tests/faults SEEDS times, and random ones; takes hours
	BATCHSCORE_SOAK_SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/faults

bench: .venv-bench/installed need-java ## Compare with other ways of scoring: hours; BENCH='--rounds 1' and such
	$(BIN_BENCH)/python -m bench $(BENCH)

fmt: .venv/installed ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

dist: dist/environment.tar.gz ## Build the wheel and the packed environment for a cluster in dist/

clean: ## Remove what the other targets made, environments included
	rm -rf .venv .venv-spark35 .venv-bench .bench .dist-settings build dist demo src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse

.venv/installed: setup.cfg pyproject.toml | need-python
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv-spark35/installed: setup.cfg pyproject.toml | need-python
	$(PYTHON) -m venv .venv-spark35
	$(BIN35)/pip install --quiet --disable-pip-version-check --editable '.[local]' 'pyspark>=3.5.5,<3.6' 'pytest>=8.3,<10' 'pytest-timeout>=2.3,<3'
	@touch $@

.venv-bench/installed: setup.cfg pyproject.toml | need-python
	$(PYTHON) -m venv .venv-bench
	$(BIN_BENCH)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

dist/environment.tar.gz: setup.cfg pyproject.toml $(SOURCES) .dist-settings | .venv/installed
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(PYTHON) -m venv build/environment
	build/environment/bin/pip install --quiet --disable-pip-version-check \
		"$$(ls dist/batchscore-*.whl)[$(DIST_EXTRAS)]" $(DIST_REQUIREMENTS)
	$(if $(DIST_PYTHON_PREFIX),ln -sfn $(DIST_PYTHON_PREFIX)/bin/python3.11 build/environment/bin/python3.11)
	$(BIN)/venv-pack --quiet --prefix build/environment --output $@
	chmod 644 $@
	rm -rf build

# Changes when a DIST_ variable does, so that the archive is made again.
.dist-settings: FORCE
	@echo '$(DIST_EXTRAS) $(DIST_REQUIREMENTS) $(DIST_PYTHON_PREFIX)' | cmp -s - $@ || \
		echo '$(DIST_EXTRAS) $(DIST_REQUIREMENTS) $(DIST_PYTHON_PREFIX)' > $@

FORCE:

need-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "batchscore needs Python 3.11: install python3.11 with its venv module, or call make PYTHON=/path/to/python3.11"; exit 1; }

need-java:
	@"$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version >/dev/null 2>&1 || \
		{ echo "batchscore needs Java 17: install openjdk-17-jre-headless, or set JAVA_HOME"; exit 1; }
