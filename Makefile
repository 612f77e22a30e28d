# podgate. `make` lists the targets; `make demo` and `make test` need nothing but Go, root and Debian 12.

GO      ?= go
# grpc shows its calls on a page that is made of a template, and a template may call any method, so that the linker leaves out none.
STATIC  := CGO_ENABLED=0 $(GO) build -trimpath -tags grpcnotrace -ldflags '-s -w'
LOCAL   := bin/localcluster
# Names of the clusters that the targets start; two checkouts at once need two names.
DEMO    ?= demo
E2E     ?= e2e
# On how many clusters at once the end-to-end tests run.
E2E_CLUSTERS ?= 3
# In how many processes at once the engine's tests run.
ENGINE_PARTS ?= 3
# Flags of the experiment and of the end-to-end tests, such as DEMO_FLAGS='--rate=400' or E2E_FLAGS='-test.run Leader'.
DEMO_FLAGS ?=
E2E_FLAGS  ?=
# The seeds of the model's first schedules, and its flags, such as MODEL_FLAGS='-schedules 20000'.
MODEL_BASES ?= 1 100001 200001
MODEL_FLAGS ?=
# How long the soak tries new schedules.
SOAK ?= 1h
# The releases of Kubernetes that test-versions tries, and flags of its tests, such as VERSIONS_FLAGS='-run TestLaw'.
VERSIONS ?= 1.35 1.36 1.37
VERSIONS_FLAGS ?=
# Flags of the bench, such as BENCH_FLAGS='--scenario flip'.
BENCH_FLAGS ?=

# Kubernetes' client for Debian's Python, with which a test runs a program that sets gates.
PYTHON_CLIENT := /usr/lib/python3/dist-packages/kubernetes=python3-kubernetes

