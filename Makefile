# Everything a contributor does, by name. `make` alone lists it.
#
# Go is the only thing you must bring. `make test` fetches the rest: the Go
# modules, redis-server, nginx, Caddy, Chromium, a JDK, FastAPI, PyJWT, Gunicorn and npm packages.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The tools are pinned in a module of their own, so that none of what they need
# becomes a requirement of the gateway.
TOOL := go tool -modfile=tools/go.mod

# The tests of several gateways at once are a module of their own too.
FLEET := internal/fleet
FLEETTOOL := go -C $(FLEET) tool -modfile=$(CURDIR)/tools/go.mod

# And so is the example of a gateway with a store of its own.
STORE := examples/store
STORETOOL := go -C $(STORE) tool -modfile=$(CURDIR)/tools/go.mod

# Where .ci/deps puts a Node.js, if the machine's own is too old.
export PATH := $(CURDIR)/.cache/node/bin:$(PATH)

# What binaries and images say they are.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

# Stripped of symbols and of this machine's paths: the same source gives the same bytes.
BUILD = CGO_ENABLED=0 go build -trimpath -ldflags='-s -w -X github.com/gatehouse-auth/gatehouse/internal/command.version=$(VERSION) -X github.com/gatehouse-auth/gatehouse/internal/command.commit=$(COMMIT)'
IMAGE = docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT)

# The oldest Go that compiles this, and the one that images are built with.
OLDEST := go$(shell awk '$$1 == "go" {print $$2}' go.mod)
NEWEST := $(shell awk '$$1 == "toolchain" {print $$2}' go.mod)

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME  ?= 30s
SOAKTIME  ?= 2h
RUNS      ?= 5

# A copy of the vulnerability database beside the checkout wins over the one on
# the network: that is how the check runs where there is none.
VULNDB ?= $(wildcard ../shared/vulndb)

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-13s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/gateway, and bin/gateway-production without dev and the emulator
	@echo "compiling; the first time takes a minute or two"
	$(BUILD) -o bin/gateway ./cmd/gateway
	$(BUILD) -tags production -o bin/gateway-production ./cmd/gateway

.PHONY: client
client: web/client/types web/amplify/types ## pack the browser's client and its adapter for aws-amplify, with types, into bin/
	@mkdir -p bin
	for package in client amplify; do (cd web/$$package && npm pack --silent --ignore-scripts --pack-destination ../../bin); done

# These examples have copies of the packages, which are as old as their types.
examples/spa-react/node_modules/.package-lock.json: web/client/types
examples/amplify-react/node_modules/.package-lock.json: web/amplify/types

web/client/types: web/client/node_modules/.package-lock.json web/client/package.json $(wildcard web/client/src/*.js)
	npm --prefix web/client run prepack
	@touch $@

web/amplify/types: web/client/types web/amplify/test/node_modules/.package-lock.json web/amplify/package.json $(wildcard web/amplify/src/*.js)
	npm --prefix web/amplify run prepack
	@touch $@

.PHONY: dev
dev: ## run gateway, Cognito emulator and demo page on http://localhost:8080
	@echo "compiling, in silence; the first time takes a minute or two, later ones seconds"
	go run ./cmd/gateway dev

.PHONY: image
image: ## build the container images gatehouse (production) and gatehouse:dev
	$(IMAGE) --tag gatehouse .
	$(IMAGE) --tag gatehouse:dev --target dev .

# --- tests -------------------------------------------------------------------

# The parts of the tests, each of which can be made by itself. TESTFLAGS are for
# go test: `make test-fleet TESTFLAGS='-count=1 -run Logout'`.
TESTS := test-go test-fleet test-store test-client test-browser
TESTFLAGS ?=

# npm packages: of the tests in Chromium, the client, and the pages that they open; and those of all tests.
npm_packages = $(addsuffix /node_modules/.package-lock.json,$(1))
BROWSER_NPM := $(call npm_packages,web/client web/amplify/test web/e2e web/e2e/frameworks web/e2e/from-amplify web/e2e/quickstart \
	$(patsubst %/package-lock.json,%,$(wildcard examples/amplify-react/package-lock.json examples/next/package-lock.json examples/spa-*/package-lock.json)))
API_NPM := $(call npm_packages,examples/api-express internal/oauth/testdata/verifiers)
TEST_NPM := $(BROWSER_NPM) $(API_NPM)

