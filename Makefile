# Targets: run build test check race plain web page soak fuzz bench docs cross clean. CI runs `make test`.
GO      ?= go
BIN     := bin/viscript
# names by which existing configurations start the roles
LINKS   := apptracker nm messenger node socks-client socks-server vpn-client vpn-server
FUZZTIME ?= 10s
SOAKTIME ?= 5m
# all but: SA2001, a lock taken as a barrier; U1000, which does not see methods used through type parameters
CHECKS  := inherit,-SA2001,-U1000
# The executable is static. The window, which needs a C compiler and its headers, is the same program built once more, beside it:
# libraries and fonts that only the window wants would take 7 MB of memory in every other process.
TAGS     = $(shell .ci/window check || echo headless)
NATIVE   = test "$$($(GO) env GOOS GOARCH)" = "$$($(GO) env GOHOSTOS GOHOSTARCH)"
BUILDID  = -s -w -buildid=$$($(GO) tool buildid $(BIN))

.PHONY: run build test check race plain web page soak fuzz bench docs cross clean tools
.DEFAULT_GOAL := build

# at a desktop with its window, which may have to be built first
run:
	@test -z "$$DISPLAY" || .ci/window install || true
	@$(MAKE) --no-print-directory build
	./$(BIN) --up demo

build:
	@mkdir -p bin/meshnet
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/viscript
	@test "$$($(GO) env GOOS)" != linux || CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(BUILDID)" -o $(BIN)-keep ./cmd/viscript-keep
	@rm -f $(BIN)-window
	@test -z "$(TAGS)" || echo "building without the window: .ci/window install"
	@test -n "$(TAGS)" || test "$$($(GO) env GOOS)" != linux || ! $(NATIVE) || \
		CGO_ENABLED=1 $(GO) build -trimpath -ldflags "$(BUILDID)" -o $(BIN)-window ./cmd/viscript
	@for l in $(LINKS); do ln -sf ../viscript bin/meshnet/meshnet-run-$$l; done

# what the tests need beside Go: a C compiler for the race detector, and the programs that scripts drive, the headers of the window and an X server to run it on
tools:
	@.ci/tools

test: tools check race plain web soak fuzz

check: build
	@bad=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$bad" || { echo "not gofmt-ed: $$bad"; exit 1; }
	$(GO) vet -tags "$(TAGS)" ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0 -tags "$(TAGS)" -checks $(CHECKS) ./...
	@$(GO) mod tidy -diff
	./$(BIN) config check
	@$(MAKE) --no-print-directory cross

race:
	@GO="$(GO)" TAGS="$(TAGS)" .ci/race

# what the race detector would disturb or make too slow: 10,000 messages of people each way with processes killed, what a stolen messenger
# holds in its files and its memory, floods of mailboxes and requests; memory of roles at rest
plain:
	CGO_ENABLED=0 $(GO) test -count=1 -timeout 20m -v -run '^(TestChatThousands|TestMessengerStolen|TestChatAbuse|TestRestingMemory)$$' ./cmd/viscript

# the chat's page: what is committed is what its sources build, and Chromium shows it well
web: build
	@.ci/web

# builds the chat's page; the result is committed, and part of the program
page:
	@.ci/web build

# the mesh demo, and apps that come and go, crash and flood beside it: nothing may grow
soak:
	SOAK=$(SOAKTIME) CGO_ENABLED=1 $(GO) test -tags "$(TAGS)" -race -count=1 -timeout 30m -run '^TestSoak$$' -v ./cmd/viscript

# every fuzz target of the tree for FUZZTIME each
fuzz:
	@.ci/fuzz $(FUZZTIME)

bench:
	$(GO) test -tags "$(TAGS)" -run '^$$' -bench . -benchmem ./...

# the files of docs that the program prints, which a test compares; the picture of the window
docs: build
	@mkdir -p docs
	./$(BIN) man > docs/viscript.1
	./$(BIN) config systemd --program /usr/local/bin/viscript > docs/viscript.service
	docs/window/picture

# it compiles for systems that it does not run on yet, tests included
cross:
	GOOS=darwin CGO_ENABLED=0 $(GO) build ./...
	GOOS=darwin CGO_ENABLED=0 $(GO) vet ./...
	GOOS=windows CGO_ENABLED=0 $(GO) build ./...
	GOOS=windows CGO_ENABLED=0 $(GO) vet ./...

clean:
	rm -rf bin