# Quotes flags for the shell, one word each, so that a regular expression may hold what means something to it.
quoted = $(foreach flag,$(subst ',,$(subst ",,$(1))),'$(flag)')

# Says which step of the demo begins, and how many seconds after the start; nothing for other goals.
STARTED := $(shell date +%s)
step = $(if $(filter demo%,$(MAKECMDGOALS)),@printf '\n[%s of 5] %s (after %s s)\n' $(1) $(2) $$(($$(date +%s) - $(STARTED))))

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/' | expand -t 18

.PHONY: demo
demo: build images manifest cluster ## Show it: a rolling update without gates, with gates, and with three ways to drain (out/demo.html).
	$(call step,5,'Start a cluster and run the experiment')
	scripts/with-cluster $(DEMO) out/podgate.tar out/app-v1.tar out/app-v2.tar -- \
		bin/experiment run $(DEMO_FLAGS)

.PHONY: demo-haproxy
demo-haproxy: build images manifest cluster ## The same behind a real HAProxy outside the pods (out/demo-haproxy.html).
	$(call step,5,'Start a cluster and run the experiment')
	scripts/install-debian haproxy=haproxy
	scripts/with-cluster $(DEMO) out/podgate.tar out/app-v1.tar out/app-v2.tar -- \
		bin/experiment run --profile haproxy --runs ungated,gated,gated-prestop,drain --prestop 10 --grace-period 25 --json out/demo-haproxy.json --html out/demo-haproxy.html $(DEMO_FLAGS)

.PHONY: demo-lattice
demo-lattice: build images manifest cluster ## The same behind a simulated VPC Lattice: no gates, gates, gates and drain (out/demo-lattice.html).
	$(call step,5,'Start a cluster and run the experiment')
	scripts/with-cluster $(DEMO) out/podgate.tar out/app-v1.tar out/app-v2.tar -- \
		bin/experiment run --profile lattice --runs ungated,gated,drain --json out/demo-lattice.json --html out/demo-lattice.html $(DEMO_FLAGS)

.PHONY: demo-ingress
demo-ingress: build images manifest-ingress cluster ## The same behind an Ingress: nodes as targets, pods without gates, gates and preStop, gates and drain (out/demo-ingress.html).
	$(call step,5,'Start a cluster and run the experiment')
	scripts/with-cluster $(DEMO) out/podgate.tar out/app-v1.tar out/app-v2.tar -- \
		bin/experiment run --profile ingress --data-address 127.0.0.1 --controller-manifest out/podgate-ingress.yaml --runs instance,ungated,gated-prestop,drain --json out/demo-ingress.json --html out/demo-ingress.html $(DEMO_FLAGS)

.PHONY: demo-checks
demo-checks: build images manifest cluster ## A new version that answers errors for 35 s: without a ReadinessGate, and with one (out/demo-checks.html).
	$(call step,5,'Start a cluster and run the experiment')
	scripts/install-debian prometheus=prometheus
	scripts/with-cluster $(DEMO) out/podgate.tar out/app-v1.tar out/app-v2.tar -- \
		bin/experiment run --runs unchecked,checked --settle 15 --json out/demo-checks.json --html out/demo-checks.html $(DEMO_FLAGS)

.PHONY: test
test: tools cluster lint verify unit mutate mutants model smoke ## Lint, generated code, unit and API-server tests, mutations, mutants, random schedules, one rollout on the real cluster.

.PHONY: e2e
e2e: e2e-build ## Run the end-to-end tests on real clusters; with E2E_FLAGS those that the flags say, on one.
	scripts/install-debian chromium=chromium curl=curl haproxy=haproxy prometheus=prometheus
	$(if $(E2E_FLAGS),scripts/with-cluster $(E2E),scripts/e2e $(E2E) $(E2E_CLUSTERS)) out/podgate.tar out/app-v1.tar out/app-v2.tar \
		$(if $(E2E_FLAGS),-- bin/e2e.test -test.v -test.timeout 60m -test.parallel 8 $(call quoted,$(E2E_FLAGS)))

.PHONY: build
build: ## Build every program into bin/.
	$(call step,1,'Build the programs')
	$(STATIC) -o bin/ ./cmd/... ./test/experiment ./test/app
	@[ $$(wc -c < bin/podgate) -lt 57000000 ] || { echo 'bin/podgate is larger than 57 MB, most of which every replica has in memory: what did it begin to import?' >&2; exit 1; }
	$(GO) build -C test/localcluster -o ../../$(LOCAL) .

.PHONY: tools
tools: ## Build the pinned tools into bin/.
	GOBIN=$(CURDIR)/bin $(GO) install -C tools tool

.PHONY: cluster
cluster: build ## Build Kubernetes, containerd and etcd; about ten minutes the first time, cached after that.
	$(call step,4,'Build Kubernetes')
	$(LOCAL) build

.PHONY: images
images: build ## Build the images as tars under out/, without Docker.
	$(call step,2,'Build the images')
	@mkdir -p out
	$(GO) build -C build/image -o ../../bin/image .
	bin/image -name podgate.dev/podgate:dev -entrypoint /podgate -user 65532 -add /drain=bin/drain -o out/podgate.tar bin/podgate
	for v in v1 v2; do bin/image -name podgate.dev/app:$$v -entrypoint /app -link /bin/sleep -env APP_TEXT=$$v -user 65532 -o out/app-$$v.tar bin/app || exit 1; done

.PHONY: manifest
manifest: ## Render config/ to out/podgate.yaml.
	$(call step,3,'Render the manifest')
	@mkdir -p out
	GOBIN=$(CURDIR)/bin $(GO) install -C tools sigs.k8s.io/kustomize/kustomize/v5
	bin/kustomize build config > out/podgate.yaml

.PHONY: manifest-ingress
manifest-ingress: manifest ## The same with Ingresses served, of the VPC that awssim has, to out/podgate-ingress.yaml.
	GOBIN=$(CURDIR)/bin $(GO) install -C tools helm.sh/helm/v3/cmd/helm
	rm -rf out/config && cp -r config out/config
	bin/helm template podgate charts/podgate --namespace podgate-system --kube-version 1.37.0 --no-hooks --output-dir out/config \
		--set webhookEnabled=false,ingress.enabled=true,ingress.clusterName=test,ingress.vpcID=vpc-0a1b2c3d4e5f60718 >/dev/null
	bin/kustomize build out/config > out/podgate-ingress.yaml

.PHONY: generate
generate: tools ## Generate deepcopy functions, CRDs, RBAC, docs/{api,reasons,laws}.md, and config/ from the chart.
	bin/controller-gen object paths=./api/...
	bin/controller-gen crd paths=./api/... output:crd:artifacts:config=charts/podgate/files/crd
	bin/controller-gen rbac:roleName=podgate paths=./internal/... output:rbac:artifacts:config=charts/podgate/files
	bin/crd-ref-docs --source-path=api --config=build/reference/config.yaml --renderer=markdown --output-path=docs/api.md --log-level=ERROR
	$(GO) run ./build/reasons > docs/reasons.md
	$(GO) run ./test/mutations -docs
	rm -rf config/podgate
	bin/helm template podgate charts/podgate --namespace podgate-system --kube-version 1.37.0 --no-hooks --set webhookEnabled=false --output-dir config >/dev/null

.PHONY: lint
lint: ## Lint the modules, as .golangci.yml says.
	GOBIN=$(CURDIR)/bin $(GO) install -C tools github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...
	cd test/localcluster && ../../bin/golangci-lint run ./...
	cd build/image && ../../bin/golangci-lint run ./...

.PHONY: verify
verify: generate ## Fail when generated files are not what markers, chart and mutations say.
	@git diff --exit-code -- api charts config docs/api.md docs/reasons.md docs/laws.md || { echo 'generated files differ: commit what "make generate" made' >&2; exit 1; }

.PHONY: unit
unit: tools cluster ## Unit and API-server tests, with the race detector.
	scripts/install-debian aws=awscli chromium=chromium curl=curl gcc=gcc,libc6-dev haproxy=haproxy npm=npm prometheus=prometheus promtool=prometheus $(PYTHON_CLIENT)
	scripts/install-axe bin/axe.min.js
# The engine's tests mostly wait: they run beside all others.
	export LOCALCLUSTER=$(CURDIR)/$(LOCAL); scripts/test-engine $(ENGINE_PARTS) & \
		$(GO) test -race -shuffle=on -timeout 20m -p 3 $$($(GO) list ./... | grep -v /test/engine$$); others=$$?; \
		wait $$! && exit $$others
	$(GO) test -C test/localcluster -count=1 ./...
	$(GO) test -C build/image -count=1 ./...

.PHONY: test-sdk
test-sdk: ## The simulator's EC2 through the client of AWS's SDK, which takes minutes to compile; no part of the tests.
	$(GO) test -C sim/awssim/sdk -count=1 ./...

.PHONY: test-versions
test-versions: build tools ## The tests on an API server, on that of each release of Kubernetes in VERSIONS; no part of the tests.
	scripts/install-debian aws=awscli chromium=chromium curl=curl haproxy=haproxy npm=npm promtool=prometheus $(PYTHON_CLIENT)
	scripts/install-axe bin/axe.min.js
	scripts/test-versions $(VERSIONS) -- -count=1 -timeout 20m $(call quoted,$(VERSIONS_FLAGS))

.PHONY: mutate
mutate: ## Break each law on purpose and see its test fail.
	$(GO) run ./test/mutations

.PHONY: mutants
mutants: ## Change each operator of the pure packages and see their unit tests fail.
	$(GO) run ./test/mutants

.PHONY: shape
shape: ## Print how the code reads, in numbers: long functions, large structs, words, lines; it never fails.
	@$(GO) run ./test/shape

.PHONY: smoke
smoke: e2e-build ## One rolling update on the real cluster that loses no request.
	scripts/with-cluster smoke out/podgate.tar out/app-v1.tar out/app-v2.tar -- bin/e2e.test -test.v -test.timeout 10m -test.run TestSmoke

.PHONY: model
model: ## Random schedules of events and faults against a model of a cluster; a failing one prints how to replay it.
	$(GO) test -c -tags model -o bin/model.test ./internal/model
	for base in $(MODEL_BASES); do GOGC=1600 bin/model.test -test.timeout 30m -base $$base $(call quoted,$(MODEL_FLAGS)) || exit 1; done

.PHONY: vuln
vuln: ## Look for known vulnerabilities; needs Go's database of them from the network, or a copy that GOVULNDB names.
	GOBIN=$(CURDIR)/bin $(GO) install -C tools golang.org/x/vuln/cmd/govulncheck
	bin/govulncheck $(if $(GOVULNDB),-db $(GOVULNDB)) ./...
	bin/govulncheck -C test/localcluster $(if $(GOVULNDB),-db $(GOVULNDB)) ./...
	bin/govulncheck -C build/image $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

.PHONY: soak
soak: ## The same for an hour (SOAK) each with schedules that nobody has seen, whose base it prints; it fails at its end with all failing seeds.
	$(MAKE) model MODEL_BASES=0 MODEL_FLAGS='-test.run "TestModel|TestOtherGates|TestChecks" -test.timeout 0 -schedules 1000000000 -for $(SOAK) -keep'

.PHONY: e2e-build
e2e-build: tools images manifest-ingress cluster
	CGO_ENABLED=0 $(GO) test -c -tags e2e -o bin/e2e.test ./test/e2e

.PHONY: record-alerts
record-alerts: e2e-build ## Record what the alert rules are tried on, on the real cluster; 25 minutes, no part of the tests.
	scripts/with-cluster $(E2E) out/podgate.tar out/app-v1.tar out/app-v2.tar -- \
		bin/e2e.test -test.v -test.timeout 60m -test.run TestRecordAlerts -record test/alerts/testdata/recording.yaml

.PHONY: bench
bench: build ## Measure podgate at scale against its limits (out/bench.json); no part of the tests.
	$(LOCAL) build --api-only
	$(GO) build -o bin/bench ./bench
	bin/bench $(BENCH_FLAGS)

.PHONY: clean
clean: ## Remove what was built here; the cache of built Kubernetes stays.
	rm -rf bin out
