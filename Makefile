# Everything here needs Go and make, and installs nothing. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TAGS    := nobadger,nomysql,nopgx
LDFLAGS := -s -w \
	-X github.com/caddyserver/caddy/v2.CustomBinaryName=lamplighter \
	-X github.com/caddyserver/caddy/v2.CustomVersion=$(VERSION)

# The race detector needs cgo and a C compiler. auto uses it where they are,
# required fails without them, off never uses it.
RACE ?= auto
# What one package's tests may take.
TIMEOUT ?= 20m
# Which faults in the engine `make test` shows to be caught: five, by the date, or all.
MUTANTS ?= five
# How long each fuzz target runs.
FUZZTIME ?= 20s
# What `make build` makes.
BINARY  ?= lamplighter
# The image's name.
IMAGE   ?= lamplighter
# Where `make dist` puts what it makes, for which platforms, and the time of all files.
DIST      ?= dist
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 315532800)

GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NFPM          := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
CYCLONEDX     := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
# What charts and workflows are held to, by tests in test/packages.
HELM          := helm.sh/helm/v3/cmd/helm@v3.22.0
ACTIONLINT    := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# `go env` says 0 where it finds no C compiler, unless somebody forces it.
race_works = $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC) >/dev/null && echo yes)
race       = $(if $(filter-out off,$(RACE)),$(if $(race_works),-race))

# Packages with tests that kill a process between two instructions.
killed = $(addprefix ./,$(sort $(dir $(shell grep -rlE '^//go:build failpoint' --include='*_test.go' module))))

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  RACE=auto|required|off  TIMEOUT=$(TIMEOUT)  FUZZTIME=$(FUZZTIME)  VERSION=$(VERSION)  IMAGE=$(IMAGE)  DIST=$(DIST)"
	@echo "  PLATFORMS=\"$(PLATFORMS)\""

.PHONY: build
build: ## build the static binary ./lamplighter, or what BINARY names
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/lamplighter

# What is missing here makes tests skip, of which go test says nothing. -count=1 where
# go test does not see that the binary has changed.
.PHONY: test
test: export LAMPLIGHTER_SKIPS = $(CURDIR)/.make/skips
test: race-check format-check ## check the format, vet, and run all tests, those of the built binary too
	@mkdir -p .make && rm -f "$(LAMPLIGHTER_SKIPS)"
	$(GO) vet -tags $(TAGS) ./...
	cd test && $(GO) vet -tags $(TAGS) ./...
	@if [ "$$LAMPLIGHTER_REQUIRE" = all ]; then $(MAKE) --no-print-directory kube-apiserver; fi
	$(GO) test $(race) -tags $(TAGS) -timeout $(TIMEOUT) ./...
	$(GO) test $(race) -tags $(TAGS),failpoint -timeout $(TIMEOUT) $(killed)
	@$(MAKE) --no-print-directory explored
	@$(MAKE) --no-print-directory build BINARY=.make/lamplighter VERSION=v0.0.0-test
	cd test && LAMPLIGHTER_BINARY='$(CURDIR)/.make/lamplighter' $(GO) test $(race) -tags $(TAGS) -count=1 -timeout $(TIMEOUT) ./stores ./...
	cd packaging && $(GO) vet ./...
	cd bench && $(GO) vet ./... && $(GO) test -count=1 -timeout $(TIMEOUT) ./...
	@if [ -s "$(LAMPLIGHTER_SKIPS)" ]; then echo "skipped here:"; sort -u "$(LAMPLIGHTER_SKIPS)" | sed 's/^/  /'; else echo "nothing was skipped"; fi

# Where go test finds it: the version is that of the module which is built.
.PHONY: kube-apiserver
kube-apiserver: ## build the kube-apiserver that stores are tested with; takes 6 minutes of CPU time
	@cd test/stores/apiserver && version=$$($(GO) list -m -f '{{.Version}}' k8s.io/kubernetes) && \
		CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' \
		-o "$${XDG_CACHE_HOME:-$$HOME/.cache}/lamplighter/kube-apiserver-$$version" k8s.io/kubernetes/cmd/kube-apiserver

# Faults of replicas and of the stores that they share, one after the other, drawn from
# LAMPLIGHTER_SEED; `make test` has time for 20 with each store, with a short lease.
CYCLES ?= 200
.PHONY: test-stores
test-stores: ## let CYCLES faults befall replicas with each shared store; takes an hour and a half for each
	@$(MAKE) --no-print-directory build BINARY=.make/lamplighter VERSION=v0.0.0-test
	cd test && LAMPLIGHTER_BINARY='$(CURDIR)/.make/lamplighter' LAMPLIGHTER_CYCLES=$(CYCLES) \
		$(GO) test -tags $(TAGS) -count=1 -v -timeout 12h -run 'TestCycles' ./stores

