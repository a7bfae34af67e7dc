# The two commands that a newcomer needs: `make lab` and `make test`. `make` alone lists them all.
PYTHON ?= python3
BIN := .venv/bin
# Jupyter refuses to run as root unless told; in most containers there is nobody else to run it.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help setup lab tour trial test site test-all conformance soak notebooks bench mutants doctor stop lock clean purge

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:
	@$(PYTHON) tools/setup.py

lab: setup ## set up, then open JupyterLab on the first lesson
	@$(BIN)/jupyter lab $(AS_ROOT) notebooks --LabApp.default_url=/lab/tree/00_should_you_fine_tune.ipynb

tour: setup ## the whole journey without a browser: pages and record land in .local/tour
	@$(BIN)/python tools/tour.py

trial: setup ## every claim of the article, tested on this machine; goes on where an earlier run stopped
	@$(BIN)/python -m helpers.trial

site: ## the lessons as a site, with the decision page, in build/site; needs npm for Pyodide
	@$(PYTHON) website/build.py

# Two test processes side by side, one thread each: threads that share a core wait for each other.
# test_jobs and the lessons run alone: the first lets requests come late by the clock, the others train on both cores.
test: ## set up, then unit tests and every lesson, run for real
	@$(PYTHON) tools/setup.py --extra test
	@OMP_NUM_THREADS=1 $(BIN)/pytest -q --durations=15 -n 2 --dist loadfile --no-loadscope-reorder tests --ignore tests/test_jobs.py
	@$(BIN)/pytest -q --durations=15 tests/test_jobs.py notebooks

test-all: ## make test, the side trips in notebooks/extra, every world, other people's clients, llama.cpp's server, and the real browser
	@$(PYTHON) tools/setup.py --extra test
	@$(BIN)/pytest -q -m 'not soak' --extra-lessons --all-worlds

conformance: ## the local API against OpenAI's description of it; OPENAPI=PATH says where that is
	@$(PYTHON) tools/setup.py --extra test --extra conformance
	@test -f "$(OPENAPI)" || { echo "Set OPENAPI to OpenAI's description of its API: openapi.json of github.com/openai/openai-openapi, or a cut of it."; exit 2; }
	@OPENAPI="$(OPENAPI)" $(BIN)/pytest -q -s -m conformance tests/test_conformance.py

soak: ## long runs: kills, fuzzing, large property tests
	@$(PYTHON) tools/setup.py --extra test
	@$(BIN)/pytest -q -m soak tests

notebooks: ## maintainers: run the lessons again, normalise their outputs for committing, draw the pictures
	@$(PYTHON) tools/setup.py --extra test --extra maintain
	@$(BIN)/python tools/notebooks.py $(ONLY)

bench: ## maintainers: benchmarks, each prints a ratio against a named alternative
	@$(PYTHON) tools/setup.py --extra maintain
	@for b in benchmarks/[a-z]*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

mutants: ## maintainers: do the tests notice small changes? SAMPLE=120 of them by SEED=1; goes on where it stopped
	@$(PYTHON) tools/setup.py --extra test
	@$(BIN)/python tools/mutants.py --sample $(or $(SAMPLE),120) --seed $(or $(SEED),1) $(addprefix --room ,$(ROOM))

doctor: ## what works on this machine, and what to do about the rest
	@$(BIN)/python -m helpers.doctor

stop: ## stop the local fine-tuning API
	@$(BIN)/python -m helpers.providers stop

lock: ## maintainers: resolve requirements.lock again from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate --generate-hashes --constraint requirements.lock pyproject.toml --output-file requirements.hashes

clean: ## remove caches and build leftovers; never your work in .local
	@rm -rf .pytest_cache .ruff_cache .hypothesis build dist src/*.egg-info
	@find src tests notebooks tools benchmarks examples -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

purge: ## list what .local holds (models, jobs, projects, assets), ask, then remove it
	@$(PYTHON) tools/purge.py
