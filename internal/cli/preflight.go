// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/plural"
)

// Severity says what a finding will do.
type Severity string

// The severities.
const (
	// SeverityError: the next rollout loses requests, or does not end.
	SeverityError Severity = "Error"
	// SeverityWarning: it may.
	SeverityWarning Severity = "Warning"
)

// Finding is something that will cost requests in the next rollout.
type Finding struct {
	Severity Severity `json:"severity"`
	// Check is the finding's name: the reason of a condition where it is one.
	Check string `json:"check"`
	// Object is what it is about, such as "Deployment shop/web".
	Object string `json:"object"`
	// Message says it for people, Next what to do.
	Message string `json:"message"`
	Next    string `json:"next"`
}

// Preflight is what was found.
type Preflight struct {
	Findings []Finding `json:"findings"`
	// Workloads counts those whose pods are targets of a load balancer or wait for checks, and so were checked.
	Workloads int `json:"workloads"`
	// Ingresses are those that were checked, and Services those of the ones that ask for network load balancers.
	Ingresses []Served `json:"ingresses,omitempty"`
	Services  []Served `json:"services,omitempty"`
	// Unchecked: workloads, or what takes their pods for targets, could not be read, so that
	// no finding means nothing.
	Unchecked bool `json:"unchecked,omitempty"`
	// Unread are the kinds of objects in files that podgate cannot read.
	Unread []string `json:"unread,omitempty"`
	// Unknown is what could not be read, and so not be checked.
	Unknown gaps `json:"unknown,omitempty"`

	// found counts the workloads, and files says where. bare counts the pods that nothing makes, where there is none.
	found, bare int
	files       bool
	// skipped counts the Ingresses of files that seem to be meant for a load balancer, and that are not podgate's, and
	// skippedServices the Services that may not be.
	skipped, skippedServices int
}

func newPreflight(e *environment) *cobra.Command {
	var o preflightOptions
	cmd := &cobra.Command{
		Use:   "preflight [KIND/NAME...] [-f FILE...]",
		Short: "What will cost requests in the next rollout",
		Long: "preflight checks the workloads of a namespace, those that are named, or those of manifest files as if they were applied to the cluster, " +
			"and reports what will cost requests in the next rollout. Exit code 0: nothing found; 1: something found; 2: it could not check.\n\n" +
			"Workloads that no binding claims and that have no gate of a ReadinessGate are skipped. Custom workloads, such as Argo Rollouts, are found by their pod template in files and by their pods in the cluster. Hooks that podgate will add count as present.\n\n" +
			"Of Ingresses of podgate's classes, and of Services of type LoadBalancer, in the files it says what podgate would serve, refuse and ignore; with --ingress also of those that AWS Load Balancer Controller has, and without files of the namespace's. " +
			"Subnets, certificates and security groups count as found.\n\n" +
			"It finds:\n" + findingsHelp(),
		Example: "  podgate preflight -n shop\n  podgate preflight -n shop deploy/web\n  kustomize build . | podgate preflight -n shop -f -\n  podgate preflight --offline -f manifests/",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.named = args
			return e.preflight(cmd.Context(), o)
		},
	}

	cmd.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "manifest files, folders of them, or - for standard input, in the order in which they are applied")
	cmd.Flags().BoolVar(&o.offline, "offline", false, "ask no cluster: the files say all, the namespace and podgate's webhook included")
	cmd.Flags().BoolVar(&o.ingresses, "ingress", false, "check Ingresses, and Services of type LoadBalancer, as if podgate served them, those of AWS Load Balancer Controller's classes as well")
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "of all namespaces")

	return cmd
}

type preflightOptions struct {
	named, files            []string
	offline, all, ingresses bool
}

func (e *environment) preflight(ctx context.Context, o preflightOptions) error {
	if o.offline && len(o.files) == 0 {
		return fmt.Errorf("--offline checks files: name them with -f")
	}

	namespace, err := e.namespace()
	if err != nil {
		return err
	}

	added, err := e.manifests(o.files)
	if err != nil {
		return err
	}

	added, unread := readable(added)

	for _, object := range added {
		place(object, namespace)
	}

	reader, err := e.preflightReader(ctx, added, o.offline)
	if err != nil {
		return err
	}

	if o.all {
		namespace = ""
	}

	p, err := preflightOf(ctx, reader, preflightScope{namespace: namespace, named: o.named, files: len(o.files) > 0, unread: unread, ingresses: o.ingresses}, e.home, metav1.Time{Time: e.Now()})
	if err != nil {
		return err
	}

	if len(o.files) == 0 && namespace != "" {
		if err := p.Unknown.absent(ctx, reader, namespace); err != nil {
			return err
		}
	}

	if err := e.write(p, p.write); err != nil {
		return err
	}

	switch {
	case len(p.Findings) > 0:
		return errNo
	case p.Unchecked:
		return errors.New("could not check: the notes say what is not allowed")
	}

	return nil
}