# Without the race detector, which makes it too slow and has nothing to find in a pure
# function.
.PHONY: explored
explored: ## explore what CI has time for of the engine, and catch five faults in it
	@mkdir -p .make; LAMPLIGHTER_MUTANTS=$(MUTANTS) $(GO) test -tags $(TAGS) -count=1 -v -timeout $(TIMEOUT) \
		-run 'TestEverythingThatMayHappen|TestMutants' ./module/internal/grant >.make/explored 2>&1; \
	status=$$?; grep -Ev 'runs by make explore$$|^=== |^ *--- (PASS|SKIP)|^PASS' .make/explored; exit $$status

.PHONY: explore
explore: ## explore every world of the engine to its end; takes an hour
	LAMPLIGHTER_EXPLORE=all $(GO) test -timeout 3h -v -run TestEverythingThatMayHappen ./module/internal/grant

.PHONY: mutants
mutants: ## show that each fault one might make in the engine is caught
	LAMPLIGHTER_MUTANTS=all $(GO) test -timeout 1h -v -run TestMutantsAreCaught ./module/internal/grant

.PHONY: bench
bench: ## measure what it costs, and write docs/performance.md; needs Linux and a quarter of an hour
	cd bench && $(GO) run .

.PHONY: race-check
race-check:
ifeq ($(RACE),required)
	@[ -n "$(race_works)" ] || { echo "RACE=required: the race detector needs cgo and a C compiler, such as gcc" >&2; exit 1; }
else ifeq ($(RACE),auto)
	@[ -n "$(race_works)" ] || echo "no C compiler or cgo here: the tests run WITHOUT the race detector" >&2
endif

.PHONY: format-check
format-check:
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted with gofmt:" >&2; echo "$$unformatted" >&2; exit 1; fi

.PHONY: lint
lint: ## run golangci-lint and, where its database can be reached, govulncheck
	$(GO) run $(GOLANGCI_LINT) run ./...
	cd test && $(GO) run $(GOLANGCI_LINT) run --build-tags $(TAGS) ./...
	cd bench && $(GO) run $(GOLANGCI_LINT) run ./...
	cd packaging && $(GO) run $(GOLANGCI_LINT) run ./...
	@found=$$($(GO) run $(GOVULNCHECK) -tags $(TAGS) ./... 2>&1) && exit 0; \
	case "$$found" in \
		*"Vulnerability #"*) echo "$$found"; exit 1 ;; \
		*) echo "govulncheck did not run; is its database out of reach?" >&2 ;; \
	esac

# Before Go 1.27 a target may fail with nothing but "context deadline exceeded" as
# its time ends, without any failing input (https://go.dev/issue/75804): then, and
# only then, it is run once more.
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	fuzz() { \
		$(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$2$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s "$$1" >"$$said" 2>&1; \
		status=$$?; cat "$$said"; return $$status; \
	}; \
	out_of_time() { grep -qx ' *context deadline exceeded' "$$said" && ! grep -qi 'failing input\|panic\|_test.go:' "$$said"; }; \
	$(GO) test -tags $(TAGS) -list '^Fuzz' ./... | \
	awk '/^Fuzz/ { targets[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, targets[i]; n = 0 }' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		fuzz "$$package" "$$target" || { out_of_time && fuzz "$$package" "$$target"; } || exit 1; \
	done

# From scratch and the binary: nothing is pulled. A test holds the files and the
# configuration of the image to those of the Dockerfile.
.PHONY: image
image: ## build the container image with buildah, podman or docker
	@tool=$$(command -v buildah || command -v podman || command -v docker) || \
		{ echo "building an image needs buildah, podman or docker" >&2; exit 1; }; \
	case "$$tool" in \
		*docker) set -- ;; \
		*) set -- --format docker ;; \
	esac; \
	set -ex; \
	rm -rf .make/image; \
	install -d -m 0755 .make/image/root/etc/caddy .make/image/root/usr/bin; \
	install -d -m 0700 .make/image/owned/data/config .make/image/owned/data; \
	GOOS=linux $(MAKE) --no-print-directory build BINARY=.make/image/root/usr/bin/lamplighter; \
	ln -s lamplighter .make/image/root/usr/bin/caddy; \
	"$$tool" build "$$@" --build-arg VERSION='$(VERSION)' -f packaging/Containerfile -t '$(IMAGE)' .make/image

# Only Linux is tested: of the others, that they build and pass vet.
.PHONY: dist
dist: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
dist: ## build what is released, for VERSION=v1.2.3: archives, packages, an image
	@for system in $(filter-out linux,$(sort $(foreach p,$(PLATFORMS),$(firstword $(subst /, ,$p))))); do \
		echo "vetting for $$system"; \
		CGO_ENABLED=0 GOOS=$$system $(GO) vet -tags $(TAGS) ./... || exit 1; \
	done
	cd packaging && $(GO) run . -root '$(CURDIR)' -out '$(abspath $(DIST))' -version '$(VERSION)' \
		-platforms '$(PLATFORMS)' -nfpm $(NFPM) -cyclonedx $(CYCLONEDX)

.PHONY: demo
demo: ## run the demonstration: servers, sidecar and rotating tokens on this machine
	$(GO) run -tags $(TAGS) ./cmd/lamplighter demo
