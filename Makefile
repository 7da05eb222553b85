# make demo   the sample library, the whole graph, a few answers       (Python 3.11+ is all it needs)
# make test   lint and every test                                      make ui    Dagster's web pages
# make test-fast   lint and what needs no engine, process or model, for every commit
# make bench  the benchmarks of BENCHMARKS.md                          make lock  pins anew
# make test-ui, make test-cluster   Dagster's pages in a browser; runs on a Ray cluster on this machine
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
UV = $(BIN)/uv pip install -q --python $(BIN)/python $$($(PIP) config list \
  | sed -n "s/^[^.]*[.]index-url=/--default-index /p" | tr -d "'" | head -n 1)
# torch and BLAS threads on shared cores cost more than they bring; a step runs one process a core.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: demo test test-fast suite pipeline unit test-ui test-cluster ui lint format bench lock clean

# The locks list everything, so they are installed without resolving; torch goes first, by pip and
# with its own dependencies, because those differ between its CPU and CUDA builds. The rest is put in
# place by uv from the index that pip is set to: all in all 30 CPU seconds instead of pip's 122.
define install
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and "Kadr needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.12 ..." % v)'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install -q "torch==$$(sed -n 's/^torch==//p' $(1))" -c $(1)
	$(PIP) install -q -r requirements/uv.txt
	$(UV) --no-deps -r $(1) || { echo "uv could not install; pip goes on"; $(PIP) install -q --no-deps -r $(1); }
	$(PIP) install -q --no-deps -e .
	touch $@
endef

$(VENV)/.installed: requirements/kadr.lock pyproject.toml
	@echo "installing into $(VENV): a few minutes the first time"
	@$(call install,requirements/kadr.lock)

$(VENV)/.installed-dev: requirements/dev.lock pyproject.toml
	@echo "installing into $(VENV), with what tests need: a few minutes the first time"
	@$(call install,requirements/dev.lock)
	@touch $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/kadr demo

ui: $(VENV)/.installed
	$(BIN)/kadr ui

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(VENV)/.installed-dev
	$(MAKE) -j2 --output-sync=target lint suite

# Three workers on two cores: the pipeline's tests wait for processes and servers now and then.
WORKERS ?= 3
suite: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests/pipeline tests/unit

# The habit of every commit: under two minutes on two cores.
test-fast: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" tests/unit

pipeline: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/pipeline

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/unit

# Dagster's pages in headless Chromium (apt install chromium); skipped aloud where there is none.
test-ui: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/ui

# A Ray cluster of three nodes on this machine, one of which is lost: some minutes, ten on a busy machine.
test-cluster: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/cluster

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.decode
	$(BIN)/python -m benchmarks.extract
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.topics
	$(BIN)/python -m benchmarks.topics_library
	$(BIN)/python -m benchmarks.faces
	$(BIN)/python -m benchmarks.people
	$(BIN)/python -m benchmarks.cluster --largest 100000
	$(BIN)/python -m benchmarks.validity
	$(BIN)/python -m benchmarks.tags
	$(BIN)/python -m benchmarks.tags_zero_shot
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.search_scale
	$(BIN)/python -m benchmarks.index_scale
	$(BIN)/python -m benchmarks.sql_search
	$(BIN)/python -m benchmarks.copies make --out build/copies
	$(BIN)/python -m benchmarks.copies run --out build/copies
	$(BIN)/python -m benchmarks.copies_scale --videos 10000 100000
	$(BIN)/python -m benchmarks.backfill
	$(BIN)/python -m benchmarks.overhead

lock:
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install -q -r requirements/uv.txt
	build/lock/bin/python requirements/make_locks.py build/lock/bin/uv

clean:
	rm -rf $(VENV) build