# The slow packages wait, for limits that pass and servers that fail over, more than
# they compute: so two of them share a core.
PACKAGES_AT_ONCE := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

# A test that takes longer hangs: these are many times what a package takes on a
# machine that is busy with other things. vet is a part of `make check`.
GOTEST := gotestsum --format standard-quiet -- -race -vet=off -timeout 20m -p $(PACKAGES_AT_ONCE) $(TESTFLAGS) ./...

# What several parts need is made before them.
.PHONY: test
test: test-deps test-gateway $(TEST_NPM) ## run every test, with the race detector and real Redis and Chromium
	@.ci/parts $(TESTS)

.PHONY: test-deps
test-deps:
	@.ci/deps

.PHONY: test-go
test-go: test-gateway $(API_NPM) ## run the tests of the gateway's packages
	GATEWAY_BIN=$(GATEWAY_BIN) $(TOOL) $(GOTEST)

.PHONY: test-fleet
test-fleet: ## run the tests of several gateways at once
	$(FLEETTOOL) $(GOTEST)

.PHONY: test-store
test-store: ## run the test of the example's session store
	$(STORETOOL) $(GOTEST)

.PHONY: test-client
test-client: web/client/node_modules/.package-lock.json web/amplify/test/node_modules/.package-lock.json ## run the tests of the browser's client and of its adapter for aws-amplify
	npm --prefix web/client test
	npm --prefix web/amplify test

.PHONY: test-browser
test-browser: test-gateway $(BROWSER_NPM) ## run the tests in Chromium
	GATEWAY_BIN=$(GATEWAY_BIN) npm --prefix web/e2e test

.PHONY: test-browsers
test-browsers: test-gateway web/e2e/node_modules/.package-lock.json ## try the browser's client in Firefox and WebKitGTK
	.ci/deps browsers
	GATEWAY_BIN=$(GATEWAY_BIN) npm --prefix web/e2e run test-browsers

# The binary that the tests of examples and pages start.
GATEWAY_BIN := $(CURDIR)/.cache/e2e/gateway

.PHONY: test-gateway
test-gateway:
	go build -o $(GATEWAY_BIN) ./cmd/gateway

%/node_modules/.package-lock.json: %/package-lock.json
	npm --prefix $* ci --ignore-scripts --no-audit --no-fund --loglevel=error

.PHONY: test-loaded
test-loaded: ## run every test RUNS (5) times on a machine that is kept busy (needs stress-ng)
	.ci/loaded $(RUNS)

# On a busy machine a run that found nothing may end with the error of its own time
# limit (https://go.dev/issue/75804, mended in Go 1.27): it is none.
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s) each
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd internal web | while IFS=: read -r file func; do \
		echo "== $${func#func } in $$(dirname "$$file")"; \
		said=$$(go test -run='^$$' -fuzz="^$${func#func }$$" -fuzztime=$(FUZZTIME) "./$$(dirname "$$file")" </dev/null 2>&1 | tee >(cat >&2)) || \
			[[ $$said == *$$'\n    context deadline exceeded\n'* && $$said != *'Failing input'* ]] || exit 1; \
	done

.PHONY: soak
soak: test-deps ## run the long forms of the tests (build tag soak), at most SOAKTIME (2h)
	go test -race -tags soak -run Simulation -count 1 -timeout $(SOAKTIME) -v ./internal/session
	go test -race -tags soak -run 'TestRelay_(gives_nobody_the_answer|takes_no_memory)' -count 1 -timeout $(SOAKTIME) -v ./internal/proxy
	go test -tags soak -run FloodSoak -count 1 -timeout $(SOAKTIME) -v ./internal/server
	go -C $(FLEET) test -race -tags soak -count 1 -timeout $(SOAKTIME) -v ./...

.PHONY: conformance
conformance: ## judge the gateway's HTTP/2 by h2spec, beside net/http's
	H2SPEC=$$($(TOOL) -n h2spec) go test -tags conformance -run Conformance -count 1 -v ./internal/server

.PHONY: bench
bench: ## measure the gateway beside other proxies, those that are installed (ARGS='-quick')
	go run ./bench $(ARGS)

.PHONY: bench-peers
bench-peers: ## install the proxies that bench compares with, and what it measures by
	@.ci/deps bench

.PHONY: bench-page
bench-page: bench-peers ## measure all for docs/benchmarks.md, a quarter of an hour on an idle machine
	go run ./bench -write docs/benchmarks.md $(ARGS)

