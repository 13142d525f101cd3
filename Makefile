# Commands for people: demo, test, repeat, verify, expected, bench, lock. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -qq
RESULTS := results/mini
# What keeps bytes the same is set by src/vlprm/determinism.py, for rules and commands alike.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
# Real samples that some tests read; the tests say so and skip where the folder is absent.
export VLPRM_SHARED ?= $(abspath ../shared)

.PHONY: help demo test lint repeat verify expected bench profiles lock clean

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
	$(PY) -m pytest -n 2 --no-loadscope-reorder

lint: $(VENV)/.test  ## ruff, mypy, import contracts, snakefmt
	ruff check .
	ruff format --check --quiet .
	mypy
	lint-imports --no-logo
	snakefmt --check Snakefile rules

repeat: $(VENV)/.cpu  ## two runs in two fresh directories, sha256 of every result compared
	$(PY) bench/repeat.py

verify: $(VENV)/.cpu  ## is the run of `make demo` the expected one? what differs, and from which rule on
	@vlprm manifest $(RESULTS)
	@vlprm verify $(RESULTS)/manifest.json configs/expected/mini

expected: $(VENV)/.cpu  ## write the expected manifests that `make verify` and the tests compare with, from new runs
	snakemake --profile profiles/mini
	vlprm manifest $(RESULTS) --expected configs/expected/mini
	snakemake --profile profiles/mini --configfile tests/workflow/nano.yaml
	vlprm manifest results/nano --expected configs/expected/nano

# what a bench imports decides which environment; see bench/needs.py
bench:  ## one measurement, as JSON lines (bench/README.md): make bench NAME=mini_strategies ARGS="…"
	@test -f "bench/$(NAME).py" || { echo "NAME is one of: $$(grep -l '^if __name__' bench/*.py | sed -E 's,bench/(.*)[.]py,\1,' | grep -vx needs | xargs)" >&2; exit 2; }
	@python="$$(bash envs/find_python.sh)"; held="$$($$python bench/needs.py environment $(NAME))"; \
	  $(MAKE) --no-print-directory "$(VENV)/.$$held"
	@$(PY) bench/needs.py check $(NAME)
	@$(PY) bench/$(NAME).py $(ARGS)

PROFILES = $(if $(XDG_CONFIG_HOME),$(XDG_CONFIG_HOME),$(HOME)/.config)/snakemake
profiles:  ## link profiles/ into your Snakemake profile folder: snakemake --profile pbs
	@mkdir -p "$(PROFILES)"
	@for name in local pbs slurm; do for link in $$name vlprm-$$name; do \
	  at="$(PROFILES)/$$link"; to="$(CURDIR)/profiles/$$name"; \
	  if [ "$$(readlink "$$at")" = "$$to" ]; then echo "is there  $$at"; \
	  elif [ -e "$$at" ] || [ -L "$$at" ]; then echo "kept      $$at: something else is there; use --profile vlprm-$$name or profiles/$$name"; \
	  else ln -s "$$to" "$$at" && echo "linked    $$at -> $$to"; fi; done; done

UV_COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --override no-torch.txt --custom-compile-command "make lock" --quiet
UV_IMAGE = uv pip compile --config-file images.uv.toml --python-platform x86_64-manylinux_2_28 \
  --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet
lock: $(VENV)/.uv  ## resolve envs/*.in to envs/*.lock, with hashes
	cd envs && $(UV_COMPILE) cpu.in -o cpu.lock && $(UV_COMPILE) cluster.in -o cluster.lock && $(UV_COMPILE) test.in -o test.lock
	cd envs && for name in gpu flash-attn; do $(UV_IMAGE) $$name.in -o $$name.lock; done

clean:  ## remove the environment, the results and every cache
	rm -rf $(VENV) results logs .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The environment: made anew whenever a lock changes, so that it holds what the lock says.
$(VENV)/.cpu: envs/cpu.lock envs/cluster.lock envs/torch-cpu.txt envs/find_python.sh
	@python="$$(bash envs/find_python.sh)"; \
	  echo "environment: $(VENV) with $$($$python --version), from envs/cpu.lock (some minutes)"; \
	  $$python -m venv --clear $(VENV)
	$(PIP) install --no-deps --require-hashes -r envs/cpu.lock
	$(PIP) install --no-deps --require-hashes -r envs/cluster.lock
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
