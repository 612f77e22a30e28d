// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// world is VPC Lattice, the bindings and the targets, as far as plans change and see them. It refuses what AWS refuses.
type world struct {
	t     testing.TB
	stack Stack
	seen  Observed
	made  int
	log   []string

	// sizes are how many targets the pods of a target group make, by resource, and broken are those that fail their checks.
	sizes  map[string]int
	broken map[string]bool
	// age is for how many ticks a group has been in use and bound, and since for how many something has been in its state, by ARN.
	age, since map[string]int
}

func newWorld(t testing.TB) *world {
	return &world{t: t, sizes: map[string]int{}, broken: map[string]bool{}, age: map[string]int{}, since: map[string]int{}}
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", strings.Join(w.log, "\n"), fmt.Sprintf(format, args...))
}

func (w *world) arn(kind string) string {
	w.made++
	return fmt.Sprintf("%s/%d", kind, w.made)
}

func (w *world) service(arn string) *ObservedService {
	for i := range w.seen.Services {
		if w.seen.Services[i].ARN == arn {
			return &w.seen.Services[i]
		}
	}
	w.fatalf("service %s is not there", arn)
	return nil
}

func (w *world) group(arn string) *ObservedTargetGroup {
	for i := range w.seen.TargetGroups {
		if w.seen.TargetGroups[i].ARN == arn {
			return &w.seen.TargetGroups[i]
		}
	}
	w.fatalf("target group %s is not there", arn)
	return nil
}

func (w *world) listener(arn string) (*ObservedService, *ObservedListener) {
	for i := range w.seen.Services {
		for j := range w.seen.Services[i].Has {
			if l := &w.seen.Services[i].Has[j]; l.ARN == arn {
				if !l.Own {
					w.fatalf("listener %s is somebody else's", arn)
				}
				return &w.seen.Services[i], l
			}
		}
	}
	w.fatalf("listener %s is not there", arn)
	return nil, nil
}

func (w *world) rule(arn string) (*ObservedService, *ObservedListener, *ObservedRule) {
	for i := range w.seen.Services {
		for j := range w.seen.Services[i].Has {
			l := &w.seen.Services[i].Has[j]
			for k := range l.Has {
				if r := &l.Has[k]; r.ARN == arn {
					if !r.Own {
						w.fatalf("rule %s is somebody else's", arn)
					}
					return &w.seen.Services[i], l, r
				}
			}
		}
	}
	w.fatalf("rule %q is not there", arn)
	return nil, nil, nil
}

// tagged fails unless what is made says whose it is.
func (w *world) tagged(tags map[string]string) {
	for k, v := range w.stack.Tags {
		if tags[k] != v {
			w.fatalf("made without the tag %s", k)
		}
	}
}

func (w *world) active(s State, what string) {
	if s != Active {
		w.fatalf("ConflictException: %s is %s", what, s)
	}
}

// users are the services that forward to a group.
func (w *world) users(arn string) []string {
	var list []string
	for _, s := range w.seen.Services {
		names := slices.ContainsFunc(s.Has, func(l ObservedListener) bool {
			return slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Action.names(arn) })
		})
		if names {
			list = append(list, s.ARN)
		}
	}
	return list
}

// usable fails unless an action can be on a service.
func (w *world) usable(s *ObservedService, a Action) {
	if len(a.Forward) > MaxForward || (len(a.Forward) == 0) == (a.Answer == 0) {
		w.fatalf("ValidationException: %v", a)
	}
	for _, f := range a.Forward {
		g := w.group(f.Group)
		w.active(g.State, g.ARN)
		if users := w.users(g.ARN); len(users) > 0 && users[0] != s.ARN {
			w.fatalf("ConflictException: %s is used by %v", g.ARN, users)
		}
	}
}

// within fails if a service forwards to more groups than it may.
func (w *world) within(s *ObservedService) {
	groups := map[string]bool{}
	for _, l := range s.Has {
		for _, r := range l.Has {
			for _, f := range r.Action.Forward {
				groups[f.Group] = true
			}
		}
	}
	if len(groups) > w.stack.Quotas.TargetGroups {
		w.fatalf("ServiceQuotaExceededException: %d target groups", len(groups))
	}
}

