# make demo · make test · make gpu · make check · make docs · make dist     (VENV=elsewhere keeps the environment there)

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DEMO ?= build/demo

.PHONY: help demo test browser slow gpu check lint types pages docs dist setup clean

help:
	@echo "make demo   set up, build made-up rooms, train on half of their labels for minutes, score, draw"
	@echo "make test   set up and run all tests (minutes); make slow runs the long ones"
	@echo "make gpu    what only a card can show, in nine minutes; the page is gpu.md"
	@echo "make check  formatting, lint, types, import rules, documentation"
	@echo "make dist   wheel and source distribution in dist/, tried in an environment of their own"
	@echo "make docs   the documentation, in docs/_build/html"

# The environment is made again whenever pyproject.toml changes; the stamp says that it is whole.
$(VENV)/.stamp: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	touch $@

# An environment that was made for another checkout is pointed at this one.
setup: $(VENV)/.stamp
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .

demo: setup
	$(BIN)/mtdata build --dataset rooms --images 400,100 --regime random --out $(DEMO)/rooms.h5 --resume
	$(BIN)/mttrain --recipe rooms-demo --data $(DEMO)/rooms.h5 --out $(DEMO)/run --overwrite
	$(BIN)/mtmodels eval $(DEMO)/run --split test
	@echo "score table       $(DEMO)/run/scores/test-mtpsl.json"
	@echo "training curves   $(DEMO)/run/curves.png"
	@echo "predictions       $(DEMO)/run/predictions/"
	@echo "all on one page   $(DEMO)/run/report.html"

test: setup
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "not slow" \
		-o tmp_path_retention_policy=failed  # what a test that passed wrote is gigabytes in all

# Pages are tested in a browser. Where none is, Debian's is installed if that needs no password.
browser:
	@for name in chromium chromium-browser google-chrome; do \
		if command -v $$name > /dev/null; then exit 0; fi; \
	done; \
	test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
		&& (timeout 300 sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get \
		-q -y install --no-install-recommends chromium') > /dev/null 2>&1 \
		|| echo "No browser: tests of pages are skipped. Debian's package is chromium."

slow: setup browser
	$(BIN)/python -m pytest -q -m slow -o tmp_path_retention_policy=failed

gpu: setup
	$(BIN)/python -m benchmarks.gpu --out gpu.md

check: setup
	@$(MAKE) --no-print-directory --output-sync --jobs 2 types pages lint

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

pages:
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

docs: setup
	$(BIN)/sphinx-build -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# The wheel is made from the source distribution, so that both are tried. PyTorch is installed anew.
dist: setup
	rm -rf dist build/bare
	PROJECT_ADDRESS=$(ADDRESS) $(BIN)/python -m build --outdir dist .
	$(BIN)/python -m venv build/bare
	build/bare/bin/python -m pip install --quiet dist/*.whl
	cd build && bare/bin/python ../tests/processes/tried.py bare/bin

clean:
	rm -rf build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