// place puts an object of a file into the namespace that it would be applied to.
func place(o client.Object, namespace string) {
	switch o.(type) {
	case *corev1.Namespace, *admissionv1.MutatingWebhookConfiguration, *networkingv1.IngressClass, *elbv2.IngressClassParams:
		return
	}
	if o.GetNamespace() == "" {
		o.SetNamespace(namespace)
	}
}

func (e *environment) preflightReader(ctx context.Context, added []client.Object, alone bool) (*snapshot, error) {
	if alone {
		return newOffline(ctx, e.kinds, added)
	}
	reader, err := e.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := reader.add(ctx, added); err != nil {
		return nil, err
	}
	return reader, nil
}

// preflightScope is what is checked.
type preflightScope struct {
	namespace string
	// named are workloads as KIND/NAME; all where there are none.
	named []string
	// files: only those of files, which hold further objects of kinds that podgate cannot read.
	files  bool
	unread []string
	// ingresses: Ingresses of AWS Load Balancer Controller's classes count, too, and where there are no files those of the
	// namespace.
	ingresses bool
}

// flight is a Preflight in the making.
type flight struct {
	*Preflight
	reader       *snapshot
	installation *Installation
	now          metav1.Time
	// told are the bindings that were told about: several workloads may have one.
	told map[types.NamespacedName]bool
	// budgeted are the budgets that were looked at, for the same reason.
	budgeted map[types.NamespacedName]bool
	// gates are the ReadinessGates that were told about, and evicting the budgets that were looked at for their pods.
	gates, evicting map[types.NamespacedName]bool
	// ported are those whose Service's port was told about.
	ported map[types.NamespacedName]bool
	// customs are the workloads of kinds that podgate does not know, and workloads are all.
	customs, workloads []workload
	// early are the workloads of which it was told that their pods come before a binding that podgate makes.
	early map[string]bool
}

func preflightOf(ctx context.Context, r *snapshot, scope preflightScope, home string, now metav1.Time) (*Preflight, error) {
	f := flight{Preflight: &Preflight{Findings: []Finding{}}, reader: r, now: now, told: map[types.NamespacedName]bool{}, budgeted: map[types.NamespacedName]bool{}, ported: map[types.NamespacedName]bool{}, gates: map[types.NamespacedName]bool{}, evicting: map[types.NamespacedName]bool{}, early: map[string]bool{}}
	var err error
	if f.installation, err = findInstallation(ctx, r, home, now.Time, &f.Unknown); err != nil {
		return nil, err
	}

	if r.alone {
		// Files without the webhook's configuration say nothing about it: labels decide.
		f.installation.configured, f.installation.Trouble = true, nil
	}

	if err := r.autoscale(ctx, scope.namespace); err != nil {
		if err := f.Unknown.forgive(err, "how many replicas autoscaled workloads have"); err != nil {
			return nil, err
		}
	}

	f.files, f.Unread = scope.files, scope.unread
	all, err := scope.workloads(ctx, r, &f.Unknown)
	if err := f.unchecked(err, "what its workloads are"); err != nil {
		return nil, err
	}

	if f.found = len(all); f.found == 0 && !f.files {
		f.bare, err = bare(ctx, r, scope.namespace)
		if err := f.unchecked(err, "what its pods are"); err != nil {
			return nil, err
		}
	}
	f.workloads = all
	f.customs = slices.DeleteFunc(slices.Clone(all), func(w workload) bool { return !w.custom })
	for _, w := range all {
		if err := f.check(ctx, w); err != nil {
			return nil, fmt.Errorf("check %s: %w", w, err)
		}
	}

	if len(scope.named) == 0 {
		if err := f.readinessGates(ctx, scope.namespace); err != nil {
			return nil, err
		}
		if err := f.ingresses(ctx, scope); err != nil {
			return nil, err
		}
		if err := f.services(ctx, scope); err != nil {
			return nil, err
		}
	}

	if f.Workloads > 0 {
		f.podgate()
	}

	slices.SortStableFunc(f.Findings, func(a, b Finding) int { return compare(string(a.Severity), string(b.Severity), a.Object, b.Object) })
	return f.Preflight, nil
}

// bare counts the running pods that nothing makes.
func bare(ctx context.Context, r *snapshot, namespace string) (int, error) {
	pods, err := runningPods(ctx, r, namespace, labels.Everything())
	return len(slices.DeleteFunc(pods, func(p corev1.Pod) bool { return binding.Owner(&p) != nil })), err
}

// unchecked forgives an error that leaves workloads unchecked.
func (f *flight) unchecked(err error, untold string) error {
	if err == nil {
		return nil
	}
	f.Unchecked = true
	return f.Unknown.forgive(err, untold)
}

