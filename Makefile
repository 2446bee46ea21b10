# Each target sets up .venv by itself. `make help` lists them.

PYTHON ?= python3
PORT ?= 5000
# Not /bin/sh: make 3.81, which macOS has, would then look commands up before it knows PATH. dvc uses it too.
SHELL := /bin/bash
export SHELL
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true

# A folder of data sets beside the checkout serves as the mirror.
ifneq ($(wildcard ../shared/datasets),)
export REPROLAB_MIRROR ?= $(abspath ../shared/datasets)
endif

.DEFAULT_GOAL := help
.PHONY: help install run repro experiments ui test test-slow test-browser test-postgres torture format lint bench bench-full bench-searches bench-training measure verify results prune lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## create .venv with the locked packages

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "reprolab needs Python 3.11.4 or later; this is %d.%d.%d. Set PYTHON=..." % sys.version_info[:3])'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --requirement requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

run: install  ## the quick start: train, evaluate and compare on digits, which needs no download
	@dvc repro compare@digits || { reprolab check >/dev/null; exit 1; }
	@reprolab sync || echo 'The results are in files all the same.'
	@echo && cat metrics/comparison/digits.md
	@echo && echo 'Against the results that were committed:'
	@reprolab verify --committed digits-mlp digits-lenet5
	@echo
	@echo 'Next:'
	@echo '  make ui                                   look at the runs in MLflow'
	@echo '  . .venv/bin/activate                      then use dvc directly:'
	@echo '  dvc exp run -S experiments.digits-mlp.training.optimizer.lr=0.01 compare@digits'
	@echo '  make experiments                          compare it with what was there'
	@echo '  dvc repro evaluate@lenet5-classic         LeNet-5 on MNIST, a few minutes'

repro: install  ## bring every result up to date; what fails or lacks its weights stands as "not run"
	reprolab check
	reprolab remember
	dvc repro --keep-going || { dvc repro --single-item compare; reprolab sync; exit 1; }
	reprolab sync || echo 'The results are in files all the same.'

experiments: install  ## what each `dvc exp run` changed, and the test accuracies it moved
	dvc exp show --only-changed --drop '(?!Experiment|experiments|datasets|.*test\.json:accuracy$$)'

ui: install  ## MLflow's pages on http://127.0.0.1:5000 (PORT=... for another port)
	@reprolab ui --port $(PORT)

test: lint  ## lint, types, unit tests and the pipeline from end to end on digits
	PYTHONWARNDEFAULTENCODING=1 pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-slow: install  ## the checks that need the real MNIST and minutes
	dvc repro download@mnist
	pytest -m slow

test-browser: install  ## MLflow's pages in Chromium (Debian's, installed here); screenshots in .reprolab/screenshots
	command -v chromedriver >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; }
	python -c 'import selenium' 2>/dev/null || pip install --quiet selenium
	pytest -m browser

test-postgres: install  ## eight writers to an MLflow server on PostgreSQL (Debian's, installed here)
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq postgresql; }
	python -c 'import psycopg2' 2>/dev/null || pip install --quiet psycopg2-binary
	pytest -m postgres

torture: install  ## kill and break what a run stands on, for an hour; says how much survived (TORTURE=... of each kind)
	REPROLAB_FUZZ=3400 pytest tests/test_fuzzing.py
	pytest -m torture -s

format: install  ## ruff on the code, and params.yaml as `dvc exp run -S` writes it
	ruff format .
	reprolab format

lint: install  ## ruff, mypy, and which room may import which
	ruff check .
	ruff format --check .
	mypy
	lint-imports

bench: install  ## measure what the pipeline itself costs (BASE=... beside an earlier revision)
	python benchmarks/idle_repro.py $(if $(BASE),--base $(BASE))
	python benchmarks/startup.py
	python benchmarks/tracking.py
	python benchmarks/grid.py

bench-training: install  ## measure training beside the loop of the lab sheets; writes docs/benchmarks.md (quiet machine)
	dvc repro split@mnist split@cifar10
	python benchmarks/training.py

bench-full: bench bench-training bench-searches  ## all benchmarks, one after another (an hour on a quiet machine)

bench-searches: install  ## a random search beside Bayesian ones on the same budget; writes docs/searches.md
	dvc repro split@mnist900
	python benchmarks/searches.py

measure: install  ## measure what every architecture costs on this machine, trained or not
	dvc repro split
	reprolab measure

verify: install  ## train and evaluate the quick start's experiments again, and say what differs (EXPERIMENTS=...)
	reprolab verify $(or $(EXPERIMENTS),digits-mlp digits-lenet5)

results: install  ## write the tables into the README and docs
	reprolab results

prune: install  ## remove results that params.yaml no longer names, and trainings that nothing uses
	reprolab prune

lock: install  ## resolve the newest packages into requirements.lock
	uv pip compile --quiet --universal --upgrade --python-version 3.11.4 --extra dev --extra imagenet --no-header \
		--no-annotate pyproject.toml --output-file requirements.lock
