# Two commands for everyone: `make demo` and `make test`. Each creates .venv with the pinned set first.
#   PYTHON=python3.12       another interpreter (3.11 or newer)
#   TORCH_INDEX=https://... an extra index for torch, such as PyTorch's own index of CPU builds
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PLUGIN_TESTS := $(wildcard $(addsuffix /tests,$(PLUGINS)))
EXTRAS := timm,hub,pandas,fast,data,train,search,dask,docs,dev
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
STAMP := $(VENV)/.installed

.PHONY: help install demo test nightly lint types docs format bench clean

help: ## print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

install: $(STAMP) ## create .venv with the pinned set and every folder of plugins/

$(STAMP): pyproject.toml constraints.txt $(addsuffix /pyproject.toml,$(PLUGINS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; run make PYTHON=python3.11 (or newer)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(INDEX) -c constraints.txt -e ".[$(EXTRAS)]" $(addprefix -e ./,$(PLUGINS))
	@touch $@

demo: $(STAMP) ## render a synthetic face, and compare what is found in it with the truth
	$(BIN)/affectkit demo

test: $(STAMP) ## the tests, the plugins' too
	$(BIN)/python -m pytest -n 2 -m "not slow" tests $(PLUGIN_TESTS)

nightly: $(STAMP) ## all tests, the slow ones too
	$(BIN)/python -m pytest -n 2 tests $(PLUGIN_TESTS)

lint: $(STAMP) ## ruff, rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

docs: $(STAMP) ## build the documentation site, strict
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(STAMP) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## what the speed claims rest on
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/conformance.py

clean: ## remove what make made
	rm -rf $(VENV) site demo-output .mypy_cache .pytest_cache .ruff_cache
