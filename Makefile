# `make` lists the targets.
PY := .venv/bin/python
DNNLAB := .venv/bin/dnnlab
# As many tests side by side as there are cores.
BESIDE := --numprocesses auto --dist worksteal
EVERYTHING := --quiet --disable-pip-version-check --editable '.[models,ray,slurm,nas,compress]' pytest pytest-xdist hypothesis markdown-it-py pygments

define test-everything
$(1)/bin/python -m pytest -m "not slow and not gpu" $(BESIDE)
$(1)/bin/python -m pytest -m slow -W default tests/runner/test_executors.py # Ray itself leaves files open
endef

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-gpu test-pages test-faults test-all test-floor test-newest zoo zoo-all check format docs site bench bench-gpu check-statistics remeasured clean part-1 part-2 part-3 part-4 gradient-flow dead-relu compare-arch compress nas check-claims search-table reproduce reference theory-table

help: ## List the targets
	@sed -n 's/^\([a-z0-9 -]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/.done ## Make .venv with the tested versions

.venv/.done: pyproject.toml constraints.txt
	test -x $(PY) || python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[compress,nas]' \
		pytest pytest-xdist hypothesis ruff mypy pandas-stubs scipy-stubs markdown-it-py pygments
	touch $@

demo: setup ## Gradients through 20 sigmoid layers on real digits, and what cures them
	$(DNNLAB) demo

test: setup ## The tests of every day
	$(PY) -m pytest -m "not slow and not gpu" $(BESIDE)

# As many processes as share a card well.
test-gpu: setup ## The tests that need a CUDA device; the other tests rehearse them on the CPU
	$(PY) -m pytest -m gpu -n 8 --dist worksteal tests/gpu

# Its own browser is not needed: Chromium of the system is used.
test-pages: setup ## The pages in a real browser, which must be there: Chromium
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt playwright
	DNNLAB_BROWSER=1 $(PY) -m pytest $(BESIDE) tests/pages

test-faults: setup ## kill -9 at 100 random moments, 50,000 damaged files, 300 wrong invocations, eight ledgers at once, a Ray cluster
	$(PY) -m pytest -m slow tests/test_faults.py tests/test_fuzz.py tests/test_wrong_input.py tests/reproduce/test_book.py tests/runner/test_executors.py

test-all: test ## Everything
	$(PY) -m pytest -m slow

test-floor: ## The tests of every day and of the extras, with the oldest versions that pyproject.toml allows
	test -x .venv-floor/bin/python || python3 -m venv .venv-floor
	.venv-floor/bin/python -m pip install $(EVERYTHING) --constraint constraints-floor.txt
	$(call test-everything,.venv-floor)

test-newest: ## The same with the newest versions, whatever they are
	test -x .venv-newest/bin/python || python3 -m venv .venv-newest
	.venv-newest/bin/python -m pip install $(EVERYTHING) --upgrade --upgrade-strategy eager
	$(call test-everything,.venv-newest)

.venv-zoo/.done: pyproject.toml constraints.txt
	test -x .venv-zoo/bin/python || python3 -m venv .venv-zoo
	.venv-zoo/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[zoo]' pytest pytest-xdist hypothesis
	touch $@

zoo: .venv-zoo/.done ## What dnnlab says about 190 published networks, against an oracle: half an hour
	.venv-zoo/bin/python -m tests.zoo

zoo-all: .venv-zoo/.done ## The same of all of timm up to 30 million parameters: hours; goes on where it was stopped
	.venv-zoo/bin/python -m tests.zoo --all

check: setup ## Lint and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: setup ## Reformat the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: setup ## Write the references of the command line and of Python, the pages of columns, and what editors know
	$(PY) -m docs.make_cli
	$(PY) -m docs.make_columns
	$(PY) -m docs.make_stub
	$(PY) -m docs.make_api

site: setup ## The documentation as pages that open offline, in site/
	$(PY) -m docs.make_site site

check-statistics: setup ## Whether intervals hold the truth and verdicts err as often as they say, by simulation: half an hour
	$(PY) -m benchmarks.check_statistics

remeasured: setup ## Five verdicts of the published ledger, measured again in plain PyTorch
	$(PY) -m benchmarks.remeasured

bench: setup ## Speed, side by side in one run
	$(PY) -m benchmarks.gradient_flow
	$(PY) -m benchmarks.dead_relu
	$(PY) -m benchmarks.stacked_step
	$(PY) -m benchmarks.compare_arch
	$(PY) -m benchmarks.nas
	$(PY) -m benchmarks.engines
	$(PY) -m benchmarks.scale
	$(PY) -m benchmarks.start_up
	$(PY) -m benchmarks.loading
	$(PY) -m benchmarks.whole_commands

bench-gpu: setup ## Steps on one GPU beside plain PyTorch and beside the floor that the hardware sets
	$(PY) -m benchmarks.gpu --compile

reproduce: setup ## Every claim of the lecture, with a verdict; ends with the path of the ledger's page
	$(DNNLAB) reproduce experiments

reference: reproduce ## Publish that ledger in results/reference
	$(PY) -m docs.make_reference results/ledger-quick results/reference/cpu-quick

part-1: setup ## Claims of part 1: the need for deep networks
	$(DNNLAB) reproduce experiments/1-deep-networks

part-2: setup ## Claims of part 2: modern activation functions
	$(DNNLAB) reproduce experiments/2-activation-functions

part-3: setup ## Claims of part 3: architectures
	$(DNNLAB) reproduce experiments/3-architectures

part-4: setup ## Claims of part 4: compression
	$(DNNLAB) reproduce experiments/4-compression

gradient-flow dead-relu compare-arch compress nas check-claims: setup ## Claims that one experiment decides
	$(DNNLAB) reproduce $$(grep -l '^experiment = "$(@:check-claims=check)"' experiments/*/*.toml)

theory-table: setup ## Measured rates against theory: 9 activations x 3 initialisers x 3 normalisations
	$(DNNLAB) run experiments/1-deep-networks/theory-table.toml

search-table: setup ## 500 searches by each strategy of the NAS-Bench-201 table, which must be in $DNNLAB_DATA
	$(DNNLAB) run experiments/3-architectures/search-table.toml

clean: ## Remove .venv and caches; runs in results/ stay
	rm -rf .venv .venv-floor .venv-newest .venv-zoo .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
