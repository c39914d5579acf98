# Each target calls one command of the program: see `node dist/main.cjs --help`.

# These come from the command line only; a NAME or ALL that happens to be in the environment means nothing here.
NAME :=
STEPS :=
TO :=
ALL :=
DATA :=
ARGS :=
unexport NAME STEPS TO ALL DATA ARGS

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# $(call quote,NAME): the value of NAME as one word for the shell, whatever is in it.
quote = '$(subst ','\'',$(value $(1)))'
# --all for ALL=1, --data for DATA=1; any other value reaches the program, which refuses it.
all-flag = --all$(if $(filter-out 1,$(value ALL)),=$(call quote,ALL))
data-flag = --data$(if $(filter-out 1,$(value DATA)),=$(call quote,DATA))

PACKAGES := node_modules/.package-lock.json
TOOLS := node_modules/.tools
# Where the development tools are installed already, they are kept up to date together with the rest.
PROGRAM := $(PACKAGES) $(wildcard $(TOOLS)) dist/main.cjs
SOURCES := $(wildcard src src/* src/*/*)

# One installation or build at a time, also from two terminals; the kernel frees the lock of a process that was
# killed. util-linux and busybox have flock, macOS and the BSDs lockf; without either there is no lock.
LOCK = $(shell if command -v flock >/dev/null; then echo flock package-lock.json; elif command -v lockf >/dev/null; then echo lockf -k package-lock.json; fi)
NPM_FLAGS := --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retry-mintimeout=1000
INSTALL_FAILED := { echo 'Could not install the dependencies. That takes node, npm, and the network or a warm npm cache; then run make again.' >&2; exit 1; }

.PHONY: help migrate migrate-status migrate-clean migrate-rollback migrate-create migrate-plan migrate-verify schema-docs quick-start stop federation seed test test-faults check bench build

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile
	@echo 'Further flags of a command go into ARGS, for example: make migrate-status ARGS=--json'

migrate: $(PROGRAM) ## Apply all pending migrations and regenerate generated/
	@node dist/main.cjs up $(ARGS)

migrate-status: $(PROGRAM) ## Show every migration and its state
	@node dist/main.cjs status $(ARGS)

migrate-clean: $(PROGRAM) ## DESTRUCTIVE: drop all data, then migrate from scratch
	@node dist/main.cjs clean $(ARGS)

migrate-rollback: $(PROGRAM) ## Roll back the last migration, or more: STEPS=n, TO=name (stays applied), ALL=1
	@node dist/main.cjs rollback $(if $(value STEPS),--steps=$(call quote,STEPS)) $(if $(value TO),--to=$(call quote,TO)) $(if $(value ALL),$(all-flag)) $(ARGS)

migrate-create: $(PROGRAM) ## Write the next migration from a template: NAME=add_patient_allergies; DATA=1 if it moves data
	@node dist/main.cjs create $(if $(value DATA),$(data-flag)) $(ARGS) $(if $(value NAME),-- $(call quote,NAME))

migrate-plan: $(PROGRAM) ## What would migrate do? The exact SQL, what it locks, what is dangerous; touches nothing
	@node dist/main.cjs plan $(ARGS)

migrate-verify: $(PROGRAM) ## Is everything as it should be? History, live schema, every down, generated types
	@node dist/main.cjs verify $(ARGS)

schema-docs: $(PROGRAM) ## Write generated/schema.html: a page with the schema’s diagram, tables, columns and a search
	@node dist/main.cjs docs $(ARGS)

quick-start: $(PROGRAM) ## Start a database, migrate it, and say how to connect
	@node dist/main.cjs quick-start $(ARGS)

stop: $(PROGRAM) ## Stop what quick-start or the embedded default started; data stays
	@node dist/main.cjs db stop $(ARGS)

federation: $(PROGRAM) $(TOOLS) ## Start the example federation with demo data, until Ctrl-C; PORT=4000
	@node --import=tsx test/federation/main.ts

seed: $(PROGRAM) $(TOOLS) ## Write demo data into a database that holds nothing else
	@node --import=tsx test/federation/main.ts seed

test: $(PROGRAM) $(TOOLS) ## Run the tests; ARGS="--grep status" for some of them
	@npm run --silent test -- $(ARGS)

test-faults: $(PROGRAM) $(TOOLS) ## Kill, cut and fill up at full size, for some minutes
	@npm run --silent test:faults -- $(ARGS)

check: $(PROGRAM) $(TOOLS) ## Check types, lint, layers, dead code, format, and the migrations by themselves
	@npm run --silent check && node dist/main.cjs verify --no-target --with-data

bench: $(PROGRAM) $(TOOLS) ## Measure the program against a bare connection
	@npm run --silent bench -- $(ARGS)

build: $(PACKAGES) $(TOOLS) ## Build all that the package ships
	@npm run --silent build

# Running the program takes half of what testing it takes, so a first `make migrate` installs only that. npm ci removes
# node_modules first and writes this file last: one that was killed is repeated.
$(PACKAGES): package-lock.json
	@echo 'Installing the dependencies (needed once) ...' >&2
	@$(LOCK) sh -c '[ $@ -nt $< ] || npm ci --omit=dev $(NPM_FLAGS)' >&2 || $(INSTALL_FAILED)

# Adds to node_modules and removes nothing: a server may be running from there.
$(TOOLS): $(PACKAGES)
	@echo 'Installing the development tools (needed once) ...' >&2
	@$(LOCK) sh -c '[ $@ -nt $< ] || npm install --no-save --include=dev $(NPM_FLAGS) && touch $@' >&2 || $(INSTALL_FAILED)

dist/main.cjs: $(SOURCES) package.json $(PACKAGES)
	@$(LOCK) npm run --silent build:cli >&2
