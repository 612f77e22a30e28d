# podgate. `make` lists the targets; `make demo` and `make test` need nothing but Go, root and Debian 12.

GO        ?= go
CLUSTER   ?= podgate
LDFLAGS   := -s -w
STATIC    := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
LOCAL     := bin/localcluster
E2E_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/' | expand -t 18

##-- building

.PHONY: build
build: ## Build every program into bin/.
	$(STATIC) -o bin/ ./cmd/... ./test/experiment ./test/app
	$(GO) build -C test/localcluster -o ../../$(LOCAL) .

.PHONY: tools
tools: ## Build the pinned tools into bin/.
	GOBIN=$(CURDIR)/bin $(GO) -C tools install tool

.PHONY: generate
generate: tools ## Generate deepcopy functions, CRDs and RBAC from markers.
	bin/controller-gen object paths=./api/...
	bin/controller-gen crd paths=./api/... output:crd:artifacts:config=config/crd
	bin/controller-gen rbac:roleName=podgate paths=./internal/... output:rbac:artifacts:config=config/rbac

.PHONY: images
images: build ## Build the images as tars under out/, without Docker.
	$(GO) run ./build/image -name podgate.dev/podgate:dev -entrypoint /podgate -user 65532 -o out/podgate.tar bin/podgate

.PHONY: manifest
manifest: tools ## Render config/ to out/podgate.yaml.
	@mkdir -p out
	bin/kustomize build config > out/podgate.yaml
