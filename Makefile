# Two commands: `make demo` and `make test`. Needs Python 3.11 or newer and make; the rest goes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO ?= demo
WORKERS ?= 2

.PHONY: demo test lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/targeting demo --out $(DEMO)

# Every test, the slow ones too, with coverage of the three packages.
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=90 $(PYTEST)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, found $$($(PYTHON) --version); try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

# Stamps: an installed environment is installed again only when the pins or the metadata change.
$(VENV)/demo.stamp: $(VENV)/python.stamp pyproject.toml constraints.txt
	@echo "installing the pinned dependencies into $(VENV) (once, a few minutes)"
	$(PIP) install -c constraints.txt -e '.[app]'
	touch $@

$(VENV)/dev.stamp: $(VENV)/python.stamp pyproject.toml constraints.txt
	@echo "installing the pinned dependencies and test tools into $(VENV) (once, a few minutes)"
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $(VENV)/demo.stamp $@

clean:
	rm -rf $(VENV) $(DEMO) build mlartifacts mlruns mlflow.db .coverage .*_cache *.egg-info