func (w *world) free(l *ObservedListener, priority int, but string) {
	if priority < 1 || priority > 100 {
		w.fatalf("ValidationException: priority %d", priority)
	}
	for _, r := range l.Has {
		if r.Priority == priority && r.ARN != but {
			w.fatalf("ConflictException: priority %d is taken", priority)
		}
	}
}

// apply performs a step.
func (w *world) apply(s Step) {
	w.log = append(w.log, s.String())
	switch s := s.(type) {
	case CreateService:
		w.tagged(s.Service.Tags)
		if slices.ContainsFunc(w.seen.Services, func(o ObservedService) bool { return o.Name == s.Service.Name }) || w.seen.Foreign[s.Service.Name] != "" {
			w.fatalf("ConflictException: name %s is taken", s.Service.Name)
		}
		s.Service.Listeners, s.Service.TargetGroups = nil, nil
		w.seen.Services = append(w.seen.Services, ObservedService{Service: s.Service, ARN: w.arn("svc"), State: Creating})
	case SetCertificate:
		w.service(s.Service).Certificate = s.Certificate
	case DeleteService:
		v := w.service(s.ARN)
		if len(v.Associations) > 0 || v.State == Creating || v.State == Deleting {
			w.fatalf("ConflictException: %s is %s and in %d networks", s.ARN, v.State, len(v.Associations))
		}
		for _, l := range v.Has {
			if !l.Own || strangers(l) {
				w.fatalf("law 13: %s takes along what is somebody else's", s.ARN)
			}
		}
		v.State, w.since[v.ARN] = Deleting, 0
	case Associate:
		v := w.service(s.Service)
		w.active(v.State, v.ARN)
		w.tagged(s.Tags)
		if slices.ContainsFunc(v.Associations, func(a Association) bool { return a.Network == s.Network }) {
			w.fatalf("ConflictException: associated already")
		}
		v.Associations = append(v.Associations, Association{ARN: w.arn("snsa"), Network: s.Network, State: Creating, Own: true})
	case Dissociate:
		for i := range w.seen.Services {
			for j := range w.seen.Services[i].Associations {
				if a := &w.seen.Services[i].Associations[j]; a.ARN == s.ARN {
					if !a.Own || a.State == Creating || a.State == Deleting {
						w.fatalf("%s is %s, or somebody else's", a.ARN, a.State)
					}
					a.State, w.since[a.ARN] = Deleting, 0
				}
			}
		}

	case CreateTargetGroup:
		w.tagged(s.TargetGroup.Tags)
		if slices.ContainsFunc(w.seen.TargetGroups, func(o ObservedTargetGroup) bool { return o.Name == s.TargetGroup.Name }) || w.seen.Foreign[s.TargetGroup.Name] != "" {
			w.fatalf("ConflictException: name %s is taken", s.TargetGroup.Name)
		}
		s.TargetGroup.Binding = Binding{}
		w.seen.TargetGroups = append(w.seen.TargetGroups, ObservedTargetGroup{TargetGroup: s.TargetGroup, ARN: w.arn("tg"), State: Creating})
	case ModifyTargetGroup:
		w.group(s.ARN).HealthCheck = s.HealthCheck
	case DeleteTargetGroup:
		if g := w.group(s.ARN); len(w.users(g.ARN)) > 0 || g.Targets > 0 || g.Bound || g.State == Creating || g.State == Deleting {
			w.fatalf("ConflictException: %s is in use", s.ARN)
		}
		g := w.group(s.ARN)
		g.State, w.since[g.ARN] = Deleting, 0
	case Deregister:
		g := w.group(s.ARN)
		g.Registered, g.Healthy, g.Targets = 0, 0, 0
	case CreateBinding:
		g := w.group(s.ARN)
		if g.Bound || s.TargetGroup.Name != g.Name {
			w.fatalf("AlreadyExists, or named wrongly: the binding of %s", s.ARN)
		}
		g.Bound, g.Binding = true, s.TargetGroup.Binding
	case UpdateBinding:
		w.group(s.ARN).Binding = s.TargetGroup.Binding
	case DeleteBinding:
		g := w.group(s.ARN)
		if len(w.users(g.ARN)) > 0 || s.Name != g.Name || s.Namespace != g.Binding.Namespace {
			w.fatalf("targets of %s are taken away while requests may come, or the binding is another one", s.ARN)
		}
		g.Unbinding, w.since[g.ARN] = true, 0

	default:
		w.applyToListener(s)
	}
	w.settleUse()
}

