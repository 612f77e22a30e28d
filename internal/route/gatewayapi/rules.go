// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/route"
)

// written is what a route says, apart from its hosts.
type written struct {
	rules []route.Rule
	// unsupported is why the route cannot be served as it is, and partial why a rule is not served as it says; empty: it is.
	unsupported, partial string
	// refs are references that lead nowhere.
	refs []dangling
	// denied: one of them is not permitted, and lost: one of them names a Service or a port that is not there.
	denied, lost bool
}

// dangling is a reference that leads nowhere.
type dangling struct {
	reason  gwv1.RouteConditionReason
	message string
}

// readRules reads the rules of a route.
func (r *reader) readRules(m *member) written {
	w := &written{}
	for i, rule := range rulesOf(m.Object) {
		action, err := r.action(w, m, i, rule)
		if err == nil {
			err = w.add(r.Can, rule, action)
		}
		if err != nil && w.unsupported == "" {
			w.unsupported = fmt.Sprintf("rule %d cannot be served: %v", i, err)
		}
	}
	return *w
}

// add adds a rule for each of its matches.
func (w *written) add(can Abilities, of rule, action route.Action) error {
	add := func(i int, match route.Match, err error) error {
		if err != nil {
			return fmt.Errorf("match %d: %w", i, err)
		}
		w.rules = append(w.rules, route.Rule{Match: match, Action: action})
		return nil
	}
	for i, m := range of.http {
		match, err := readMatch(can, m)
		if err := add(i, match, err); err != nil {
			return err
		}
	}
	for i, m := range of.grpc {
		match, err := readCall(can, m)
		if err := add(i, match, err); err != nil {
			return err
		}
	}
	return nil
}

// readCall reads what a call of gRPC has to be like: it is a request whose path has the service and the method. The error is for
// people.
func readCall(can Abilities, m gwv1.GRPCRouteMatch) (route.Match, error) {
	var match route.Match
	if m.Method != nil {
		if kind := m.Method.Type; kind != nil && *kind != gwv1.GRPCMethodMatchExact {
			return match, fmt.Errorf("method: %s matches no %s: use Exact", can.Name, *kind)
		}
		service, method := text(m.Method.Service, ""), text(m.Method.Method, "")
		path := "/" + cmp.Or(service, "*") + "/" + cmp.Or(method, "*")
		for _, part := range []string{service, method} {
			if strings.ContainsAny(part, can.NotInPaths) {
				return match, fmt.Errorf("method %q has one of the characters %s, which %s does not match", part, can.NotInPaths, can.Name)
			}
			if err := plain(can, fmt.Sprintf("method %q", part), part); err != nil {
				return match, err
			}
		}
		if service == "" && method != "" && !can.Wildcards {
			return match, fmt.Errorf("method %q: %s matches no method of every service: name the service", method, can.Name)
		}
		if len(path) > can.Value {
			return match, fmt.Errorf("service and method have %d characters, and %s matches %d", len(path), can.Name, can.Value)
		}
		if service+method != "" {
			match.Paths = []string{path}
		}
	}
	for _, h := range m.Headers {
		if err := addHeader(&match, can, string(h.Name), text(h.Type, exact), h.Value); err != nil {
			return match, err
		}
	}
	return match, nil
}

// exact is the type of matches that compare texts.
const exact = "Exact"

// addHeader adds a header that a request must have. Of several entries with one name the first one counts.
func addHeader(match *route.Match, can Abilities, name, kind, value string) error {
	if slices.ContainsFunc(match.Headers, func(has route.Header) bool { return strings.EqualFold(has.Name, name) }) {
		return nil
	}
	switch {
	case kind != exact:
		return fmt.Errorf("header %s: %s matches no %s: use Exact", name, can.Name, kind)
	case strings.EqualFold(name, "host"):
		return fmt.Errorf("header %s: hosts are matched by spec.hostnames", name)
	case len(name) > can.HeaderName:
		return fmt.Errorf("header %s has a name of %d characters, and %s matches %d", name, len(name), can.Name, can.HeaderName)
	case can.Headers > 0 && len(match.Headers) == can.Headers:
		return fmt.Errorf("header %s: %s matches %s in one rule", name, can.Name, plural.Count(can.Headers, "header"))
	}
	match.Headers = append(match.Headers, route.Header{Name: name, Values: []string{value}})
	return plain(can, "header "+name, value)
}