// workloads are those in scope.
func (s preflightScope) workloads(ctx context.Context, r *snapshot, g *gaps) ([]workload, error) {
	var all []workload
	var err error
	if s.files {
		for i, o := range r.added {
			if w, makes := workloadOf(o); makes {
				w.place = i + 1
				all = append(all, w)
			}
		}
	} else {
		if all, err = workloads(ctx, r, s.namespace); err != nil {
			return nil, err
		}
		further, err := customs(ctx, r, s.namespace, g)
		if err != nil {
			return nil, err
		}
		all = append(all, further...)
	}

	if len(s.named) == 0 {
		return all, nil
	}

	var wanted []workload
	for _, text := range s.named {
		i := slices.IndexFunc(all, func(w workload) bool { return w.called(text) })
		if i < 0 {
			return nil, fmt.Errorf("there is no workload %s in namespace %s", text, s.namespace)
		}
		wanted = append(wanted, all[i])
	}

	return wanted, nil
}

func (f *flight) find(severity Severity, check string, object fmt.Stringer, message, next string) {
	// What makes a workload decides what is in it.
	if w, ok := object.(workload); ok && w.maker != "" && !strings.HasPrefix(next, "nothing") {
		next = strings.TrimSuffix(next, ".") + ". What makes it, " + w.maker + ", may set back what is changed here: change it there"
	}
	f.Findings = append(f.Findings, Finding{Severity: severity, Check: check, Object: object.String(), Message: message, Next: next})
}

// podgate tells what is wrong with podgate itself.
func (f *flight) podgate() {
	for _, t := range f.installation.Trouble {
		f.Findings = append(f.Findings, Finding{Severity: SeverityError, Check: CheckPodgate, Object: "podgate in namespace " + f.installation.Namespace, Message: t + ".", Next: "get podgate running before the rollout"})
	}
}

// write is for people.
func (f *Preflight) write(p *paper) {
	for _, found := range f.Findings {
		colour := yellow
		if found.Severity == SeverityError {
			colour = red
		}
		p.printf("%s %s: %s\n", p.paint(colour, strings.ToUpper(string(found.Severity))), p.paint(bold, found.Check), found.Object)
		p.field("message", found.Message)
		p.field("next", found.Next)
	}
	for _, i := range append(slices.Clone(f.Ingresses), f.Services...) {
		p.printf("%s: %s\n", i.Object, i.Serves)
	}
	p.gaps(f.Unknown)
	p.printf("%s\n", f.summary())
}

// checked says how much was checked.
func (f *Preflight) checked() string {
	var parts []string
	all := f.Workloads + len(f.Ingresses) + len(f.Services)
	if f.Workloads > 0 || all == 0 {
		parts = append(parts, plural.Count(f.Workloads, "workload"))
	}
	if n := len(f.Ingresses); n > 0 {
		parts = append(parts, plural.Count(n, "Ingress"))
	}
	if n := len(f.Services); n > 0 {
		parts = append(parts, plural.Count(n, "Service"))
	}

	if all == 1 {
		return parts[0] + " was checked"
	}
	return listing(parts) + " were checked"
}

// listing puts words together as one writes them.
func listing(words []string) string {
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return strings.Join(words, "")
}

// unasked says of Ingresses and Services that were not checked.
func (f *Preflight) unasked() string {
	var parts []string
	if f.skipped > 0 {
		parts = append(parts, fmt.Sprintf("Ingresses of classes that are not podgate's were not (%d)", f.skipped))
	}
	if f.skippedServices > 0 {
		parts = append(parts, fmt.Sprintf("Services of type LoadBalancer, which podgate is not seen to serve, were not (%d)", f.skippedServices))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, "; ") + ": --ingress checks them as if they were"
}

// nothing says why no workload was checked.
func (f *Preflight) nothing() string {
	switch {
	case f.skipped+f.skippedServices > 0:
		return "Nothing was checked" + f.unasked() + "."
	case f.found > 0:
		return "Nothing to check: no binding takes the pods of these workloads for targets, and no ReadinessGate is for them."
	case !f.files && len(f.Unknown) > 0:
		return "Nothing was checked: no workload was seen, and the notes say what podgate cannot tell."
	case f.bare > 0:
		return fmt.Sprintf("Nothing to check: there are no workloads, only pods that nothing makes anew (%d), and explain tells of each.", f.bare)
	case !f.files:
		return "Nothing to check: there are no workloads."
	case len(f.Unread) > 0:
		return fmt.Sprintf("Nothing was checked: the files hold no workload that podgate can read. It cannot read %s.", strings.Join(f.Unread, ", "))
	}
	return "Nothing was checked: the files hold no workload."
}

func (f *Preflight) summary() string {
	if f.Unchecked && len(f.Findings) == 0 {
		return "Not all was checked."
	}
	if f.Workloads+len(f.Ingresses)+len(f.Services)+len(f.Findings) == 0 {
		return f.nothing()
	}

	worst := 0
	for _, found := range f.Findings {
		if found.Severity == SeverityError {
			worst++
		}
	}

	checked := f.checked() + f.unasked()

	if len(f.Findings) == 0 {
		return "Nothing found: " + checked + "."
	}

	return fmt.Sprintf("%s, %s: %s.", plural.Count(worst, "error"), plural.Count(len(f.Findings)-worst, "warning"), checked)
}
