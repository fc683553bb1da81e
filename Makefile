# Every target makes what it needs; a second call does not make it again.
# The Pythons that batchscore is tested on. The oldest that runs here makes the environments: it is the one of clusters
# (EMR, Glue), and what it lacks shows while one works. PYTHON names another; environments of one that was are made anew.
PYTHONS := 3.11 3.12 3.13
PYTHON ?= $(or $(FOUND_3.11),$(FOUND_3.12),$(FOUND_3.13))
# The Python of the packed environment, which is that of the cluster's nodes, whatever .venv has.
DIST_PYTHON ?= $(or $(FOUND_3.11),$(PYTHON))
# What the cluster's environment holds beside batchscore: the model's library, in the version of training.
DIST_EXTRAS ?= sklearn
DIST_REQUIREMENTS ?=
# The versions of what the archive holds: those that were tested, unless DIST_REQUIREMENTS asks for some of its own.
DIST_CONSTRAINTS ?= $(if $(DIST_REQUIREMENTS),,constraints.txt)
# Where the cluster's nodes have that Python, if not where this machine has it: /usr on EMR.
DIST_PYTHON_PREFIX ?=
# Libraries whose own tests stay out of the archive: a quarter of its files, and each executor unpacks them all.
DIST_WITHOUT_TESTS_OF ?= numpy pandas scipy sklearn
# Arguments of the benchmark, as docs/performance.md has them.
BENCH ?=
# How often a soak repeats each fault, and how many random schedules of faults it draws.
SEEDS ?= 20

# The lowest versions that setup.cfg has of models' libraries, and of numpy, for which the lowest LightGBM was made.
LOWEST := $(shell sed -nE 's/^ +(numpy|scikit-learn|lightgbm|xgboost-cpu) >= ([0-9.]+),.*/\1==\2.*/p' setup.cfg | sort -u)
LOWEST_EXTRAS := .[local,sklearn,lightgbm,xgboost,catboost]
LOWEST_TESTS := $(addprefix tests/models/,test_kinds.py test_flavors.py test_encoders.py test_model_facts.py) \
	tests/agreement/test_models.py

# Two files of tests beside each other, folder by folder, so that the files of a folder share its Spark session.
BESIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

# One whole job, of which the other Pythons of workers and driver are to show that they do the same.
A_JOB := tests/e2e/test_main_job.py::test_every_score_is_that_of_the_model_called_directly

# Where this is set, as in many images, every process of a test would compile its libraries anew: seconds each.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
BIN_BENCH := .venv-bench/bin
SOURCES := $(shell find src jobs -name '*.py')
# constraints.txt has room for one pyspark, so that of EMR 7 and Glue 5 is pinned here. It knows no Python after 3.11.
PYSPARK35 := pyspark==3.5.9

# Where what comes as its sources alone is built, once for all environments.
WHEELS := .venv-uv/wheels

# Those of the Pythons that run here.
HERE = $(foreach version,$(PYTHONS),$(if $(FOUND_$(version)),$(version)))

# Those that are not that of .venv.
OTHERS = $(filter-out $(call version,$(PYTHON)),$(PYTHONS))

# The path of a Python that runs here: one on the PATH, or one that pyenv keeps, whose commands on the PATH can be asleep.
# FOUND_3.11 and so on are looked up when they are first asked for, and once.
find-python = $(shell for python in python$(1) "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(1).*/bin/python$(1); do \
	"$$python" -c 'import ensurepip, os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null && break; done)
$(foreach version,$(PYTHONS),$(eval FOUND_$(version) = $$(eval FOUND_$(version) := $$(call find-python,$(version)))$$(FOUND_$(version))))
# The version and the path of a Python, whatever it was called by.
identity = $(shell "$(1)" -c 'import os, sys; print("%d.%d" % sys.version_info[:2], os.path.realpath(sys.executable))' 2>/dev/null)
version = $(firstword $(call identity,$(1)))

.DEFAULT_GOAL := help
.PHONY: help install constraints demo test test-browser test-spark35 test-pythons test-lowest test-on-the-lowest yarn \
	test-on-yarn check fmt unit soak soak-fuzz bench dist clean need-python need-dist-python need-java FORCE
# One target after the other: environments write the same src/batchscore.egg-info, and tests have the cores to themselves.
# But for what is asked for together, with what it needs there, as each of it keeps one core busy.
ifndef TOGETHER
.NOTPARALLEL:
endif
together = $(MAKE) --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) TOGETHER=yes $(1)

help: ## Print the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/installed ## Make the environment for work on this machine in .venv

constraints: .venv-uv/installed ## Make constraints.txt anew: the newest versions that setup.cfg allows
	.venv-uv/bin/uv pip compile --quiet --upgrade --universal --python-version $(firstword $(PYTHONS)) --no-annotate \
		--custom-compile-command 'make constraints' --extra dev --extra bench --output-file constraints.txt setup.cfg

