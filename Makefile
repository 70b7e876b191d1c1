# What a newcomer needs: Go, git, make. "make help" tells the rest.

GO            ?= go
MODULES       := . cmd/dev cmd/dev/clients deploy/check deploy/release
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
WORKFLOWCHECK := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0

# How long tests may take before they are taken for stuck.
TEST_TIMEOUT  ?= 10m
DEV_TIMEOUT   ?= 30m

# How many end-to-end tests run at once. They wait for processes, timers and each other more than they compute.
DEV_PARALLEL  ?= 4

# How long each fuzz target is given.
FUZZ_TIME     ?= 10s

# Where known vulnerabilities are read from; a file:// address works as well.
VULNDB        ?= https://vuln.go.dev

# $(call patiently,words,command): runs the command and says every 15 seconds that it is still at it. The exit code is the
# command's. The command runs beside the shell, because a shell that waits for one in front of it hears no signal.
define patiently
@begun=$$(date +%s); \
( trap 'kill "$$nap" 2>/dev/null; exit 0' TERM; \
  while :; do sleep 15 >/dev/null 2>&1 & nap=$$!; wait "$$nap"; echo "... $(1), $$(( $$(date +%s) - begun )) s so far"; done ) & ticker=$$!; \
( $(2) ) & work=$$!; \
trap 'kill "$$ticker" "$$work" 2>/dev/null' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; trap 'exit 129' HUP; \
wait "$$work"
endef

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build and start the whole system: embedded Temporal, API, workers, pages
	exec bin/dev

.PHONY: demo
demo: export SIGNALBOX_DEMO := true
demo: build ## The same, with persons, services and tickets to look at
	exec bin/dev

.PHONY: build
build: ## Build bin/api, bin/worker, bin/migrate, bin/signalbox and bin/dev
	@mkdir -p bin
	$(GO) build -o bin/ ./cmd/api ./cmd/worker ./cmd/migrate
	@$(MAKE) --no-print-directory client
	@echo "building bin/dev; the first time compiles a whole Temporal server, which takes some minutes"
	$(call patiently,still building bin/dev,cd cmd/dev && exec $(GO) build -o ../../bin/dev .)

.PHONY: client
client: ## Build bin/signalbox, the command line
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/ ./cmd/signalbox

.PHONY: generate
generate: ## Write the generated part of client anew, from the documents in api/openapi
	$(GO) run ./cmd/internal/generate

.PHONY: test
test: test-main test-deploy test-dev ## Run all tests, those against a real Temporal server and a real PostgreSQL too

# Linking some fifty test programs is a quarter of what these tests cost, and much of that is tables for debuggers (which -s -w leave out; stacks of panics are
# as they were) and collecting garbage that goes with the linker anyway.
.PHONY: test-main
test-main: export GOGC ?= 400
test-main:
	@$(GO) test -count=1 -run '^TestMachineHasPostgreSQL$$' -v ./store/postgrestest | grep -a '\*\*\*' || true
	$(GO) test -ldflags='-s -w' -timeout $(TEST_TIMEOUT) ./...

.PHONY: test-dev
test-dev:
	$(call patiently,still testing cmd/dev,cd cmd/dev && exec $(GO) test -ldflags='-s -w' -parallel $(DEV_PARALLEL) -timeout $(DEV_TIMEOUT) ./...)

# Never from the cache: what it reads lies outside of its module.
.PHONY: test-deploy
test-deploy: ## Test the Helm chart, the alerts, the dashboards and how a release is made (the first time compiles parts of Helm, Kubernetes and Prometheus)
	$(call patiently,still testing deploy/check,cd deploy/check && exec $(GO) test -count=1 -timeout $(TEST_TIMEOUT) ./...)
	$(call patiently,still testing deploy/release,cd deploy/release && exec $(GO) test -count=1 -timeout $(TEST_TIMEOUT) ./...)

.PHONY: quick
quick: ## Test the packages that differ from main (BASE=…) and those that import them, without what takes long
	@GO="$(GO)" BASE="$(BASE)" .ci/quick

.PHONY: slow-test
slow-test: ## Run the tests that take minutes of real time, such as ten minutes of retries
	$(call patiently,still running the slow tests,export SIGNALBOX_SLOW_TESTS=1; $(GO) test -count=1 -v -timeout $(DEV_TIMEOUT) -run '^TestSlow' ./store && cd cmd/dev && exec $(GO) test -count=1 -v -timeout $(DEV_TIMEOUT) -run '^TestSlow' ./e2e)

.PHONY: race
race: ## Run all tests with the race detector (needs a C compiler and patience)
	$(GO) test -race -timeout 30m ./...
	$(call patiently,still testing cmd/dev,cd cmd/dev && exec $(GO) test -race -timeout 60m ./...)

.PHONY: bench
bench: ## Measure beside the bare engine, and write docs/performance.md's table to bench.md (BENCH=lifecycle for a part; half an hour)
	$(call patiently,still measuring,cd cmd/dev && exec env BENCH="$(or $(BENCH),all)" BENCH_REPORT="$(CURDIR)/bench.md" $(GO) test -count=1 -timeout 120m -run '^TestBench$$' -v ./bench)
	$(GO) test -run '^$$' -bench 'Decide|Incident$$' -benchmem ./ticket ./flow

