# Five commands for people: demo, test, repeat, bench, lock. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -qq
RESULTS := results/mini
# Held fixed because they could reach the bytes of a result, or the network: hash order, the
# plot backend, tokenizer threads, model hubs. Compute threads: Snakemake hands each job its own.
export PYTHONHASHSEED := 0
export MPLBACKEND := Agg
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE ?= 1
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
# Real samples that some tests read; the tests say so and skip where the folder is absent.
export VLPRM_SHARED ?= $(abspath ../shared)

.PHONY: help demo test lint repeat bench lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

demo: $(VENV)/.cpu  ## the mini experiment through the whole workflow, on a laptop
	snakemake --profile profiles/mini
	@test $(RESULTS)/report.html -nt $(RESULTS)/tables/strategies.csv || \
	  snakemake --profile profiles/mini --report $(RESULTS)/report.html
	@echo
	@echo "tables   $(RESULTS)/tables/    (strategies.csv holds every number)"
	@echo "figures  $(RESULTS)/figures/"
	@echo "report   $(RESULTS)/report.html"

test: lint  ## linters, then every test
	$(PY) -m pytest

lint: $(VENV)/.test  ## ruff, mypy, import contracts, snakefmt
	ruff check .
	ruff format --check --quiet .
	mypy
	lint-imports --no-logo
	snakefmt --check --quiet Snakefile rules

repeat: $(VENV)/.cpu  ## two runs in two fresh directories, sha256 of every result compared
	$(PY) bench/repeat.py

bench: $(VENV)/.cpu  ## one measurement as a JSON line: make bench NAME=mini_strategies
	@test -f "bench/$(NAME).py" || { echo "NAME is one of: $$(cd bench && ls [a-z]*.py | sed 's/\.py//' | grep -v '^report$$' | xargs)" >&2; exit 2; }
	@$(PY) bench/$(NAME).py

UV_COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --override no-torch.txt --custom-compile-command "make lock" --quiet
UV_IMAGE = uv pip compile --config-file images.uv.toml --python-platform x86_64-manylinux_2_28 \
  --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet
lock: $(VENV)/.uv  ## resolve envs/*.in to envs/*.lock, with hashes
	cd envs && $(UV_COMPILE) cpu.in -o cpu.lock && $(UV_COMPILE) test.in -o test.lock
	cd envs && for name in inference train flash-attn; do $(UV_IMAGE) $$name.in -o $$name.lock; done

clean:  ## remove the environment, the results and every cache
	rm -rf $(VENV) results logs .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The environment: made anew whenever a lock changes, so that it holds what the lock says.
$(VENV)/.cpu: envs/cpu.lock envs/torch-cpu.txt envs/find_python.sh
	@python="$$(bash envs/find_python.sh)"; \
	  echo "environment: $(VENV) with $$($$python --version), from envs/cpu.lock (some minutes)"; \
	  $$python -m venv --clear $(VENV)
	$(PIP) install --no-deps --require-hashes -r envs/cpu.lock
	$(PIP) install -r envs/torch-cpu.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(PIP) check
	@touch $@

$(VENV)/.test: $(VENV)/.cpu envs/test.lock
	$(PIP) install --no-deps --require-hashes -r envs/test.lock
	@touch $@

$(VENV)/.uv: $(VENV)/.cpu
	$(PIP) install uv==0.13.9
	@touch $@