.PHONY: pgo
pgo: ## make cmd/gateway/default.pgo, a profile for the compiler, of RUNS (3) loads on an idle machine
	@.ci/pgo $(if $(filter command line,$(origin RUNS)),$(RUNS))

.PHONY: sizes
sizes: bench/sizes/node_modules/.package-lock.json ## measure what pages download for @gatehouse/client and for other libraries
	npm --prefix bench/sizes run --silent measure

# --- checks ------------------------------------------------------------------

.PHONY: check
check: lint types vuln tidy generated cross toolchains ## run every check that is not a test

.PHONY: lint
lint: vet ## gofmt, go vet, staticcheck, golangci-lint
	@unformatted=$$(gofmt -l *.go bench cmd examples internal storetest web); \
	if [[ -n $$unformatted ]]; then echo "not formatted; run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(TOOL) staticcheck ./...
	$(TOOL) golangci-lint run
	$(FLEETTOOL) staticcheck ./...
	$(FLEETTOOL) golangci-lint run --config $(CURDIR)/.golangci.yml
	$(STORETOOL) staticcheck ./...
	$(STORETOOL) golangci-lint run --config $(CURDIR)/.golangci.yml

.PHONY: types
types: test-deps web/client/types web/amplify/test/node_modules/.package-lock.json bench/sizes/node_modules/.package-lock.json ## check the types of the browser's client, of its adapter and of the demo page
	npm --prefix web/client run types
	npm --prefix web/amplify run types
	web/client/node_modules/.bin/tsc --project web/demo

.PHONY: vet
vet:
	go vet ./...
	go vet -tags production ./...
	go vet -tags soak ./internal/session ./internal/proxy ./internal/server
	go vet -tags conformance ./internal/server
	go -C examples/api-go vet ./...
	go -C $(STORE) vet ./...
	go -C $(STORE) vet -tags production ./...
	go -C $(FLEET) vet ./...
	go -C $(FLEET) vet -tags soak ./...

# The gateway is kept compiling with two versions of Go. The checks above ran with one
# of them; this is for the other.
.PHONY: toolchains
toolchains: ## vet and build with the oldest Go and the newest, and run govulncheck with the newest
	@here=$$(go env GOVERSION); \
	echo "the other checks ran with $$here; the oldest is $(OLDEST), the newest $(NEWEST)"; \
	[[ $${here%.*} == $(basename $(OLDEST)) ]] || $(MAKE) with-toolchain GOTOOLCHAIN=$(OLDEST); \
	[[ $$here == $(NEWEST) ]] || $(MAKE) with-toolchain vuln GOTOOLCHAIN=$(NEWEST)

.PHONY: with-toolchain
with-toolchain:
	@go version || { echo "$$GOTOOLCHAIN could not be fetched, so nothing was checked with it:" \
		"go needs a module proxy (GOPROXY) that has golang.org/toolchain" >&2; exit 1; }
	@$(MAKE) vet compile

.PHONY: compile
compile:
	CGO_ENABLED=0 go build ./...
	CGO_ENABLED=0 go build -tags production ./...

.PHONY: vuln
vuln:
	$(TOOL) govulncheck $(if $(VULNDB),-db file://$(abspath $(VULNDB))) ./...

.PHONY: tidy
tidy:
	go mod tidy -diff
	go -C examples/api-go mod tidy -diff
	go -C $(STORE) mod tidy -diff
	go -C $(FLEET) mod tidy -diff
	go mod verify

# Generated files must be what their generators make of the source. Compared are
# the files before and after, not the commit, so it works amid other changes.
.PHONY: generated
generated:
	@sum() { git ls-files -co --exclude-standard -z | xargs -0 sha256sum 2>/dev/null || true; }; \
	before=$$(sum); go generate ./...; \
	changed=$$(diff <(echo "$$before") <(sum) | awk '/^[<>]/ {print $$3}' | sort -u); \
	if [[ -n $$changed ]]; then echo "go generate changed these; commit them:"; echo "$$changed"; exit 1; fi

.PHONY: cross
cross: compile ## compile for linux, darwin and windows, amd64 and arm64
	@for platform in $(PLATFORMS); do \
		echo "build $$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build ./...; \
	done

.PHONY: clean
clean: ## remove what was built and installed inside the checkout
	rm -rf bin dist .cache web/e2e/node_modules web/e2e/*/node_modules web/client/node_modules web/client/types web/amplify/test/node_modules web/amplify/types examples/*/node_modules examples/*/dist examples/*/.next
