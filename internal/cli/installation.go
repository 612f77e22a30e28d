// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/manager"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/uninstall"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// Installation is the podgate that serves the cluster, as far as it can be seen.
type Installation struct {
	// Namespace is podgate's own.
	Namespace string `json:"namespace"`
	// Leader holds the lease; empty when nobody does, or when it cannot be read.
	Leader string `json:"leader,omitempty"`
	// LeaderRenewed is when it last said that it lives.
	LeaderRenewed *metav1.Time `json:"leaderRenewed,omitempty"`
	// WebhookReady counts the replicas that answer the webhook; nil when that cannot be read.
	WebhookReady *int `json:"webhookReady,omitempty"`
	// Trouble says, for people, what is wrong with it; empty when nothing is.
	Trouble []string `json:"trouble,omitempty"`

	// configuration is the webhook's; nil when there is none or it cannot be read.
	configuration *admissionv1.MutatingWebhookConfiguration
	// configured is false when it is known that there is none.
	configured bool
}

// silent is how long a leader's lease may go unrenewed before that is told: the default
// lease is 8 s, and clocks differ.
const silent = 20 * time.Second

// renewal is how long a lease is watched that looks old: a leader renews it each second, or two.
const renewal = 4 * time.Second

// renews reports whether a lease that is old by the clock here is renewed all the same.
func renews(ctx context.Context, r client.Reader, lease *coordinationv1.Lease) bool {
	s, ok := r.(*snapshot)
	switch {
	case ok && s.alone:
		return false
	case ok && s.renews != nil:
		return s.renews(ctx, r, lease)
	}
	return watched(ctx, r, lease)
}

// watched reports whether a lease is renewed while it is watched.
func watched(ctx context.Context, r client.Reader, lease *coordinationv1.Lease) bool {
	for end := time.Now().Add(renewal); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(renewal / 8):
		}
		var again coordinationv1.Lease
		if err := r.Get(ctx, client.ObjectKeyFromObject(lease), &again); err == nil && again.ResourceVersion != lease.ResourceVersion {
			return true
		}
	}

	return false
}

// findInstallation looks for podgate: the webhook's configuration says where its Service is.
func findInstallation(ctx context.Context, r client.Reader, home string, now time.Time, g *gaps) (*Installation, error) {
	in := &Installation{Namespace: home, configured: true}
	if err := in.configure(ctx, r, g); err != nil {
		return nil, err
	}
	if err := in.lead(ctx, r, now, g); err != nil {
		return nil, err
	}
	return in, in.answer(ctx, r, g)
}

// configure reads the webhook's configuration.
func (in *Installation) configure(ctx context.Context, r client.Reader, g *gaps) error {
	var c admissionv1.MutatingWebhookConfiguration
	err := r.Get(ctx, types.NamespacedName{Name: certificate.ConfigurationName}, &c)
	switch {
	case err == nil:
		in.configuration = &c
		in.locate()
	case apierrors.IsNotFound(err):
		in.configured = false
		in.Trouble = append(in.Trouble, fmt.Sprintf("there is no MutatingWebhookConfiguration %s: no pod gets a gate", certificate.ConfigurationName))
	default:
		return g.forgive(err, "which pods the webhook is asked about")
	}

	return nil
}

// locate takes podgate's namespace from the webhook's configuration.
func (in *Installation) locate() {
	for _, w := range in.configuration.Webhooks {
		if profile.AsksForGates(profile.PathOf(&w)) {
			in.Namespace = w.ClientConfig.Service.Namespace
			return
		}
	}
}

// lead looks who leads.
func (in *Installation) lead(ctx context.Context, r client.Reader, now time.Time, g *gaps) error {
	var lease coordinationv1.Lease
	err := r.Get(ctx, types.NamespacedName{Namespace: in.Namespace, Name: manager.LeaseName}, &lease)
	if apierrors.IsNotFound(err) {
		in.Trouble = append(in.Trouble, fmt.Sprintf("nobody leads: there is no lease %s in namespace %s, so no gate opens", manager.LeaseName, in.Namespace))
		return nil
	}

	if err != nil {
		return g.forgive(err, "whether podgate runs")
	}

	if h := lease.Spec.HolderIdentity; h != nil {
		in.Leader = *h
	}

	if at := lease.Spec.RenewTime; at != nil {
		in.LeaderRenewed = &metav1.Time{Time: at.Time}
	}

	switch {
	case in.Leader == "":
		in.Trouble = append(in.Trouble, "nobody leads: the last leader gave its lease back, so no gate opens")
	case in.LeaderRenewed != nil && now.Sub(in.LeaderRenewed.Time) > silent && !renews(ctx, r, &lease):
		in.Trouble = append(in.Trouble, fmt.Sprintf("the leader %s is silent: it has not renewed its lease in time, so no gate opens", in.Leader))
	}

	return nil
}

// answer counts the replicas that answer the webhook.
func (in *Installation) answer(ctx context.Context, r client.Reader, g *gaps) error {
	var endpoints discoveryv1.EndpointSliceList
	err := r.List(ctx, &endpoints, client.InNamespace(in.Namespace))
	if err != nil {
		return g.forgive(err, "whether the webhook answers")
	}

	ready := 0
	for i := range endpoints.Items {
		if endpoints.Items[i].Labels[discoveryv1.LabelServiceName] != certificate.ServiceName {
			continue
		}
		for _, e := range endpoints.Items[i].Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}

	in.WebhookReady = &ready
	if ready == 0 && in.configured {
		in.Trouble = append(in.Trouble, fmt.Sprintf("no replica answers the webhook (Service %s in namespace %s has no ready endpoint): %s", certificate.ServiceName, in.Namespace, in.unanswered()))
	}

	return nil
}

