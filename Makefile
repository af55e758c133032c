# Every target sets up .venv by itself and can be called again: what is done is skipped.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= $(shell $(PYTHON) -c "from mirkeras.system.processes import usable_cores; print(usable_cores())")
PROTOCOL ?=
ROWS ?=
EXTRA ?=
# EXTRA=--plan says what is ahead and trains nothing: then there is nothing to evaluate
PLAN := $(findstring --plan,$(EXTRA))
comma := ,
space := $(subst ,, )
# without prototypical networks (the slowest) and the taggers, whose weights are the user's to bring
FEW := $(subst $(space),$(comma),$(foreach n,1 2 5 10 20 50 100 all,$(foreach m,sb-cnn-bn vgg timbre mfcc,curve/$(m)-n$(n))))

.PHONY: help install errata demo demo-mtat test test-long test-jax lint bench bench-torch reproduce-ballroom reproduce-temporal reproduce-mtat reproduce-gtzan reproduce-mirex reproduce-scale reproduce-transfer reproduce-timbre reproduce-random reproduce-fewdata parity report

help: ## explain every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: PYTHON=$(PYTHON) JOBS=$(JOBS) PROTOCOL=… (default: code for Ballroom, timbre and at scale, else paper) ROWS=R,R… (default: see the target) DATASET=… (where it is not fixed); EXTRA='…' is passed to the command: make reproduce-gtzan DATASET=mini_ballroom ROWS=table2/shallow-100 EXTRA='--epochs 3'."

install: $(READY) ## create .venv and install mirkeras with what its tests need

