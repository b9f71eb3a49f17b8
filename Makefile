# make demo   builds the default variant and pronounces words in six languages
# make demo-speech  speaks a sentence into build/demo.wav (TEXT="..."); fetches Kokoro's weights, 66 MB, by name and digest
# make test   lint, types and tests
# make format rewrites Python and C in the project's style
# make lexicon DATA=FOLDER writes the embedded checkpoint's lexicon anew; FOLDER has train/LANG.tsv
# make draft DATA=FOLDER writes its draft table anew
# Each makes .venv itself, from the exact versions in requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-speech test test-long format lexicon draft lock clean
C_FILES = $(shell find g2p_build tests examples bench -name '*.[ch]' ! -name unicode_tables.c -print)

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# The lock file is complete, so pip is told not to look for more (a looser request for torch brings gigabytes of CUDA).
.venv/.ready: requirements.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, not $$($(PYTHON) --version); try make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.ready

demo: setup
	$(BIN)/doit compile
	@$(BIN)/g2p pronounce --lang eng-us Hello I’m in London
	@$(BIN)/g2p pronounce --lang fin yhdyskunta
	@$(BIN)/g2p pronounce --lang spa-latin existió
	@$(BIN)/g2p pronounce --lang swa habari
	@$(BIN)/g2p pronounce --lang tha สวัสดี
	@$(BIN)/g2p pronounce --lang vie-n "Hà Nội"

TEXT = Hello! You typed this sentence, and your own machine spoke it.
SPEAKER = kokoro_packaged
VOICE = jf_alpha
HOST = host-b1-i64-o128-float32-kv
demo-speech: export SAID = $(TEXT)
demo-speech: setup
	$(BIN)/doit compile checkpoint=embedded,$(SPEAKER)
	@mkdir -p build
	@$(BIN)/tts speak --manifest manifests/$(SPEAKER)-$(HOST).json --g2p manifests/embedded-$(HOST).json \
		--text "$$SAID" --voice $(VOICE) --output build/demo.wav
	@test $(VOICE) != jf_alpha || \
		echo "The voice, jf_alpha, is Japanese, as all in the packages of the weights. docs/kokoro.md says where English ones are."

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-long: setup
	$(BIN)/pytest -q -m long

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_FILES)

EMBEDDED = g2p_build/checkpoints/embedded
lexicon: setup
	@test -d "$(DATA)/train" || { echo "DATA=$(DATA) has no folder train/: make lexicon DATA=FOLDER" >&2; exit 1; }
	$(BIN)/python -m g2p_build.training.frequencies "$(DATA)/train" build/use
	$(BIN)/python -m g2p_build.products.lexicon $(EMBEDDED)/lexicon.g2plex lexicon=$(EMBEDDED)/acronyms \
		"lexicon.exceptions='$(DATA)/train'" lexicon.use=build/use lexicon.max_bytes=598000

draft: setup
	@test -d "$(DATA)/train" || { echo "DATA=$(DATA) has no folder train/: make draft DATA=FOLDER" >&2; exit 1; }
	$(BIN)/python -m g2p_build.products.draft $(EMBEDDED)/draft.g2pdraft "draft.words='$(DATA)/train'"

lock: setup
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[build,dev]'
	{ echo '# Every package that `make` installs, exactly. Made by `make lock`; installed with --no-deps.'; \
	  $(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | \
	  sed 's/^torch==\([0-9.]*\).*/torch==\1+cpu ; sys_platform == "linux"\ntorch==\1 ; sys_platform != "linux"/'; \
	} > requirements.lock.new && mv requirements.lock.new requirements.lock

# What .gitignore names, and no more.
clean:
	rm -rf .venv dist manifests/*.json build *.egg-info rust/target
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
