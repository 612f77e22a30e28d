// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/observe/checks"
)

// Config is all that the process can be told. Flags set it; every field has a
// working default but Namespace.
type Config struct {
	// Namespace is podgate's own: of its lease, its certificate and its webhook's Service.
	Namespace string
	// WatchNamespace limits podgate to one namespace; all when empty.
	WatchNamespace string
	// CleanUp has the process take podgate's traces out of the cluster, and end.
	CleanUp bool
	// InjectGates switches the webhook's patches; pods are admitted unchanged without it.
	InjectGates bool
	// WebhookEnabled is the value of SwitchVariable.
	WebhookEnabled string
	// Bindings says which bindings are served.
	Bindings string
	// AllowTargets says which target groups and backends the bindings and Ingresses of which namespaces may name; all when empty.
	AllowTargets allow.List
	// LBCLeaseNamespace is where AWS Load Balancer Controller's lease is looked for.
	LBCLeaseNamespace string
	// AbsenceGrace is how long something must be missing before running targets go.
	AbsenceGrace time.Duration
	// OrphanGrace is how long a pod waits at a gate that no binding claims.
	OrphanGrace time.Duration
	// TargetFloor is how many running targets stay while pods that should serve do not.
	TargetFloor int
	// Linger is how long a replica that is told to end serves on.
	Linger time.Duration
	// Workers is how many bindings, and how many pods, are handled at a time.
	Workers int
	// DrainImage holds the program of adaptive preStop hooks at /drain; such hooks are not
	// injected when it is empty.
	DrainImage string
	// DrainImageVolume lets pods have that image as a volume where all nodes can mount it.
	DrainImageVolume bool
	// Verbosity is 0 for what an operator reads, 1 for what a developer does.
	Verbosity int

	// AWS is about AWS's API, Ingress about load balancers of Ingresses, Checks about the checks of ReadinessGates, Election about who leads, Listen about where the
	// process listens, and Certificate about the webhook's certificate.
	AWS         AWSConfig
	Ingress     IngressConfig
	Checks      ChecksConfig
	Election    ElectionConfig
	Listen      ListenConfig
	Certificate CertificateConfig
	// Parts are what tests replace. No flag sets them.
	Parts Parts
}

// AWSConfig says where target groups are, and how often AWS is asked about them.
type AWSConfig struct {
	// Region is that of target groups whose binding names none. Without one they are where
	// their ARNs say.
	Region string
	// DescribeRate and RegisterRate are calls per second per account and region; the bursts are their buckets.
	DescribeRate, RegisterRate   float64
	DescribeBurst, RegisterBurst int
	// AuditInterval is the longest time between two reads of a group, and AuditQuiet how long nothing must have changed in
	// it until then.
	AuditInterval, AuditQuiet time.Duration
}

// ChecksConfig says what the checks of ReadinessGates may ask, and how much.
type ChecksConfig struct {
	// Allowed is what they may ask apart from the gated pods.
	Allowed allow.List
	// Prometheus are the servers that they may name, where Allowed lets them.
	Prometheus prometheus.Flag
	Limits     checks.Limits
}

// ElectionConfig says how replicas agree on which of them acts.
type ElectionConfig struct {
	// Enabled is false only where one replica runs by hand.
	Enabled bool
	// LeaseDuration is how long a silent leader is waited for, RenewDeadline how long it tries to renew its lease, and
	// RetryPeriod the time between two tries.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
}

// ListenConfig says where the process listens.
type ListenConfig struct {
	// Metrics, Health and Profiles are addresses; "0" switches them off.
	Metrics, Health, Profiles string
	// SecureMetrics serves metrics over HTTPS, to those whom the API server lets read them.
	SecureMetrics bool
	WebhookPort   int
}

// Parts are pieces of the process that have a default, which counts where they are nil.
type Parts struct {
	// Random returns a duration below its argument, for jitter; rand.N by default.
	Random func(time.Duration) time.Duration
	// Gates are the kinds of gates; gates.All by default.
	Gates gates.Kinds
	// Dial connects to what checks ask; that of a network.Guard by default.
	Dial network.Dial
	// Ask asks the webhook whether it would give a pod these gates; webhook.Ask by default.
	Ask func(context.Context, *admissionv1.MutatingWebhookConfiguration, *corev1.Pod, []string) error
}

// ProvidedFlag names the Secret of a webhook certificate that somebody else makes and renews.
const ProvidedFlag = "webhook-certificate-secret"

// CertificateConfig tells where the webhook's certificate comes from and how long it lives.
type CertificateConfig struct {
	// Provided names the Secret of a certificate that somebody else makes; podgate makes one when empty.
	Provided                                          string
	CAValidity, ServingValidity, Propagation, Overlap time.Duration
}