$(READY): setup.py
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  (echo "mirkeras needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1)
	@test -x $(BIN)/pip || (echo "creating .venv with $(PYTHON)"; rm -rf .venv; $(PYTHON) -m venv .venv) || \
	  (rm -rf .venv; echo "python -m venv failed; on Debian: apt install python3-venv" >&2; exit 1)
	@echo "installing mirkeras into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

demo: $(READY) ## the whole path on mini-ballroom, in minutes: data, features, four networks, table, figures
	@$(BIN)/python -m reproductions.pons_cbmi2016.demo --jobs $(JOBS) $(EXTRA)

demo-mtat: $(READY) ## the same for tags on mini-tags: waveforms, SampleCNN at two rates, per-tag scores, filters
	@$(BIN)/python -m reproductions.lee_samplecnn.demo $(EXTRA)

test: $(READY) ## the tests (under 6 minutes)
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long" $(EXTRA)

test-long: $(READY) ## the long tests: kill -9 at random moments, full-size mini-ballroom
	@$(BIN)/python -m pytest -m long $(EXTRA)

test-jax: $(READY) ## the model and training tests on Keras' JAX backend
	@$(BIN)/python -c "import jax" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[jax]"
	@KERAS_BACKEND=jax $(BIN)/python -m pytest -m "not long" tests/models tests/mirkeras/training/test_fit.py tests/mirkeras/training/test_waves.py $(EXTRA)

errata: $(READY) ## reproductions/ERRATA.md anew, from results/published/errata.csv
	@$(BIN)/python -c "from mirkeras.evaluation.errata import write_page; print('written:', write_page())"

lint: $(READY) ## check format and style
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

bench: $(READY) ## the benchmarks' ratios
	@for bench in extraction deformation pipeline waveforms jobs memory temporal; do $(BIN)/python -m tests.benchmarks.$$bench || exit 1; done

bench-torch: $(READY) ## SampleCNN, Schindler's and the random networks against the same in plain PyTorch (installs PyTorch)
	@$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@$(BIN)/python -m tests.benchmarks.samplecnn && $(BIN)/python -m tests.benchmarks.parallel && $(BIN)/python -m tests.benchmarks.random_features

reproduce-ballroom: $(READY) ## Pons, Lidy & Serra 2016 on Ballroom: all twelve rows, ten folds, then the verdicts
	@$(BIN)/python -m reproductions.pons_cbmi2016.train --dataset ballroom --rows $(or $(ROWS),all) --protocol $(or $(PROTOCOL),code) --jobs $(JOBS) --out runs $(EXTRA)
	@$(if $(PLAN),true,$(BIN)/python -m reproductions.pons_cbmi2016.evaluate --out runs)

reproduce-temporal: $(READY) ## Pons & Serra 2017 on Ballroom: eight networks of temporal filters, ten folds, accuracy against parameters, what they learned
	@$(BIN)/python -m reproductions.pons_icassp2017.reproduce --dataset $(or $(DATASET),ballroom) --rows $(or $(ROWS),all) --protocol $(or $(PROTOCOL),code) --jobs $(JOBS) --out runs $(EXTRA)

reproduce-mtat: $(READY) ## Lee et al. 2018 on MagnaTagATune: Tables 2, 4 and 5, times, verdicts, Figures 2 to 5
	@$(BIN)/python -m reproductions.lee_samplecnn.reproduce --dataset magnatagatune --rows $(or $(ROWS),table2$(comma)table4$(comma)table5) --protocol $(or $(PROTOCOL),paper) --jobs $(JOBS) --out runs --timing --marks piano,techno $(EXTRA)

reproduce-gtzan: $(READY) ## Schindler et al. 2016 on GTZAN: Table 2 on random folds and fault-filtered, verdicts, Figure 7, the tracks it misses
	@$(BIN)/python -m reproductions.schindler_gtzan.reproduce --dataset $(or $(DATASET),gtzan) --rows $(or $(ROWS),table2) --protocol $(or $(PROTOCOL),paper) --jobs $(JOBS) --out runs $(EXTRA)

reproduce-mirex: $(READY) ## Lidy & Schindler 2016: all networks on music/speech, ten folds, then once through the MIREX executables
	@$(BIN)/python -m reproductions.lidy_mirex2016.reproduce --dataset $(or $(DATASET),music_speech) --rows $(or $(ROWS),all) --protocol $(or $(PROTOCOL),paper) --jobs $(JOBS) --out runs --executables $(EXTRA)

reproduce-scale: $(READY) ## Pons et al. 2018 and musicnn on MagnaTagATune: released networks, training table, at-scale networks, verdicts
	@$(BIN)/python -m reproductions.pons_ismir2018.train --dataset $(or $(DATASET),magnatagatune) --rows $(or $(ROWS),released$(comma)training$(comma)mtt) --protocol $(or $(PROTOCOL),code) --jobs $(JOBS) --out runs $(EXTRA)
	@$(if $(PLAN),true,$(BIN)/python -m reproductions.pons_ismir2018.evaluate --out runs)

reproduce-transfer: $(READY) ## embeddings of musicnn's trained taggers → PCA → SVM on fault-filtered GTZAN, verdicts
	@$(BIN)/python -m reproductions.pons_ismir2018.train --dataset $(or $(DATASET),gtzan) --rows $(or $(ROWS),transfer/MTT_musicnn$(comma)transfer/MTT_vgg$(comma)transfer/MSD_musicnn$(comma)transfer/MSD_vgg) --jobs $(JOBS) --out runs $(EXTRA)
	@$(if $(PLAN),true,$(BIN)/python -m reproductions.pons_ismir2018.evaluate --out runs)

reproduce-random: $(READY) ## Pons & Serra 2019, random CNNs: nine front-ends that learned nothing, SVM and ELM, the claims answered
	@$(BIN)/python -m reproductions.pons_icassp2019_random.reproduce --dataset $(or $(DATASET),urbansound8k) --rows $(or $(ROWS),all) --protocol $(or $(PROTOCOL),clean) --jobs $(JOBS) --out runs $(EXTRA)
	@$(if $(PLAN),true,$(BIN)/mirkeras claims pons_icassp2019_random --out runs)

reproduce-fewdata: $(READY) ## Pons, Serra & Serra 2019, few data: accuracy against 1 to all clips of each class, five draws, the curves, the conclusions answered
	@$(BIN)/python -m reproductions.pons_icassp2019_fewdata.reproduce --dataset $(or $(DATASET),urbansound8k) --rows $(or $(ROWS),$(FEW)) --protocol $(or $(PROTOCOL),clean) --seeds 0,1,2,3,4 --jobs $(JOBS) --out runs $(EXTRA)
	@$(if $(PLAN),true,$(BIN)/mirkeras claims pons_icassp2019_fewdata --out runs)

reproduce-timbre: $(READY) ## Pons et al. 2017, timbre: tagging, instruments and phonemes, each on its own data; DATASET=… ROWS=…: these rows (tagging) on it
	@$(BIN)/python -m reproductions.pons_eusipco2017.reproduce $(if $(DATASET),--dataset $(DATASET)) $(if $(ROWS),--rows $(ROWS)) --protocol $(or $(PROTOCOL),code) --jobs $(JOBS) --out runs $(EXTRA)

parity: $(READY) ## trained taggers beside the originals: the authors' own graphs and plain NumPy, to 1e-4
	@$(BIN)/python -m reproductions.pons_ismir2018.parity $(EXTRA)

report: $(READY) ## the web pages of results/ and runs/, in report/
	@$(BIN)/mirkeras report $(EXTRA)