.PHONY: bench-deliveries
bench-deliveries: ## Measure deliveries on the whole system, and kill it throughout (some minutes)
	$(call patiently,still measuring,cd cmd/dev && exec env SIGNALBOX_BENCH=1 $(GO) test -count=1 -timeout $(DEV_TIMEOUT) -run '^TestBench' -v ./e2e)

.PHONY: release
release: ## Make what is handed out of a version in dist/ (VERSION=v1.2.3): programs for each platform, images, the chart, bills of materials, checksums; half an hour
	$(call patiently,still making the release,cd deploy/release && exec $(GO) run . -version "$(VERSION)" -out "$(CURDIR)/dist")

.PHONY: check
check: check-format check-vet check-workflows check-walls check-generated check-modules check-vulnerabilities ## Prove format, vet, walls, generated code, tidy modules, deterministic workflows and no known vulnerability

.PHONY: check-format
check-format:
	@bad=$$(gofmt -l .) || exit 1; if [ -n "$$bad" ]; then echo "not formatted; run make fmt:"; echo "$$bad"; exit 1; fi

.PHONY: check-vet
check-vet:
	$(GO) vet ./...
	$(call patiently,still vetting cmd/dev,cd cmd/dev && exec $(GO) vet ./...)
	$(call patiently,still vetting deploy/check,cd deploy/check && $(GO) vet ./... && cd ../release && exec $(GO) vet ./...)

.PHONY: check-workflows
check-workflows:
	$(GO) run $(WORKFLOWCHECK) -config workflowcheck.yaml ./workflows/...

# Never from the cache: what "go list" reads is not known to it.
.PHONY: check-walls
check-walls:
	$(GO) test -count=1 -run '^TestWalls' .

.PHONY: check-generated
check-generated:
	$(GO) run ./cmd/internal/generate -check

.PHONY: check-modules
check-modules:
	@for module in $(MODULES); do echo "$$module: go mod tidy -diff"; ( cd "$$module" && $(GO) mod tidy -diff ) || exit 1; done

# Only what is shipped is looked at. Without the database nothing can be told, and that is no fault of the code.
.PHONY: check-vulnerabilities
check-vulnerabilities:
	@mkdir -p bin; GOBIN=$(CURDIR)/bin $(GO) install $(GOVULNCHECK) && \
	out=$$(bin/govulncheck -db $(VULNDB) ./cmd/api ./cmd/worker ./cmd/migrate ./cmd/signalbox ./client/... 2>&1); code=$$?; \
	case "$$code:$$out" in \
	0:*) echo "no known vulnerability is called" ;; \
	*"fetching vulnerabilities"*) echo "*** vulnerabilities were NOT looked for: $(VULNDB) cannot be reached" ;; \
	*) echo "$$out"; exit $$code ;; \
	esac

.PHONY: fuzz
fuzz: ## Send whatever comes to mind to every call and decoder, FUZZ_TIME each
	@grep -rl --include='*_test.go' --exclude-dir=dev '^func Fuzz' . | sort | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' "$$file"); do \
			echo "=== $$(dirname "$$file") $$target"; \
			$(GO) test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 10x || exit 1; \
		done; \
	done

.PHONY: golden
golden: ## Write every golden file anew: routes, the table of settings, drawings, texts of faults, the rendered chart
	@grep -rl --include='*_test.go' --exclude-dir=dev 'Getenv("SIGNALBOX_WRITE")' . | sort | while read -r file; do \
		tests=$$(awk '/^func / { name = $$2; sub(/\(.*/, "", name) } /Getenv\("SIGNALBOX_WRITE"\)/ { print name }' "$$file" | sort -u | paste -sd'|' -); \
		( cd "$$(dirname "$$file")" && SIGNALBOX_WRITE=1 $(GO) test -count=1 -run "^($$tests)\$$" . ) || exit 1; \
	done

.PHONY: screenshots
screenshots: ## Take the pictures of docs/pages.md anew (needs Chromium)
	$(call patiently,still taking pictures,cd cmd/dev && exec env SIGNALBOX_PICTURES=$(CURDIR)/docs/screenshots $(GO) test -count=1 -run '^TestPicturesOfTheDocumentation$$' ./e2e)

.PHONY: histories
histories: ## Record the workflows of this build into workflows/testdata/histories/FOLDER, a new one (some minutes)
	@test -n "$(FOLDER)" || { echo "say where: make histories FOLDER=2"; exit 1; }
	$(call patiently,still recording,cd cmd/dev && exec env SIGNALBOX_RECORD=$(FOLDER) $(GO) test -count=1 -timeout $(DEV_TIMEOUT) -run '^TestRecordHistories$$' ./e2e)

.PHONY: fmt
fmt: ## Format all Go code
	gofmt -w .

.PHONY: clean
clean: ## Remove what was built, and the data of the development system
	rm -rf bin .data
