# The two commands to begin with are `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet -c constraints.txt -e
# One process for each core with one thread of each library; conftest.py groups and orders the tests.
# Compiled files are kept, which every process of every run would otherwise compile again.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto \
	--dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo next test test-all clients faults lint types audit docs house older release clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/installed ## Train and compare both encoders on the bundled sample: runs/demo/report.html
	HF_HUB_OFFLINE=1 $(BIN)/kosim compare quickstart --out runs/demo --overwrite
	@$(MAKE) --no-print-directory next

next: ## Show commands to try after the demo
	@echo
	@echo 'To use kosim in this terminal:'
	@echo
	@echo '    . .venv/bin/activate'
	@echo
	@echo 'Then, for example:'
	@echo
	@echo '    kosim score mini-cross "거실 불 꺼 줘" "거실 조명을 꺼 줄래?"'
	@echo '    kosim index build experiments/sample/test.tsv --text-column sentence1 --encoder mini-bi --out runs/sample.index'
	@echo '    kosim search runs/sample.index "거실 불 꺼 줘" --reranker mini-cross'
	@echo '    kosim --help'

test: .venv/tests ## Run the tests but the slow ones
	$(PYTEST) -m "not slow"

# Other libraries are installed while the first tests run; their own tests await the end. What keeps
# them from being installed is shown last: tests of an older version fail, the others are skipped.
test-all: .venv/tests ## Run all tests, also those with a cluster, a browser or torchrun
	@mkdir -p build && rm -f build/*.ended
	@for each in older clients; do $(MAKE) --no-print-directory build/$$each/installed; \
		touch build/$$each.ended; done > build/others.log 2>&1 &
	@KOSIM_INSTALLING=yes $(PYTEST); code=$$?; \
		test -e build/older/installed -a -e build/clients/installed || cat build/others.log; \
		exit $$code

# Other libraries have an environment of their own, which sees the project's packages. Where PyPI
# cannot be reached they are not installed, and their tests are skipped.
clients: .venv/tests build/clients/installed ## Run other libraries against the service and saved encoders
	$(PYTEST) -rs tests/serving/test_integrations.py tests/serving/test_generated_client.py \
		tests/experiments/test_mteb.py

build/clients/installed: setup.cfg constraints.txt constraints-clients.txt .venv/tests
	$(PYTHON) -m venv --clear build/clients
	echo "import site; site.addsitedir('$$(echo $(CURDIR)/.venv/lib/python*/site-packages)')" > \
		$$(echo build/clients/lib/python*/site-packages)/project.pth
	@if build/clients/bin/pip index versions --retries 1 --timeout 10 rerankers > /dev/null 2>&1; then \
		build/clients/bin/pip install --quiet --no-compile -c constraints.txt \
			-c constraints-clients.txt $$($(PYTHON) -c "import configparser as c; \
			s = c.ConfigParser(); s.read('setup.cfg'); e = s['options.extras_require']; \
			print(*e['clients'].split(), *e['mteb'].split())") && touch $@; \
	else echo 'PyPI cannot be reached: the tests of other libraries will be skipped'; fi

# FAULTS="--errors 200 --kills 20 add" injects fewer; each of the others has arguments of its own.
faults: .venv/tests ## Inject errors, kills, full disks, damage, odd paths and hostile requests
	$(BIN)/python -m tests.faults.sweep $(FAULTS)
	$(BIN)/python -m tests.faults.full_disk
	$(BIN)/python -m tests.faults.damage
	$(BIN)/python -m tests.faults.commands
	$(BIN)/python -m tests.faults.requests

lint: .venv/linters ## Check style and format, and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile

types: .venv/tests .venv/linters build/types/kosim ## Check types
	$(BIN)/mypy

# What cannot be looked up is a finding too. Builds like 2.13.0+cpu are looked up as the release.
audit: .venv/tests build/audit/bin/pip-audit ## Look up the installed packages among published vulnerabilities
	$(BIN)/pip freeze --exclude-editable | sed 's/+[^+]*$$//' > build/audit/packages.txt
	build/audit/bin/pip-audit --strict --disable-pip --no-deps -r build/audit/packages.txt

build/audit/bin/pip-audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet pip-audit

# mypy and mkdocstrings do not follow setuptools' package_dir: they read links with the import names.
build/types/kosim: kosim $(wildcard kosim/*)
	mkdir -p $@
	ln -sfn $(CURDIR)/kosim/*.py $(CURDIR)/kosim/py.typed $@/
	for room in encoders experiments index serving; do ln -sfn $(CURDIR)/$$room $@/$$room; done
	touch $@

docs: .venv/docs build/types/kosim ## Build the documentation site: build/site/index.html
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=build/types $(BIN)/mkdocs build --quiet

house: ## Show lines and files by room
	$(PYTHON) -m benchmarks.house

# sentence-transformers 5.1 beside the project's other packages: saved encoders must open there.
older: build/older/installed ## Install sentence-transformers 5.1, in which saved encoders must open too

build/older/installed: .venv/tests
	$(PYTHON) -m venv build/older
	echo $(CURDIR)/.venv/lib/python*/site-packages > \
		$$(echo build/older/lib/python*/site-packages)/project.pth
	build/older/bin/pip install --quiet --no-deps sentence-transformers==5.1.2 \
		transformers==4.57.6 huggingface-hub==0.36.2 \
		tokenizers==0.22.2 datasets==4.4.1
	touch $@

# The wheel must do the main job in an empty environment, outside the checkout.
release: .venv/installed ## Build wheel and sdist, check them, and try the wheel
	$(BIN)/pip install --quiet build twine
	rm -rf dist && $(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && $(PYTHON) -m venv $$place/env \
		&& $$place/env/bin/pip install --quiet -c constraints.txt dist/*.whl && cd $$place \
		&& HF_HUB_OFFLINE=1 env/bin/kosim compare quickstart --limit 200 --epochs 1 --out run \
		&& env/bin/kosim score run/cross/seed-1 "불 꺼 줘" "조명 꺼 줘"

clean: ## Remove the environment and what was built
	rm -rf .venv build dist ./*.egg-info

# Each stamp adds packages to the environment: the demo needs no more than the first.
.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@echo 'Installing into .venv (PyTorch is large; this takes some minutes)'
	$(INSTALL) .
	touch $@

.venv/tests: .venv/installed
	$(INSTALL) ".[test]"
	touch $@

.venv/linters: .venv/installed
	$(INSTALL) ".[lint]"
	touch $@

.venv/docs: .venv/installed
	$(INSTALL) ".[docs]"
	touch $@