func (w *world) applyToListener(s Step) {
	switch s := s.(type) {
	case CreateListener:
		v := w.service(s.Service)
		w.active(v.State, v.ARN)
		w.tagged(s.Listener.Tags)
		if slices.ContainsFunc(v.Has, func(l ObservedListener) bool { return l.Port == s.Listener.Port || l.Name == s.Listener.Name }) {
			w.fatalf("ConflictException: port %d or name %s is taken", s.Listener.Port, s.Listener.Name)
		}
		v.Has = append(v.Has, ObservedListener{Listener: s.Listener, ARN: w.arn("listener"), Own: true, Default: Action{Answer: 404}})
	case DeleteListener:
		v, l := w.listener(s.ARN)
		if strangers(*l) {
			w.fatalf("law 13: %s takes along what is somebody else's", s.ARN)
		}
		v.Has = slices.DeleteFunc(v.Has, func(l ObservedListener) bool { return l.ARN == s.ARN })
	case CreateRule:
		v, l := w.listener(s.Listener)
		w.tagged(s.Rule.Tags)
		w.usable(v, s.Rule.Action)
		w.free(l, s.Priority, "")
		if len(l.Has) >= w.stack.Quotas.Rules || slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Name == s.Name }) {
			w.fatalf("%d rules, or the name %s is taken", len(l.Has), s.Name)
		}
		l.Has = append(l.Has, ObservedRule{Rule: s.Rule, ARN: w.arn("rule"), Name: s.Name, Priority: s.Priority, Own: true})
		w.within(v)
	case ModifyRule:
		v, _, r := w.rule(s.ARN)
		w.usable(v, s.Action)
		r.Action = s.Action
		w.within(v)
	case ReplaceRule:
		v, l, r := w.rule(s.ARN)
		w.usable(v, s.Rule.Action)
		w.free(l, s.Priority, s.ARN)
		r.Match, r.Action, r.Priority = s.Rule.Match, s.Rule.Action, s.Priority
		w.within(v)
	case SetPriority:
		_, l, r := w.rule(s.ARN)
		w.free(l, s.Priority, s.ARN)
		r.Priority = s.Priority
	case DeleteRule:
		_, l, _ := w.rule(s.ARN)
		l.Has = slices.DeleteFunc(l.Has, func(r ObservedRule) bool { return r.ARN == s.ARN })
	case Tag:
		w.tagAll(s)
	default:
		w.fatalf("unknown step %T", s)
	}
}

func (w *world) tagAll(s Tag) {
	put := func(has *map[string]string) {
		next := maps.Clone(*has)
		if next == nil {
			next = map[string]string{}
		}
		maps.Copy(next, s.Tags)
		*has = next
	}
	switch kind, _, _ := strings.Cut(s.ARN, "/"); kind {
	case "svc":
		put(&w.service(s.ARN).Tags)
	case "tg":
		put(&w.group(s.ARN).Tags)
	case "listener":
		_, l := w.listener(s.ARN)
		put(&l.Tags)
	case "rule":
		_, _, r := w.rule(s.ARN)
		put(&r.Tags)
		r.Owner = r.Tags[OwnerTag]
	default:
		w.fatalf("tags of %s", s.ARN)
	}
}

// settleUse has groups that nothing names any more not be checked.
func (w *world) settleUse() {
	for i := range w.seen.TargetGroups {
		g := &w.seen.TargetGroups[i]
		g.Services = w.users(g.ARN)
		if len(g.Services) == 0 {
			w.age[g.ARN], g.Healthy = 0, 0
		}
	}
}