// readMatch reads what a request has to be like. The error is for people.
func readMatch(can Abilities, m gwv1.HTTPRouteMatch) (route.Match, error) {
	var match route.Match
	var err error
	if match.Paths, err = paths(can, m.Path); err != nil {
		return match, err
	}
	if m.Method != nil {
		match.Methods = []string{string(*m.Method)}
	}

	for _, h := range m.Headers {
		if err := addHeader(&match, can, string(h.Name), text(h.Type, exact), h.Value); err != nil {
			return match, err
		}
	}

	for _, q := range m.QueryParams {
		name := string(q.Name)
		if slices.ContainsFunc(match.Queries, func(has []route.Query) bool { return has[0].Key == name }) {
			continue
		}
		switch {
		case !can.Queries:
			return match, fmt.Errorf("query parameter %s: %s does not match those", name, can.Name)
		case q.Type != nil && *q.Type != gwv1.QueryParamMatchExact:
			return match, fmt.Errorf("query parameter %s: %s matches no %s: use Exact", name, can.Name, *q.Type)
		}
		for _, text := range []string{name, q.Value} {
			if err := plain(can, "query parameter "+name, text); err != nil {
				return match, err
			}
		}
		match.Queries = append(match.Queries, []route.Query{{Key: name, Value: q.Value}})
	}
	return match, nil
}

// plain says why a text cannot be matched as it is.
func plain(can Abilities, what, text string) error {
	if can.Wildcards && strings.ContainsAny(text, "*?") {
		return fmt.Errorf("%s has one of the characters * and ?, which are wildcards of %s", what, can.Name)
	}
	if len(text) > can.Value {
		return fmt.Errorf("%s has %d characters, and %s matches %d", what, len(text), can.Name, can.Value)
	}
	return nil
}

// paths are the patterns of a path; none: every path is like it. A prefix ends at a slash.
func paths(can Abilities, m *gwv1.HTTPPathMatch) ([]string, error) {
	if m == nil {
		return nil, nil
	}
	kind, value := gwv1.PathMatchPathPrefix, "/"
	if m.Type != nil {
		kind = *m.Type
	}
	if m.Value != nil {
		value = *m.Value
	}

	if kind != gwv1.PathMatchExact && kind != gwv1.PathMatchPathPrefix {
		return nil, fmt.Errorf("path %q: %s is not served: use Exact or PathPrefix", value, kind)
	}
	if strings.ContainsAny(value, can.NotInPaths) {
		return nil, fmt.Errorf("path %q has one of the characters %s, which %s does not match", value, can.NotInPaths, can.Name)
	}
	if kind == gwv1.PathMatchExact {
		return []string{value}, plain(can, fmt.Sprintf("path %q", value), value)
	}

	prefix := strings.TrimSuffix(value, "/")
	if prefix == "" {
		return nil, nil
	}
	// Its pattern has two characters more.
	if len(prefix) > can.Value-2 {
		return nil, fmt.Errorf("path %q has %d characters, and %s matches prefixes of %d", value, len(prefix), can.Name, can.Value-2)
	}
	return []string{prefix, prefix + "/*"}, plain(can, fmt.Sprintf("path %q", value), prefix)
}

// failure is what is answered where references lead nowhere. Clients of gRPC take 503 for the status UNAVAILABLE.
func (m *member) failure() route.Action {
	status := 500
	if m.kind == grpcRoute {
		status = 503
	}
	return route.Action{Answer: &route.Answer{Status: status, ContentType: "text/plain"}}
}