demo: .venv/installed need-java ## Train and register a model, score two files with it, and show the results
	@rm -rf demo
	@$(BIN)/python jobs/register_demo_model.py
	@echo; echo "== batchscore verify"
	@$(BIN)/batchscore verify --config conf/local.yaml id=demo
	@echo; echo "== batchscore run"
	@$(BIN)/batchscore run --config conf/local.yaml id=demo > demo/summary.json
	@echo; echo "== the summary"
	@$(BIN)/python -m json.tool demo/summary.json
	@echo; echo "== batchscore results: the customers most likely to say yes"
	@$(BIN)/batchscore results demo --top 5 --columns name,phone,score --config conf/local.yaml
	@echo; echo "== batchscore describe"
	@$(BIN)/batchscore describe demo --config conf/local.yaml
	@echo; echo "== the page of the job, to open in a browser: demo/output/batch-prediction/demo.report.html"

# A cache of this project's own, whose classes let the sessions of tests start in half the time.
.venv/cache/warm: .venv/installed | need-java
	@rm -rf $(@D) && XDG_CACHE_HOME=$(abspath $(@D)) $(BIN)/batchscore warm && touch $@

test: check need-java ## Run all checks and tests
	@$(call together,dist/environment.tar.gz .venv/cache/warm)
	XDG_CACHE_HOME=$(abspath .venv/cache) $(BIN)/python -m pytest $(BESIDE) --ignore tests/browser --ignore tests/yarn
	@$(MAKE) --no-print-directory test-browser
	@$(if $(filter 3.11,$(call version,$(DIST_PYTHON))), \
		$(MAKE) --no-print-directory test-spark35, \
		echo "Spark 3.5: skipped, it takes Python 3.11, and DIST_PYTHON is $(DIST_PYTHON)")

test-browser: .venv/installed ## Run the tests of the page in a headless Chromium, where one is here
	XDG_CACHE_HOME=$(abspath .venv/cache) $(BIN)/python -m pytest --numprocesses 2 tests/browser

test-spark35: .venv-spark35/installed need-java
	.venv-spark35/bin/python -m pytest $(BESIDE) tests/e2e/test_main_job.py tests/e2e/test_api.py

test-pythons: need-python need-java ## Run a job, and on the oldest and newest the unit tests, on the other Pythons that are here
	@$(foreach version,$(OTHERS),$(if $(FOUND_$(version)), \
		$(MAKE) --no-print-directory .venv-$(version)/installed, \
		echo "Python $(version): skipped, none runs here") &&) true
	@$(call together,$(foreach version,$(OTHERS),$(if $(FOUND_$(version)),test-on-$(version))) need-java)

# What a Python between the oldest and the newest lacks, one of them lacks too: there a job shows that the libraries work.
test-on-%: .venv-%/installed need-java
	HYPOTHESIS_PROFILE=brief .venv-$*/bin/python -m pytest $(BESIDE) $(A_JOB) \
		$(if $(filter $*,$(firstword $(HERE)) $(lastword $(HERE))),tests/unit)

test-lowest: need-python ## Run the tests of models on the lowest versions of their libraries, which know Python 3.11
	@$(if $(FOUND_3.11),$(MAKE) --no-print-directory test-on-the-lowest, \
		echo "Lowest versions: skipped, they take Python 3.11, and none runs here")

test-on-the-lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest $(BESIDE) -W default $(LOWEST_TESTS)

yarn: .venv/installed need-java ## Run jobs on YARN, whose servers Maven fetches; a line where it cannot
	@$(if $(filter 3.11,$(call version,$(DIST_PYTHON))),$(MAKE) --no-print-directory .venv-spark35/installed)
	@$(BIN)/python -m tests.yarn.jars
	@[ ! -e .yarn/complete ] || $(MAKE) --no-print-directory test-on-yarn

test-on-yarn: dist/environment.tar.gz
	$(BIN)/python -m pytest --numprocesses 2 tests/yarn

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
	rm -rf .venv .venv-* .yarn .bench .settings build dist demo src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse

# $(call environment,folder,python,what to install): an environment that holds that alone, in the versions of constraints.txt.
define environment
"$(2)" -m venv --clear $(1)
$(call pip-install,$(1),--constraint $(or $(4),constraints.txt) --editable $(3))
@touch $(1)/installed
endef

# $(call pip-install,environment,arguments of both): uv takes a third of pip's time, and unpacks what several environments
# share once; pip knows indexes that uv is not told of. --compile is what pip does unasked: an environment that is tested
# alone compiles what it imports, which is less.
pip-install = .venv-uv/bin/uv pip install --quiet --find-links $(WHEELS) --python $(1)/bin/python $(2) || \
	$(1)/bin/pip install --quiet --disable-pip-version-check --find-links $(WHEELS) $(2)

.venv/installed: setup.cfg pyproject.toml constraints.txt .settings/python | need-python $(WHEELS)/built
	$(call environment,.venv,$(PYTHON),'.[dev]' --compile)
	$(BIN)/python -m compileall -q src

