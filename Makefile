# Two commands for everyone: `make demo` and `make test`. Each creates .venv with the pinned set first.
#   PYTHON=python3.12       another interpreter (3.11 or newer)
#   TORCH_INDEX=https://... an extra index for torch, such as PyTorch's own index of CPU builds
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# brings another OpenCV, so it has an environment of its own; its tests run here as far as they need no MediaPipe
MEDIAPIPE := plugins/affectkit-mediapipe
MEDIAPIPE_VENV ?= .venv-mediapipe
PLUGINS := $(filter-out $(MEDIAPIPE),$(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml)))
PLUGIN_TESTS := $(wildcard plugins/*/tests)
EXTRAS := timm,hub,pandas,fast,data,train,search,export,openvino,dask,docs,dev
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
STAMP := $(VENV)/.installed
MEDIAPIPE_STAMP := $(MEDIAPIPE_VENV)/.installed

.PHONY: help install demo test test-mediapipe nightly lint types docs format bench clean

help: ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(STAMP) ## create .venv with the pinned set and every folder of plugins/ but affectkit-mediapipe

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

test-mediapipe: $(MEDIAPIPE_STAMP) ## the tests of affectkit-mediapipe, and its page, in .venv-mediapipe
	$(MEDIAPIPE_VENV)/bin/python -m pytest $(MEDIAPIPE)/tests
	$(MEDIAPIPE_VENV)/bin/python -m pytest tests/test_docs.py -k plugins/mediapipe.md

$(MEDIAPIPE_STAMP): pyproject.toml constraints.txt $(MEDIAPIPE)/pyproject.toml $(MEDIAPIPE)/constraints.txt
	$(PYTHON) -m venv $(MEDIAPIPE_VENV)
	$(MEDIAPIPE_VENV)/bin/python -m pip install --quiet $(INDEX) -c constraints.txt -c $(MEDIAPIPE)/constraints.txt \
		-e . -e ./$(MEDIAPIPE) pytest
	@touch $@

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
	rm -rf $(VENV) $(MEDIAPIPE_VENV) site demo-output .mypy_cache .pytest_cache .ruff_cache
