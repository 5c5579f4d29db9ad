# Thin: what runs is in the Snakefile. CORES, CONFIG and ARGS may be given: make demo CORES=2
ifneq ($(words $(CURDIR)),1)
$(error the path "$(CURDIR)" has a space in it, which make cannot handle: move the checkout)
endif
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
ifeq ($(wildcard $(CONFIG)),)
$(error there is no configuration $(CONFIG))
endif
# Read where it is used, after $(ENV). The library's reader knows quotes and comments; what no run
# may be called must not reach a shell.
RUN = $(shell PYTHONPATH=workflow_scripts .venv/bin/python -c 'import re, sys; \
    from softscene.config.reading import read_yaml; \
    run = read_yaml(sys.argv[1], "configuration").get("run", "paper"); \
    print(re.sub("[^A-Za-z0-9_-]", "", str(run)))' $(CONFIG))
ENV := .venv/installed
DEV := .venv/developer
PYTEST := python -m pytest -n auto --maxprocesses 4 --dist loadfile
BENCHES := start features evaluation planning demo
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: env bench bench-all demo paper fullscale report unlock test test-slow test-cluster test-all fuzz reliability rulegraph lint format lock

demo: CONFIG := configs/demo.yaml
demo: $(ENV) # the whole DAG on a synthetic corpus, in minutes
	snakemake --logger softscene --configfile $(CONFIG) --cores $(CORES) $(ARGS)
	@python workflow_scripts/show_results.py results/$(RUN)

paper: $(ENV)
	snakemake --logger softscene --cores $(CORES) $(ARGS)

fullscale: $(ENV) # the paper's size on synthetic sound: ANNOTATIONS=folder of the authors' lists
	@test -d "$(ANNOTATIONS)/meta" || { echo "say which lists: make fullscale ANNOTATIONS=folder"; exit 1; }
	snakemake --logger softscene --configfile configs/fullscale.yaml --cores $(CORES) $(ARGS) \
	    --config 'synthetic={"annotations": "$(ANNOTATIONS)"}'

report: $(ENV) # report.html once more and Snakemake's own, workflow.html: CONFIG=configs/demo.yaml for the demo's
	@test -f results/$(RUN)/tables/table3.tsv || \
	    { echo "run '$(RUN)' is not finished: snakemake --configfile $(CONFIG) --cores $(CORES)"; exit 1; }
	snakemake --logger softscene --configfile $(CONFIG) --cores 1 --force --allowed-rules make_report $(ARGS) -- results/$(RUN)/report.html
	snakemake --logger softscene --configfile $(CONFIG) --report results/$(RUN)/workflow.html $(ARGS)

unlock: $(ENV) # after a power failure or kill -9, when no other snakemake runs here
	@python -c 'import sys; from softscene.core.processes import claimant; \
	    by = claimant("results/$(RUN)/.running"); sys.exit(by and f"still being made by {by}")'
	snakemake --configfile $(CONFIG) --cores 1 --unlock

test: $(DEV) # that it works here: all units, every number, a small real run; minutes
	$(PYTEST) -m 'not slow and not cluster' $(ARGS)

test-slow: $(DEV) # runs that are broken on purpose, generated input, the explorer, the demo
	$(PYTEST) -m 'slow and not cluster' $(ARGS)

test-cluster: $(DEV) # on a real Slurm of two nodes that it brings up; as root, with slurm-wlm and munge
	python -m pytest -m cluster tests/cluster $(ARGS)

test-all: # everything; test-cluster by itself where there is no Slurm
	$(MAKE) test
	$(MAKE) test-slow
	$(MAKE) test-cluster

fuzz: $(DEV) # the property-based tests, 10,000 inputs for each reader
	python -m pytest tests/fuzz --hypothesis-profile=long $(ARGS)

reliability: $(DEV) # docs/reliability.md, from what the tests see
	python -m pytest -m fault --write-reliability $(ARGS)

bench: $(DEV) # a training step beside a plain one; ARGS="--device cuda", see tests/benchmark/bench.py
	python -m tests.benchmark.bench $(ARGS)
	@$(if $(ARGS),true,python -m tests.benchmark.page step)

bench-all: bench # and what lies around training, on an idle machine; tells which bars are missed
	@for each in $(BENCHES); do rm -f results/benchmark/$$each.tsv; \
	    python -m tests.benchmark.$$each || echo "$$each failed or misses a bar"; \
	    test ! -f results/benchmark/$$each.tsv || python -m tests.benchmark.page $$each; done

rulegraph: $(ENV) # which rule waits for which, as Mermaid, which GitHub draws: docs/rulegraph.md
	graph=$$(PYTHONHASHSEED=0 snakemake --quiet all --rulegraph mermaid-js) && \
	    printf '# Which rule waits for which\n\nMade by `make rulegraph`.\n\n```mermaid\n%s\n```\n' \
	    "$$graph" > docs/rulegraph.md

lint: $(DEV)
	ruff check .
	ruff format --check .
	lint-imports
	snakefmt --check Snakefile rules
	snakemake --lint
	snakemake --configfile configs/demo.yaml --lint

format: $(DEV)
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

lock: $(DEV)
	for each in requirements dev; do \
	    pip-compile -q --no-header --no-annotate --strip-extras --allow-unsafe --no-emit-index-url \
	        --no-emit-trusted-host --no-emit-find-links -o envs/$$each.txt envs/$$each.in || exit 1; \
	    sed -i -e 's/+cpu//' -e '/^pip==/d' -e '/^#/d' -e '/^$$/d' envs/$$each.txt; done
	python envs/make_environment.py

env: $(ENV)

$(ENV): envs/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	pip install --disable-pip-version-check -r envs/requirements.txt
	pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(DEV): $(ENV) envs/dev.txt
	pip install --disable-pip-version-check -r envs/dev.txt
	touch $@
