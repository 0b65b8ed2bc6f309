# Each target is a command or two that you can also run by hand. Tools are
# installed in .tools/, programs are built in bin/.

golangci    := .tools/golangci-lint-2.15.0
govulncheck := .tools/govulncheck-1.9.0
# The SAM CLI brings cfn-lint.
sam         := .tools/aws-sam-cli-1.170.0
checkov     := .tools/checkov-3.3.30
actionlint  := .tools/actionlint-1.7.12
goreleaser  := .tools/goreleaser-2.14.3
cyclonedx   := .tools/cyclonedx-gomod-1.10.0

.PHONY: build test test-unraced test-plain fuzz long mutants engines clients lint vulncheck local invoke sam deploy release

# How functions are released. lambda.norpc leaves out the runtime of 2017.
release  := GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags '-s -w'

# fob, and each folder in functions/ as Lambda runs it.
build:
	go build -o bin/fob ./cmd/fob
	set -e; for main in functions/*/main.go; do \
		folder=$$(basename $$(dirname $$main)); $(release) -o bin/$$folder/bootstrap ./functions/$$folder; \
	done

# `sam build` makes build-<resource of template.yaml> and sets ARTIFACTS_DIR.
ARTIFACTS_DIR ?= bin/$*
build-%Function:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/$(shell echo $* | tr '[:upper:]' '[:lower:]')

# Tests that the race detector makes six times as long (one request or step after the other,
# or one hash) or whose count it changes. Code that runs at the same time has tests in
# internal/proof/races, functions and the packages.
unraced := ^(TestInMemory|TestAtTheProtocol|TestHide|TestImportedHashesVerify|TestFormsOfOnePassword|TestModel|TestModelOfJWTs|TestRotationLosesNothing|TestRetiringEarlyLosesTokens|TestCapOfAFleet|TestCapAgainstChosenNames|TestAllocations)$$

# Packages that it only slows down: cmd/fob runs one command after the other and waits for
# other programs, and repotest reads files.
plain := ./cmd/fob ./internal/repotest
module := github.com/fob-oauth/fob
raced   = $(filter-out $(plain:./%=$(module)/%),$(shell go list ./...))

# Every test, with the DynamoDB engines and the client libraries that this machine can run.
test: engines clients
	.ci/alive go test -race -timeout 20m -skip '$(unraced)' $(or $(raced),$(error go list names no package))
	@$(MAKE) --no-print-directory -j2 test-unraced test-plain

test-unraced:
	.ci/alive go test -timeout 20m -run '$(unraced)' ./internal/proof/faults ./internal/password ./internal/ledger ./internal/keys/rotation ./internal/oauth ./functions

# repotest runs make itself, which must not look for the job server of this one.
test-plain:
	MAKEFLAGS= .ci/alive go test -timeout 20m $(plain)

# Of the fuzz targets and the mutants, PART=1/7 is every seventh one.
PART ?= 1/1

# Each fuzz target for FUZZTIME. An input that fails is kept in its package's testdata.
FUZZTIME ?= 30s
fuzz:
	@set -e; n=0; for file in $$(grep -lr '^func Fuzz' --include='*_test.go' internal | sort); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file); do \
			n=$$((n + 1)); [ $$((n % $(notdir $(PART)))) -eq $$(($(patsubst %/,%,$(dir $(PART))) % $(notdir $(PART)))) ] || continue; \
			go test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); \
		done; done

# The fault, race and model suites at full length: an hour and more.
long: engines clients
	FOB_PROOF=long FOB_RACE_HISTORIES=200 .ci/alive go test -race -v -timeout 120m ./internal/proof/...
	.ci/alive go test -timeout 60m ./internal/ledger -run TestModel -rapid.checks=20000
	.ci/alive go test -race -timeout 60m ./cmd/fob

# Breaks each promise once and wants the named test to fail.
mutants: engines
	go test -v -timeout 60m -run '^TestMutants$$' ./internal/repotest -mutants . -part $(PART)

engines:
	@.ci/alive internal/dynamo/dynamotest/engines.sh

clients:
	@.ci/alive cmd/fob/testdata/clients/install.sh

lint: $(golangci)/golangci-lint $(sam)/bin/sam $(checkov)/bin/checkov $(actionlint)/actionlint
	test -z "$$(gofmt -l cmd functions infra internal | tee /dev/stderr)"
	$(golangci)/golangci-lint run ./...
	SAM_CLI_TELEMETRY=0 $(sam)/bin/sam validate --lint
	$(sam)/bin/cfn-lint infra/*.yaml docs/examples/*.yaml
	$(sam)/bin/python3 .ci/transformed.py
	$(checkov)/bin/checkov --config-file .ci/checkov.yaml -f template.yaml infra/edge.yaml infra/github.yaml $(wildcard docs/examples/*.yaml)
	$(checkov)/bin/python3 .ci/terraform.py
	$(actionlint)/actionlint

# Known weaknesses in what fob links. It needs the Go vulnerability database.
vulncheck: $(govulncheck)/govulncheck
	$(govulncheck)/govulncheck ./...

$(golangci)/golangci-lint:
	GOBIN=$(CURDIR)/$(golangci) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(golangci:.tools/golangci-lint-%=%)

$(govulncheck)/govulncheck:
	GOBIN=$(CURDIR)/$(govulncheck) go install golang.org/x/vuln/cmd/govulncheck@v$(govulncheck:.tools/govulncheck-%=%)

$(actionlint)/actionlint:
	GOBIN=$(CURDIR)/$(actionlint) go install github.com/rhysd/actionlint/cmd/actionlint@v$(actionlint:.tools/actionlint-%=%)

$(goreleaser)/goreleaser:
	GOBIN=$(CURDIR)/$(goreleaser) go install github.com/goreleaser/goreleaser/v2@v$(goreleaser:.tools/goreleaser-%=%)

$(cyclonedx)/cyclonedx-gomod:
	GOBIN=$(CURDIR)/$(cyclonedx) go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v$(cyclonedx:.tools/cyclonedx-gomod-%=%)

# An install that failed halfway must not pass for a whole one the next time.
define python_tool
	rm -rf $(1)
	python3 -m venv $(1)
	$(1)/bin/pip install --quiet --no-compile $(2) || { rm -rf $(1); exit 1; }
endef
$(sam)/bin/sam:
	$(call python_tool,$(sam),aws-sam-cli==$(sam:.tools/aws-sam-cli-%=%))
$(checkov)/bin/checkov:
	$(call python_tool,$(checkov),checkov==$(checkov:.tools/checkov-%=%))

# The whole service on http://localhost:8080, in memory.
local:
	go run ./cmd/fob serve

# Each sample event in Lambda's image, and SAM's gateway, where there is Docker: docs/sam-local.md
# says what it needs. One event: make invoke FUNCTION=RevokeFunction EVENT=functions/revoke/events/revoke.json
FUNCTION ?=
EVENT    ?=
invoke:
	.ci/invoke $(if $(FUNCTION)$(EVENT),$(or $(FUNCTION),TokenFunction) $(or $(EVENT),functions/token/events/password.json))

# The SAM CLI that CI tries, as .tools/sam.
sam: $(sam)/bin/sam
	ln -sf $(notdir $(sam))/bin/sam .tools/sam

# The program fob for each platform, with checksums and a list of what is in each. Without
# a tag it is a rehearsal: nothing leaves this machine.
RELEASE ?= --snapshot
release: $(goreleaser)/goreleaser $(cyclonedx)/cyclonedx-gomod
	PATH="$(CURDIR)/$(cyclonedx):$$PATH" $(goreleaser)/goreleaser release --clean $(RELEASE)

# make deploy ENV=prod
ENV ?= default
deploy:
	sam build
	sam deploy --config-env $(ENV)