// unanswered is what happens to pods while nobody answers.
func (in *Installation) unanswered() string {
	if in.configuration != nil {
		for _, w := range in.configuration.Webhooks {
			if w.FailurePolicy != nil && *w.FailurePolicy == admissionv1.Fail {
				return "no pod of a labelled namespace can be created (failurePolicy Fail)"
			}
		}
	}
	return "pods that are created now get no gate"
}

// reviews are those for which the webhook is asked about a pod with labels in a namespace;
// known is false when that cannot be told.
func (in *Installation) reviews(ctx context.Context, r client.Reader, namespace string, pod map[string]string, g *gaps) (reviews profile.Reviews, known bool, err error) {
	if !in.configured {
		return nil, true, nil
	}

	var ns corev1.Namespace
	if err := r.Get(ctx, types.NamespacedName{Name: namespace}, &ns); err != nil {
		return nil, false, g.forgive(client.IgnoreNotFound(err), "whether the namespace's labels ask for gates and hooks")
	}

	entries := profile.Labelled()
	if in.configuration != nil {
		if entries, err = profile.Entries(in.configuration); err != nil {
			return nil, false, err
		}
	}

	return profile.ReviewsOf(entries, ns.Labels, pod), true, nil
}

// off lists the paths, of reviews, at which podgate's Deployment has the webhook change nothing.
func (in *Installation) off(ctx context.Context, r client.Reader, reviews profile.Reviews, g *gaps) ([]string, error) {
	off := manager.OffPaths()
	if len(reviews.Without(off)) == len(reviews) {
		return nil, nil
	}

	containers, err := in.containers(ctx, r)
	if err != nil {
		return nil, g.forgive(client.IgnoreNotFound(err), "whether "+manager.SwitchVariable+" is on")
	}

	for _, c := range containers {
		for _, e := range c.Env {
			if e.Name == manager.SwitchVariable && mayBeOn(e) {
				return nil, nil
			}
		}
	}

	return off, nil
}

// offered looks for a Secret whose certificate somebody offers for the webhook in vain. Whoever may not read Secrets is not
// told of it.
func (in *Installation) offered(ctx context.Context, r client.Reader, now time.Time) error {
	secret := &corev1.Secret{}
	err := r.Get(ctx, types.NamespacedName{Namespace: in.Namespace, Name: certificate.OfferedName}, secret)
	if err != nil {
		return ignoreUnread(err)
	}

	problem := certificate.Declined(secret, now)
	if problem == nil {
		return nil
	}

	// One that is provided is not offered.
	containers, err := in.containers(ctx, r)
	if err != nil {
		return ignoreUnread(err)
	}
	for _, c := range containers {
		if slices.ContainsFunc(c.Args, func(arg string) bool { return strings.HasPrefix(arg, "--"+manager.ProvidedFlag) }) {
			return nil
		}
	}

	why := strings.ReplaceAll(problem.Error(), "\n", "; ")
	in.Trouble = append(in.Trouble, fmt.Sprintf("podgate does not serve the certificate of Secret %s in namespace %s: %s; put it right, or delete the Secret", secret.Name, in.Namespace, why))

	return nil
}

// refuses looks for entries of the webhook that are switched off, and so change no pod, but were told to refuse pods while
// nobody answers.
func (in *Installation) refuses(ctx context.Context, r client.Reader) error {
	if in.configuration == nil {
		return nil
	}

	off, err := in.off(ctx, r, manager.OffPaths(), new(gaps))
	if err != nil {
		return err
	}

	for _, w := range in.configuration.Webhooks {
		if slices.Contains(off, profile.PathOf(&w)) && w.FailurePolicy != nil && *w.FailurePolicy == admissionv1.Fail {
			in.Trouble = append(in.Trouble, fmt.Sprintf("%s is off, but its webhook entry %s has failurePolicy Fail: it refuses pods while no replica answers, for nothing; set Ignore there", manager.SwitchVariable, w.Name))
		}
	}

	return nil
}

// ignoreUnread is nil for what is not there and for what may not be read.
func ignoreUnread(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// containers are those of podgate's Deployment.
func (in *Installation) containers(ctx context.Context, r client.Reader) ([]corev1.Container, error) {
	var d appsv1.Deployment
	err := r.Get(ctx, types.NamespacedName{Namespace: in.Namespace, Name: uninstall.Deployment}, &d)
	return d.Spec.Template.Spec.Containers, err
}

// mayBeOn reports whether the variable may switch on what it is for. What comes from elsewhere, or is no
// value that podgate starts with, is not known here.
func mayBeOn(e corev1.EnvVar) bool {
	on, err := manager.SwitchedOn(e.Value)
	return e.ValueFrom != nil || on || err != nil
}

// write says how podgate is.
func (in *Installation) write(p *paper) {
	who := "nobody is seen to lead"
	if in.Leader != "" {
		pod, _, _ := strings.Cut(in.Leader, "_") // what follows tells processes apart
		who = "leader " + pod
	}

	if in.LeaderRenewed != nil {
		who += " (renewed " + p.ago(in.LeaderRenewed.Time) + " ago)"
	}

	answers := ""
	if in.WebhookReady != nil {
		answers = fmt.Sprintf(", %s %s the webhook", plural.Count(*in.WebhookReady, "replica"), plural.Of(*in.WebhookReady, "answers", "answer"))
	}

	p.printf("podgate in namespace %s: %s%s\n", in.Namespace, who, answers)
	for _, t := range in.Trouble {
		p.printf("%s %s\n", p.paint(red, "trouble:"), t)
	}
}
