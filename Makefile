# Every target is a command or two that can be run by hand as well. What they
# install goes to .tools/, what they build to bin/, and nothing elsewhere.

golangci := .tools/golangci-lint-2.15.0
cfnlint  := .tools/cfn-lint-1.58.0

# How functions are released. lambda.norpc leaves out the runtime of 2017.
release  := GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags '-s -w'

.PHONY: build
build: build-TokenFunction build-RevokeFunction build-IntrospectFunction build-DevicesFunction build-MetadataFunction build-AuthorizerFunction build-MeFunction
	go build -o bin/fob ./cmd/fob

# `sam build` calls these, named after the resources in template.yaml, and says
# in ARTIFACTS_DIR where it wants the program.
ARTIFACTS_DIR ?= $(@:build-%=bin/%)

.PHONY: build-TokenFunction build-RevokeFunction build-IntrospectFunction build-DevicesFunction build-MetadataFunction build-AuthorizerFunction build-MeFunction
build-TokenFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/token
build-RevokeFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/revoke
build-IntrospectFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/introspect
build-DevicesFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/devices
build-MetadataFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/metadata
build-AuthorizerFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/authorizer
build-MeFunction:
	$(release) -o $(ARTIFACTS_DIR)/bootstrap ./functions/me

# Every test, with the DynamoDB engines that this machine can have.
.PHONY: test
test: engines
	go test -race ./...

# Each fuzz target for so long. What breaks one is kept in its package's testdata.
FUZZTIME ?= 30s
.PHONY: fuzz
fuzz:
	@set -e; for file in $$(grep -lr '^func Fuzz' --include='*_test.go' internal); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$file); do \
			go test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); \
		done; done

# The fault, race and model suites at full length: an hour and more.
.PHONY: long
long: engines
	FOB_PROOF=long FOB_RACE_HISTORIES=200 go test -race -v -timeout 120m ./internal/proof
	go test -timeout 60m ./internal/oauth -run TestModel -rapid.checks=20000

# Breaks each promise once and wants the named test red.
.PHONY: mutants
mutants: engines
	go test -v -timeout 60m -run '^TestMutants$$' ./infra -mutants .

.PHONY: engines
engines:
	@infra/engines.sh

.PHONY: lint
lint: $(golangci)/golangci-lint $(cfnlint)/bin/cfn-lint
	test -z "$$(gofmt -l cmd functions infra internal | tee /dev/stderr)"
	go vet ./...
	$(golangci)/golangci-lint run ./...
	$(cfnlint)/bin/cfn-lint template.yaml infra/*.yaml docs/examples/*.yaml

$(golangci)/golangci-lint:
	GOBIN=$(CURDIR)/$(golangci) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(golangci:.tools/golangci-lint-%=%)

# A broken install must not be taken for a whole one the next time.
$(cfnlint)/bin/cfn-lint:
	rm -rf $(cfnlint)
	python3 -m venv $(cfnlint)
	$(cfnlint)/bin/pip install --quiet cfn-lint==$(cfnlint:.tools/cfn-lint-%=%) || { rm -rf $(cfnlint); exit 1; }

# The whole service on http://localhost:8080, in memory.
.PHONY: local
local:
	go run ./cmd/fob serve

# One function in Lambda's image: docs/sam-local.md says what it needs beside it.
# make invoke FUNCTION=RevokeFunction EVENT=functions/revoke/events/revoke.json
FUNCTION ?= TokenFunction
EVENT    ?= functions/token/events/password.json
.PHONY: invoke
invoke:
	sam build $(FUNCTION)
	cp keys.json .aws-sam/build/$(FUNCTION)/
	sam local invoke $(FUNCTION) --event $(EVENT) --env-vars infra/sam-local.env.json --add-host host.docker.internal:host-gateway

# make deploy ENV=prod
ENV ?= default
.PHONY: deploy
deploy:
	sam build
	sam deploy --config-env $(ENV)