// action is what becomes of the requests of a rule. The error is for people.
func (r *reader) action(w *written, m *member, i int, rule rule) (route.Action, error) {
	switch {
	case rule.timeouts:
		return route.Action{}, fmt.Errorf("%s has no timeouts of a rule: remove timeouts", r.Can.Name)
	case rule.retries:
		return route.Action{}, fmt.Errorf("%s does not retry: remove retry", r.Can.Name)
	case rule.sessions:
		return route.Action{}, fmt.Errorf("sessionPersistence is not served: remove it")
	}

	for _, f := range rule.filters {
		if f != string(gwv1.HTTPRouteFilterRequestRedirect) || rule.redirect == nil || !r.Can.Redirects {
			return route.Action{}, fmt.Errorf("%s does not have the filter %s: remove it", r.Can.Name, f)
		}
	}
	if rule.redirect != nil {
		redirect, err := redirectOf(r.Can, rule)
		return route.Action{Redirect: redirect}, err
	}
	return r.forward(w, m, i, rule.backends)
}

// redirectOf reads a redirect. A scheme that is named has its own port, unless one is named as well.
func redirectOf(can Abilities, of rule) (*route.Redirect, error) {
	f, out := of.redirect, &route.Redirect{Status: 302}
	if f.StatusCode != nil {
		out.Status = *f.StatusCode
	}
	if out.Status != 301 && out.Status != 302 {
		return nil, fmt.Errorf("%s redirects with 301 and 302 only, and not with %d", can.Name, out.Status)
	}

	if f.Scheme != nil {
		out.Protocol = strings.ToUpper(*f.Scheme)
		out.Port = map[string]string{"HTTP": "80", "HTTPS": "443"}[out.Protocol]
	}
	if f.Port != nil {
		out.Port = strconv.Itoa(int(*f.Port))
	}
	if f.Hostname != nil {
		out.Host = string(*f.Hostname)
	}
	if f.Path != nil {
		var err error
		if out.Path, err = newPath(can, of, f.Path); err != nil {
			return nil, err
		}
	}
	if out.Protocol == "" && out.Port == "" && out.Host == "" && out.Path == "" {
		return nil, fmt.Errorf("the redirect changes nothing, so that clients would be redirected for ever")
	}
	return out, nil
}

// newPath is the path of a redirect. Of a prefix, load balancers can replace the one that is every path, since they add the whole path.
func newPath(can Abilities, of rule, to *gwv1.HTTPPathModifier) (string, error) {
	path, rest := text(to.ReplaceFullPath, ""), ""
	if to.Type == gwv1.PrefixMatchHTTPPathModifier {
		for _, m := range of.http {
			if p, err := paths(can, m.Path); err != nil || len(p) > 0 {
				return "", fmt.Errorf("%s cannot replace a part of the path unless its prefix is /: use ReplaceFullPath", can.Name)
			}
		}
		path, rest = strings.TrimSuffix(text(to.ReplacePrefixMatch, ""), "/"), "/#{path}"
		if path == "" {
			return "", nil
		}
	}

	path = "/" + strings.TrimPrefix(path, "/")
	if strings.Contains(path, "#{") || len(path+rest) > can.Value {
		return "", fmt.Errorf("%s cannot redirect to path %q", can.Name, path)
	}
	return path + rest, nil
}