// tick lets time pass.
func (w *world) tick() {
	next := func(arn string, s *State) {
		w.since[arn]++
		if *s == Creating {
			*s = Active
		}
	}
	for i := range w.seen.Services {
		s := &w.seen.Services[i]
		s.Associations = slices.DeleteFunc(s.Associations, func(a Association) bool { return a.State == Deleting && w.since[a.ARN] > 1 })
		for j := range s.Associations {
			next(s.Associations[j].ARN, &s.Associations[j].State)
		}
	}
	w.seen.Services = slices.DeleteFunc(w.seen.Services, func(s ObservedService) bool { return s.State == Deleting && w.since[s.ARN] > 1 })
	for i := range w.seen.Services {
		next(w.seen.Services[i].ARN, &w.seen.Services[i].State)
	}
	w.seen.TargetGroups = slices.DeleteFunc(w.seen.TargetGroups, func(g ObservedTargetGroup) bool { return g.State == Deleting && w.since[g.ARN] > 1 })
	w.settleUse()

	for i := range w.seen.TargetGroups {
		g := &w.seen.TargetGroups[i]
		next(g.ARN, &g.State)
		if g.Unbinding && w.since[g.ARN] > 2 {
			g.Bound, g.Unbinding, g.Registered, g.Targets, g.Healthy = false, false, 0, 0, 0
		}
		if !g.Bound || g.Unbinding || len(g.Services) == 0 {
			continue
		}
		w.age[g.ARN]++
		g.Registered, g.Targets, g.Healthy = w.sizes[g.Resource], w.sizes[g.Resource], 0
		if w.age[g.ARN] > 2 && !w.broken[g.Resource] {
			g.Healthy = g.Registered
		}
	}
}

// look is what a plan sees.
func (w *world) look() Observed { return w.seen }

// request is one that differs for the generated stacks.
type request struct {
	host         string
	port         int32
	method, path string
	header       string
}

func matches(m Match, r request) bool {
	if m.Method != "" && m.Method != r.method || m.Prefix && !strings.HasPrefix(r.path, m.Path) || !m.Prefix && m.Path != r.path {
		return false
	}
	return !slices.ContainsFunc(m.Headers, func(h Header) bool { return h.Value != r.header })
}

// gets says what becomes of a request now: nil where no rule of the stack's gets it.
func (w *world) gets(r request) *ObservedRule {
	for _, s := range w.seen.Services {
		there := slices.ContainsFunc(s.Associations, func(a Association) bool { return a.Network == w.stack.Network && a.State == Active })
		if s.Resource != r.host || s.State != Active || !there {
			continue
		}
		for _, l := range s.Has {
			wanted := slices.ContainsFunc(w.stack.Services, func(v Service) bool {
				return v.Resource == r.host && slices.ContainsFunc(v.Listeners, func(o Listener) bool { return o.Port == l.Port && o.Protocol == l.Protocol })
			})
			if l.Port != r.port || !wanted {
				continue
			}
			rules := slices.Clone(l.Has)
			slices.SortFunc(rules, func(a, b ObservedRule) int { return a.Priority - b.Priority })
			for _, rule := range rules {
				if matches(rule.Match, r) && rule.Own {
					return &rule
				}
			}
		}
	}
	return nil
}

// served reports whether a request is answered by healthy targets, whichever of the groups gets it.
func (w *world) served(r request) bool {
	by := w.gets(r)
	if by == nil || by.Action.Answer != 0 {
		return false
	}
	return !slices.ContainsFunc(by.Action.weighted(), func(f Forward) bool { return w.group(f.Group).Healthy == 0 })
}

// asked reports whether the stack wants a request to be served.
func (w *world) asked(r request) bool {
	for _, s := range w.stack.Services {
		for _, l := range s.Listeners {
			if s.Resource != r.host || l.Port != r.port {
				continue
			}
			for _, rule := range l.Rules {
				if matches(rule.Match, r) {
					return rule.Action.Answer == 0
				}
			}
		}
	}
	return false
}

// promised are the requests that are served and are to be.
func (w *world) promised() map[request]bool {
	list := map[request]bool{}
	for _, r := range requests() {
		if w.asked(r) && w.served(r) {
			list[r] = true
		}
	}
	return list
}