// Bind declares the flags.
func (c *Config) Bind(fs *flag.FlagSet) {
	fs.StringVar(&c.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "podgate's own namespace; POD_NAMESPACE when not given")
	fs.StringVar(&c.WatchNamespace, "watch-namespace", "", "serve this namespace only; all when empty")
	fs.BoolVar(&c.CleanUp, "clean-up", false, "stop podgate and take its webhook, its finalizers and its closed gates out of the cluster, then end; what an uninstallation runs")
	fs.BoolVar(&c.InjectGates, "enable-pod-readiness-gate-inject", true, "inject readiness gates into pods of labelled namespaces")
	fs.StringVar(&c.Bindings, "target-group-bindings", string(binding.OwnAll), "which TargetGroupBindings are served: all, annotated (with "+v1alpha1.ManageAnnotation+": \"true\") or none")
	fs.Var(&c.AllowTargets, "allow-targets", "'SELECTOR => PATTERN...': bindings and Ingresses of namespaces with these labels may name target groups, roles and backends like these, and others nothing; may be repeated; all may name everything without it")
	fs.Var(&c.Checks.Prometheus, "prometheus", "NAME=URL[,tokenFile=FILE][,caFile=FILE][,tenantParam=NAME][,tenantHeader=NAME]: a Prometheus server that checks may name where --allow-checks has prometheus:NAME; may be repeated")
	fs.Var(&c.Checks.Allowed, "allow-checks", "'SELECTOR => PATTERN...': checks of ReadinessGates of namespaces with these labels may ask addresses (HOST:PORT), URLs and servers (prometheus:NAME) like these; may be repeated; checks ask the gated pods themselves and nothing else without it")
	fs.StringVar(&c.LBCLeaseNamespace, "lbc-lease-namespace", "kube-system", "namespace of AWS Load Balancer Controller's lease, which reports whether it is running")
	fs.DurationVar(&c.AbsenceGrace, "absence-grace", 30*time.Second, "how long a Service, its port or all its pods must be missing before running targets are deregistered")
	fs.DurationVar(&c.OrphanGrace, "orphan-grace", gate.ReleaseAfter, "how long after its containers became ready a pod waits at a gate that no binding claims; it is released then")
	fs.IntVar(&c.TargetFloor, "target-floor", 1, "how many running targets of a group stay registered while pods that should serve do not")
	fs.StringVar(&c.DrainImage, "drain-image", "", "image with the program of adaptive preStop hooks at /drain, such as podgate's own; without it pods of bindings that ask for them sleep in full")
	fs.BoolVar(&c.DrainImageVolume, "drain-image-volume", true, "bring that program into pods by an image volume, which unlike an emptyDir lets kubectl drain evict them, while every Linux node has kubelet 1.35 and containerd 2.1 or newer; false where a policy forbids such volumes")
	fs.DurationVar(&c.Linger, "linger", 3*time.Second, "how long a replica that is told to end answers its webhook after the last call; it goes on while an API server keeps a connection to it, 95s at most")
	fs.IntVar(&c.Workers, "workers", 32, "bindings, and pods, handled at a time")
	fs.IntVar(&c.Verbosity, "v", 0, "log verbosity: 0 or 1")

	c.WebhookEnabled = os.Getenv(SwitchVariable)
	c.AWS.bind(fs)
	c.Ingress.bind(fs)
	c.Checks.bind(fs)
	c.Election.bind(fs)
	c.Listen.bind(fs)
	c.Certificate.bind(fs)
}

func (c *AWSConfig) bind(fs *flag.FlagSet) {
	fs.StringVar(&c.Region, "aws-region", os.Getenv("AWS_REGION"), "AWS region of target groups whose binding names none; AWS_REGION when not given")
	// The bursts are two below AWS's: calls do not arrive as evenly as they are sent.
	fs.Float64Var(&c.DescribeRate, "aws-describe-rate", 10, "Describe calls per second, per account and region")
	fs.IntVar(&c.DescribeBurst, "aws-describe-burst", 38, "Describe calls that may be made at once, per account and region")
	fs.Float64Var(&c.RegisterRate, "aws-register-rate", 4, "Register and Deregister calls per second, per account and region")
	fs.IntVar(&c.RegisterBurst, "aws-register-burst", 18, "Register and Deregister calls that may be made at once, per account and region")
	fs.DurationVar(&c.AuditInterval, "aws-audit-interval", observe.RestInterval, "longest time between two reads of a target group, 5m or more; one that changed lately is read within 5m, whatever this says")
	fs.DurationVar(&c.AuditQuiet, "aws-audit-quiet", observe.QuietAfter, "how long nothing must have changed in a target group until it is read no sooner than that")
}

// perGate is how many questions of one gate are under way at a time.
const perGate = 16

func (c *ChecksConfig) bind(fs *flag.FlagSet) {
	c.Limits.PerGate = perGate
	fs.Float64Var(&c.Limits.Rate, "check-rate", 200, "questions that the checks of all ReadinessGates together ask per second")
	fs.IntVar(&c.Limits.Concurrency, "check-concurrency", 64, fmt.Sprintf("questions of checks that are under way at a time, %d of them for one ReadinessGate at most", perGate))
}

