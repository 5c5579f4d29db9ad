# A line or two a target; the workflow is in the Snakefile. `make` alone lists the targets.
ifneq ($(words $(CURDIR)),1)
$(error the path "$(CURDIR)" has a space in it, which make cannot handle: move the checkout)
endif
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
# Ask for the one of the words $(2) that is most like $(1), if it is at least $(3) like it.
LIKE = import difflib, sys; print(*difflib.get_close_matches(sys.argv[1], sys.argv[3:], 1, float(sys.argv[2])))
meant = $(patsubst %,: is it "%"?,$(shell $(PYTHON) -c '$(LIKE)' '$(subst ','\'',$(1))' $(3) $(2)))
ifeq ($(wildcard $(CONFIG)),)
$(error there is no configuration "$(CONFIG)"$(call meant,$(CONFIG),$(wildcard *.yaml configs/*.yaml),0.3))
endif
# Read where it is used, after $(ENV).
RUN = $(shell .venv/bin/python workflow_scripts/check_config.py $(CONFIG))
unfinished = { echo "run '$(RUN)' of $(CONFIG) is not finished; to finish it: snakemake --configfile $(CONFIG) --cores $(CORES)"; exit 1; }
ENV := .venv/installed
DEV := .venv/developer
VALIDATE := .venv/validate/bin/rocrate-validator
PYTEST := python -m pytest -n auto --maxprocesses 4 --dist loadfile
BENCHES := start features evaluation planning demo
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help env checked bench bench-all demo paper fullscale report archive check-archive unlock test test-slow test-cluster test-all fuzz reliability rulegraph lint format lock

help: # this list
	@echo 'make TARGET [CORES=2] [CONFIG=FILE] [ARGS="more options"]; the environment is made first if it is missing'
	@awk -F ':.*# ' '/^[a-z-]+:.*# / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# A mistyped target comes here. So would the Makefile, for which make looks for a rule first.
.DEFAULT:
	$(error there is no target "$@"$(call meant,$@,$(shell sed -n 's/^\([a-z-]*\):.*# .*/\1/p' $(firstword $(MAKEFILE_LIST))),0.6); `make` alone lists all targets)
Makefile: ;

env: $(ENV) # the environment alone, in .venv: 1.8 GB, or 5.7 GB with CUDA

checked: $(ENV)
	@python workflow_scripts/check_config.py $(CONFIG) > /dev/null

demo: CONFIG := configs/demo.yaml
demo: $(ENV) checked # the whole workflow on a small synthetic corpus: about 8 minutes on two cores
	snakemake --logger softscene --configfile $(CONFIG) --cores $(CORES) $(ARGS)
	@python workflow_scripts/show_results.py results/$(RUN)

paper: $(ENV) checked # the reproduction: 264 trainings, 680 core-hours, 8 GB
	snakemake --logger softscene$(if $(filter-out config.yaml,$(CONFIG)), --configfile $(CONFIG)) --cores $(CORES) $(ARGS)

fullscale: $(ENV) # the paper's size on synthetic sound: ANNOTATIONS=folder of the authors' lists
	@test -d "$(ANNOTATIONS)/meta" || { echo "name the folder that has the authors' lists, meta/ and crossvaridation/: make fullscale ANNOTATIONS=folder"; exit 1; }
	snakemake --logger softscene --configfile configs/fullscale.yaml --cores $(CORES) $(ARGS) \
	    --config 'synthetic={"annotations": "$(ANNOTATIONS)"}'

report: $(ENV) checked # report.html once more, and Snakemake's own, workflow.html; the demo's: CONFIG=configs/demo.yaml
	@test -f results/$(RUN)/tables/table3.tsv || $(unfinished)
	snakemake --logger softscene --configfile $(CONFIG) --cores 1 --force --allowed-rules make_report $(ARGS) -- results/$(RUN)/report.html
	snakemake --logger softscene --configfile $(CONFIG) --report results/$(RUN)/workflow.html $(ARGS)

archive: $(ENV) checked # the finished run as one file to publish, results/RUN/archive.zip
	@configured=$$(python workflow_scripts/check_config.py $(CONFIG)); test "$(RUN)" = "$$configured" || \
	    { echo "run '$(RUN)' asked for, but $(CONFIG) is of run '$$configured'; give that run's own: make archive CONFIG=FILE"; exit 1; }
	@test -f results/$(RUN)/report.html || $(unfinished)
	snakemake --logger softscene --configfile $(CONFIG) --cores 1 --allowed-rules make_archive $(ARGS) -- results/$(RUN)/archive.zip

check-archive: $(ENV) checked $(VALIDATE) # check that file: by the profiles of RO-Crate (needs internet), and its numbers
	$(VALIDATE) -y validate --no-paging -p workflow-run-crate results/$(RUN)/archive.zip
	python workflow_scripts/check_archive.py results/$(RUN)/archive.zip

unlock: $(ENV) checked # after a power failure or kill -9 of snakemake; then rerun the same command
	@python -c 'import sys; from softscene.core.processes import claimant; \
	    by = claimant("results/$(RUN)/.running"); sys.exit(by and f"not unlocked: results/$(RUN) is being made by {by}")'
	snakemake --configfile $(CONFIG) --cores 1 --unlock

test: $(DEV) # that it works on this machine: at most 12 minutes on two cores
	$(PYTEST) -m 'not slow and not cluster' $(ARGS)

test-slow: $(DEV) $(VALIDATE) # faults on purpose, generated input, the explorer, the demo: half an hour
	$(PYTEST) -m 'slow and not cluster' $(ARGS)

test-cluster: $(DEV) # on a Slurm of two nodes that it brings up (root, slurm-wlm, munge): 11 minutes
	python -m pytest -m cluster tests/cluster $(ARGS)

test-all: # the three above
	$(MAKE) test
	$(MAKE) test-slow
	$(MAKE) test-cluster

fuzz: $(DEV) # property-based tests with 10,000 inputs for each reader: 9 minutes
	python -m pytest tests/fuzz --hypothesis-profile=long $(ARGS)

reliability: $(DEV) # write docs/reliability.md from what the tests see
	python -m pytest -m fault --write-reliability $(ARGS)

bench: $(DEV) # time a training against a plain one, 10 minutes at most; on a GPU: ARGS="--device cuda"
	python -m tests.benchmark.bench $(ARGS)
	@$(if $(filter-out --device cpu cuda,$(ARGS)),true,python -m tests.benchmark.page step gpu side_by_side)

bench-all: bench # and all else of docs/performance.md that is measured, on an idle machine: an hour
	@for each in $(BENCHES); do rm -f results/benchmark/$$each.tsv; \
	    python -m tests.benchmark.$$each || echo "$$each failed or misses a goal"; \
	    python -m tests.benchmark.page $$each; done

rulegraph: $(ENV) # draw docs/rulegraph.md: which rule waits for which
	graph=$$(PYTHONHASHSEED=0 snakemake --quiet all --rulegraph mermaid-js) && \
	    printf '# Which rule waits for which\n\nMade by `make rulegraph`.\n\n```mermaid\n%s\n```\n' \
	    "$$graph" > docs/rulegraph.md

lint: $(DEV) # all linters, and that all tests can be imported
	ruff check .
	ruff format --check .
	lint-imports
	python -m pytest -qqq --collect-only tests > .venv/collected || { cat .venv/collected; exit 1; }
	snakefmt --check Snakefile rules
	snakemake --lint
	snakemake --configfile configs/demo.yaml --lint

format: $(DEV) # all formatters
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

lock: $(DEV) # pin the packages of envs/*.in again
	for each in requirements dev; do \
	    pip-compile -q --no-header --no-annotate --strip-extras --allow-unsafe --no-emit-index-url \
	        --no-emit-trusted-host --no-emit-find-links -o envs/$$each.txt envs/$$each.in || exit 1; \
	    sed -i -e 's/+cpu//' -e '/^pip==/d' -e '/^#/d' -e '/^$$/d' envs/$$each.txt; done
	python envs/make_environment.py

$(ENV): envs/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	pip install --disable-pip-version-check -r envs/requirements.txt
	pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(DEV): $(ENV) envs/dev.txt
	pip install --disable-pip-version-check -r envs/dev.txt
	touch $@

# Apart, because it needs an older rich than the linters do.
$(VALIDATE): envs/validate.txt
	$(PYTHON) -m venv .venv/validate
	.venv/validate/bin/pip install --disable-pip-version-check -r envs/validate.txt
	touch $@
