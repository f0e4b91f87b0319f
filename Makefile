# The two commands of the README are `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Files side by side, one process and one thread of each library for each core.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: demo test test-all faults lint types older clean

demo: .venv/installed
	HF_HUB_OFFLINE=1 $(BIN)/kosim compare quickstart --out runs/demo --overwrite

test: .venv/installed
	$(PYTEST) -m "not slow"

test-all: .venv/installed older
	$(PYTEST)

# Injected errors and kills over every operation; FAULTS="--errors 200 --kills 20 add" for less.
faults: .venv/installed
	$(BIN)/python -m tests.faults.sweep $(FAULTS)

lint: .venv/linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not follow setuptools' package_dir: it reads a tree of links with the import names.
types: .venv/linters
	mkdir -p build/types/kosim
	ln -sfn $(CURDIR)/kosim/*.py $(CURDIR)/kosim/py.typed build/types/kosim/
	for room in encoders experiments index serving; do \
		ln -sfn $(CURDIR)/$$room build/types/kosim/$$room; done
	$(BIN)/mypy

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e ".[test]"
	touch $@

.venv/linters: .venv/installed
	$(BIN)/pip install --quiet -c constraints.txt -e ".[lint]"
	touch $@

# sentence-transformers 5.1 beside the project's other packages: saved encoders must open there.
older: build/older/installed

build/older/installed: .venv/installed
	$(PYTHON) -m venv build/older
	echo $(CURDIR)/.venv/lib/python*/site-packages > \
		$$(echo build/older/lib/python*/site-packages)/project.pth
	build/older/bin/pip install --quiet --no-deps sentence-transformers==5.1.2 \
		transformers==4.57.6 huggingface-hub==0.36.2 \
		tokenizers==0.22.2 datasets==4.4.1
	touch $@

clean:
	rm -rf .venv build ./*.egg-info
