# Two commands: `make demo` and `make test`. Needs Python 3.11 or newer and make; the rest goes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO ?= demo
WORKERS ?= 2

.PHONY: demo test lint docs lock audit clean

demo: $(VENV)/demo.stamp
	$(BIN)/targeting demo --out $(DEMO)

# Every test, the slow ones too, with coverage of the three packages. A worker has a core: more threads of linear
# algebra wait for each other (16.9-19.4 s of CPU for two files of planners, 14.4 s with one each).
test: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=90 $(PYTEST)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The docs site in site/.
docs: $(VENV)/docs.stamp
	$(BIN)/sphinx-build -q -W --keep-going -b html docs site

# Known holes in what is locked; needs an index of advisories, and says so where there is none.
audit: $(VENV)/python.stamp
	.ci/audit $(BIN)/python

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, found $$($(PYTHON) --version); try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

# Stamps: an installed environment is installed again only when the pins or the metadata change.
# Modules are compiled when they are first imported: compiling all of them takes pip 40 s, and most are never asked for.
# pip takes nothing whose hash is not in the lock, itself and setuptools included; the lock is complete, so nothing is resolved (pip cannot pin extras).
$(VENV)/demo.stamp: $(VENV)/python.stamp pyproject.toml requirements/app.lock
	@echo "installing the locked dependencies into $(VENV) (once, a few minutes)"
	$(PIP) install --no-compile --require-hashes --no-deps -r requirements/app.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/python.stamp pyproject.toml requirements/dev.lock
	@echo "installing the locked dependencies and test tools into $(VENV) (once, a few minutes)"
	$(PIP) install --no-compile --require-hashes --no-deps -r requirements/dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $(VENV)/demo.stamp $@

# Sphinx is no part of the product: what it needs beside the locked environment is pure Python, one wheel each.
$(VENV)/docs.stamp: $(VENV)/dev.stamp requirements/docs.lock
	$(PIP) install --no-compile --require-hashes --no-deps -r requirements/docs.lock
	touch $@

# The locks from the pins of constraints.txt: every wheel that the index lists, for every platform. Needs uv.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c constraints.txt
lock:
	$(LOCK) pyproject.toml requirements/build.in --extra app -o requirements/app.lock
	$(LOCK) pyproject.toml requirements/build.in --extra dev -o requirements/dev.lock
	$(LOCK) requirements/serving.in requirements/build.in -o models/serving.lock
	$(LOCK) requirements/serving.in requirements/planner.in | awk 'NR == FNR { if (/^[^ ]/) had[$$1]; next } /^[^ ]/ { new = !($$1 in had) } new' models/serving.lock - > pipelines/planner.lock

clean:
	rm -rf $(VENV) $(DEMO) build mlartifacts mlruns mlflow.db .coverage .*_cache *.egg-info