func (c *ElectionConfig) bind(fs *flag.FlagSet) {
	fs.BoolVar(&c.Enabled, "leader-elect", true, "let one replica at a time act; the webhook runs in all")
	fs.DurationVar(&c.LeaseDuration, "leader-lease-duration", 8*time.Second, "how long a silent leader is waited for")
	fs.DurationVar(&c.RenewDeadline, "leader-renew-deadline", 5*time.Second, "how long a leader tries to renew its lease before it gives up")
	fs.DurationVar(&c.RetryPeriod, "leader-retry-period", time.Second, "time between two tries to get or renew the lease")
}

func (c *ListenConfig) bind(fs *flag.FlagSet) {
	fs.StringVar(&c.Metrics, "metrics-bind-address", ":8080", "address of /metrics; 0 switches it off")
	fs.BoolVar(&c.SecureMetrics, "metrics-secure", true, "serve the metrics over HTTPS, with podgate's own certificate or that of --"+ProvidedFlag+", to whom the API server lets get /metrics; plain and to everybody when false")
	fs.StringVar(&c.Health, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	fs.StringVar(&c.Profiles, "pprof-bind-address", "0", "address of /debug/pprof, where anybody who reaches it gets profiles of the process, so one of 127.0.0.1; 0 switches it off")
	fs.IntVar(&c.WebhookPort, "webhook-port", 9443, "port of the admission webhook")
}

func (c *CertificateConfig) bind(fs *flag.FlagSet) {
	fs.StringVar(&c.Provided, ProvidedFlag, "", "Secret, in podgate's namespace, of a webhook certificate that you provide and renew (tls.crt, tls.key, ca.crt); podgate makes and rotates its own when empty")
	fs.DurationVar(&c.CAValidity, "webhook-ca-validity", 365*24*time.Hour, "life of the webhook's certificate authority; it is replaced at two thirds")
	fs.DurationVar(&c.ServingValidity, "webhook-certificate-validity", 90*24*time.Hour, "life of the webhook's certificate; it is replaced at two thirds")
	fs.DurationVar(&c.Propagation, "webhook-ca-propagation", 15*time.Second, "how long a new authority is published before a certificate of it is served; longer than timeoutSeconds of the webhook configuration")
	fs.DurationVar(&c.Overlap, "webhook-ca-overlap", 5*time.Minute, "how long an old authority stays trusted after its certificate was replaced")
}

// kinds returns the kinds of gates.
func (c *Config) kinds() gates.Kinds {
	if c.Parts.Gates == nil {
		return gates.All()
	}
	return c.Parts.Gates
}

// Validate tells what is wrong, all of it at once.
func (c *Config) Validate() error {
	var errs []error
	if c.Namespace == "" {
		errs = append(errs, errors.New("own namespace not known: set --namespace or POD_NAMESPACE"))
	}

	if _, err := SwitchedOn(c.WebhookEnabled); err != nil {
		errs = append(errs, err)
	}

	switch binding.Ownership(c.Bindings) {
	case binding.OwnAll, binding.OwnAnnotated, binding.OwnNone:
	default:
		errs = append(errs, fmt.Errorf("--target-group-bindings=%q: must be all, annotated or none", c.Bindings))
	}

	if c.AbsenceGrace < 0 {
		errs = append(errs, fmt.Errorf("--absence-grace=%s: must not be negative", c.AbsenceGrace))
	}

	if c.OrphanGrace <= 0 {
		errs = append(errs, fmt.Errorf("--orphan-grace=%s: must be above 0", c.OrphanGrace))
	}

	if c.TargetFloor < 1 {
		errs = append(errs, fmt.Errorf("--target-floor=%d: must be at least 1", c.TargetFloor))
	}

	if a := c.AWS; a.DescribeRate <= 0 || a.RegisterRate <= 0 || a.DescribeBurst < 1 || a.RegisterBurst < 1 {
		errs = append(errs, errors.New("--aws-*-rate must be above 0 and --aws-*-burst at least 1"))
	}

	if c.AWS.AuditInterval < 5*time.Minute {
		errs = append(errs, fmt.Errorf("--aws-audit-interval=%s: must be at least 5m", c.AWS.AuditInterval))
	}

	if c.AWS.AuditQuiet <= 0 {
		errs = append(errs, fmt.Errorf("--aws-audit-quiet=%s: must be above 0", c.AWS.AuditQuiet))
	}

	if l := c.Checks.Limits; l.Rate <= 0 || l.Concurrency < 1 {
		errs = append(errs, errors.New("--check-rate must be above 0 and --check-concurrency at least 1"))
	}

	if c.Linger < 0 {
		errs = append(errs, fmt.Errorf("--linger=%s: must not be negative", c.Linger))
	}

	errs = append(errs, c.Ingress.validate(binding.Ownership(c.Bindings))...)

	if c.Workers < 1 {
		errs = append(errs, fmt.Errorf("--workers=%d: must be at least 1", c.Workers))
	}

	return errors.Join(errs...)
}