// forward is where the requests of a rule go. Those for a reference that leads nowhere are to be answered with an error. Load balancers
// cannot do that for a share of a rule, so all of the rule is.
func (r *reader) forward(w *written, m *member, i int, refs []backendRef) (route.Action, error) {
	var backends []route.Backend
	weights, broken := int64(0), -1
	for j, ref := range refs {
		if ref.filters > 0 {
			return route.Action{}, fmt.Errorf("%s does not have filters of backendRefs: remove those of backendRefs[%d]", r.Can.Name, j)
		}
		weight := int32(1)
		if ref.Weight != nil {
			weight = *ref.Weight
		}

		backend, nowhere := r.backend(m, ref.BackendObjectReference)
		if nowhere != nil {
			nowhere.message = fmt.Sprintf("rule %d, backendRefs[%d]: %s", i, j, nowhere.message)
			w.refs = append(w.refs, *nowhere)
			w.denied = w.denied || nowhere.reason == gwv1.RouteReasonRefNotPermitted
			w.lost = w.lost || nowhere.reason == gwv1.RouteReasonBackendNotFound
			if weight > 0 {
				broken = j
			}
			continue
		}
		if err := r.Serve(backend, r.Service(backend.Namespace, backend.Service)); err != nil {
			return route.Action{}, fmt.Errorf("backendRefs[%d]: %w", j, err)
		}
		weights += int64(weight)
		backends = with(backends, backend, weight)
	}

	switch {
	case broken >= 0 && weights > 0:
		w.partial = fmt.Sprintf("rule %d answers all requests with %d, since %s cannot do that for the share of backendRefs[%d] alone: correct the reference, or give it weight 0", i, m.failure().Answer.Status, r.Can.Name, broken)
		return m.failure(), nil
	case weights == 0:
		return m.failure(), nil
	case len(backends) > r.Can.Backends:
		return route.Action{}, fmt.Errorf("it forwards to %s, and %s forwards to %d", plural.Count(len(backends), "backend"), r.Can.Name, r.Can.Backends)
	}
	return route.Action{Backends: scale(backends, r.Can.Weight)}, nil
}

// with adds a backend with its weight. One that is there already has the sum: a load balancer takes each once.
func with(backends []route.Backend, b route.Backend, weight int32) []route.Backend {
	for i := range backends {
		if has := &backends[i]; has.Namespace == b.Namespace && has.Service == b.Service && has.Port == b.Port {
			has.Weight += weight
			return backends
		}
	}
	b.Weight = weight
	return append(backends, b)
}

// scale brings weights down to the largest one that there may be. Who has a share keeps one.
func scale(backends []route.Backend, most int32) []route.Backend {
	largest := int32(0)
	for _, b := range backends {
		largest = max(largest, b.Weight)
	}
	if largest <= most {
		return backends
	}
	for i := range backends {
		if w := &backends[i].Weight; *w > 0 {
			*w = max(1, int32((int64(*w)*int64(most)+int64(largest)/2)/int64(largest)))
		}
	}
	return backends
}

// backend is the port of a Service that a reference names, or why that leads nowhere.
func (r *reader) backend(m *member, ref gwv1.BackendObjectReference) (route.Backend, *dangling) {
	group, kind, namespace := text(ref.Group, ""), text(ref.Kind, "Service"), text(ref.Namespace, m.GetNamespace())
	b := route.Backend{Namespace: namespace, Service: string(ref.Name)}
	if m.kind == grpcRoute {
		b.Version = route.GRPC
	}
	if group != "" || kind != "Service" {
		return b, &dangling{gwv1.RouteReasonInvalidKind, fmt.Sprintf("a %s is not served: name a Service", kind)}
	}
	if namespace != m.GetNamespace() && !r.granted(reference{gwv1.GroupName, m.kind, m.GetNamespace()}, namespace, group, kind, b.Service) {
		return b, &dangling{gwv1.RouteReasonRefNotPermitted, fmt.Sprintf("no ReferenceGrant in namespace %q lets %ss of namespace %q name Service %q", namespace, m.kind, m.GetNamespace(), ref.Name)}
	}

	service := r.Service(namespace, b.Service)
	if service == nil {
		return b, &dangling{gwv1.RouteReasonBackendNotFound, fmt.Sprintf("there is no Service %q in namespace %q", ref.Name, namespace)}
	}
	port := 0
	if ref.Port != nil {
		port = int(*ref.Port)
	}
	b.Port = strconv.Itoa(port)
	if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port }) {
		return b, &dangling{gwv1.RouteReasonBackendNotFound, fmt.Sprintf("Service %q in namespace %q has no port %d", ref.Name, namespace, port)}
	}
	return b, nil
}