.venv-3.%/installed: setup.cfg pyproject.toml constraints.txt .settings/python-3.% | $(WHEELS)/built
	$(call environment,$(@D),$(FOUND_3.$*),'.[dev]')

.venv-bench/installed: setup.cfg pyproject.toml constraints.txt .settings/python | need-python $(WHEELS)/built
	$(call environment,.venv-bench,$(PYTHON),'.[bench]' --compile)

.venv-spark35/installed: setup.cfg pyproject.toml constraints.txt .settings/dist-python | need-dist-python $(WHEELS)/built
	@mkdir -p build
	grep -vE '^(pyspark|py4j)==' constraints.txt > build/constraints-spark35.txt
	$(call environment,.venv-spark35,$(DIST_PYTHON),'.[local]' $(PYSPARK35) pytest pytest-timeout pytest-xdist,build/constraints-spark35.txt)

.venv-lowest/installed: setup.cfg pyproject.toml constraints.txt .settings/python-3.11 | $(WHEELS)/built
	@mkdir -p build
	grep -vE '^(numpy|scipy|scikit-learn|skops|lightgbm|xgboost-cpu)==' constraints.txt > build/constraints-lowest.txt
	$(call environment,.venv-lowest,$(FOUND_3.11),'$(LOWEST_EXTRAS)' $(LOWEST:%='%') \
		hypothesis psutil pytest pytest-timeout pytest-xdist,build/constraints-lowest.txt)

.venv-uv/installed: .settings/python | need-python
	"$(PYTHON)" -m venv --clear .venv-uv
	.venv-uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@touch $@

# PySpark's wheel takes half a minute.
$(WHEELS)/built: constraints.txt .venv-uv/installed
	@rm -rf $(@D) && mkdir $(@D)
	.venv-uv/bin/pip wheel --quiet --disable-pip-version-check --no-deps --constraint $< --wheel-dir $(@D) pyspark || \
		echo "PySpark's wheel could not be built: each environment builds its own"
	@touch $@

# Compiled: the containers of a cluster would do it each time they have unpacked it.
dist/environment.tar.gz: setup.cfg pyproject.toml constraints.txt $(SOURCES) .settings/dist | .venv/installed $(WHEELS)/built need-dist-python
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	"$(DIST_PYTHON)" -m venv build/environment
	$(call pip-install,build/environment,--compile $(DIST_CONSTRAINTS:%=--constraint %) \
		"$$(ls dist/batchscore-*.whl)[$(DIST_EXTRAS)]" $(DIST_REQUIREMENTS))
	$(if $(DIST_PYTHON_PREFIX),find build/environment/bin -name 'python*' -lname '/*' -exec \
		ln -sfn $(DIST_PYTHON_PREFIX)/bin/python$(call version,$(DIST_PYTHON)) {} ';')
	$(BIN)/venv-pack --quiet --prefix build/environment --output $@ \
		$(DIST_WITHOUT_TESTS_OF:%=--exclude 'lib/python3.*/site-packages/%/*tests/*')
	chmod 644 $@
	rm -rf build

# Files that change when what they hold does, so that what was made with something else is made again.
SETTINGS_python = $(call identity,$(PYTHON))
$(foreach version,$(PYTHONS),$(eval SETTINGS_python-$(version) = $$(FOUND_$(version))))
SETTINGS_dist-python = $(call identity,$(DIST_PYTHON))
SETTINGS_dist = $(SETTINGS_dist-python) $(DIST_EXTRAS) $(DIST_REQUIREMENTS) $(DIST_CONSTRAINTS) $(DIST_PYTHON_PREFIX) $(DIST_WITHOUT_TESTS_OF)
.settings/%: FORCE
	@mkdir -p .settings
	@echo '$(SETTINGS_$*)' | cmp -s - $@ || echo '$(SETTINGS_$*)' > $@

FORCE:

need-python:
	@$(call need,PYTHON)

need-dist-python:
	@$(call need,DIST_PYTHON)

# $(call need,variable): say what is missing where the variable names no Python that can make an environment.
define need
if [ -z "$($(1))" ]; then \
	echo "$(1): expected one of python3.11, python3.12 and python3.13 with its venv module, got none that runs here:" \
		"install one, or call make $(1)=/path/to/python"; exit 1; \
elif ! "$($(1))" -c 'import sys' 2>/dev/null; then \
	echo "$(1) $($(1)): expected a Python, got a command that does not run: call make $(1)=/path/to/python"; exit 1; \
elif ! "$($(1))" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	echo "$(1) $($(1)): expected Python 3.11 or later, got $(call version,$($(1)))"; exit 1; \
elif ! "$($(1))" -c 'import ensurepip' 2>/dev/null; then \
	echo "$(1) $($(1)): expected one with its venv module, got one without ensurepip: install python$(call version,$($(1)))-venv"; exit 1; \
fi
endef

need-java:
	@"$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version >/dev/null 2>&1 || \
		{ echo "batchscore needs Java 17: install openjdk-17-jre-headless, or set JAVA_HOME"; exit 1; }
