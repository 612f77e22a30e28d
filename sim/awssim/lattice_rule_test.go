// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

func TestLatticeService(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{CreateDelay: time.Second, DeleteDelay: time.Second}}, func(e *env) {
		made := e.latticeService("web")
		if made.Status != types.ServiceStatusCreateInProgress || !strings.HasPrefix(*made.DnsEntry.DomainName, "web-") {
			t.Errorf("a new service is %s with the name %s", made.Status, *made.DnsEntry.DomainName)
		}
		refuses(e, e.lattice.CreateListener, "a service that is being created takes no listener", "ConflictException", &vpclattice.CreateListenerInput{
			ServiceIdentifier: made.Id, Name: aws.String("http"), Protocol: types.ListenerProtocolHttp, DefaultAction: answerWith(404),
		})
		time.Sleep(time.Second + time.Millisecond)

		l := does(e, e.lattice.CreateListener)(&vpclattice.CreateListenerInput{ServiceIdentifier: made.Arn, Name: aws.String("http"), Protocol: types.ListenerProtocolHttp, DefaultAction: answerWith(404)})
		if *l.Port != 80 || *l.ServiceId != *made.Id || !strings.HasPrefix(*l.Arn, *made.Arn+"/listener/") {
			t.Errorf("a listener without a port is %+v", l)
		}
		got := does(e, e.lattice.GetListener)(&vpclattice.GetListenerInput{ServiceIdentifier: made.Id, ListenerIdentifier: l.Arn})
		if _, fixed := got.DefaultAction.(*types.RuleActionMemberFixedResponse); !fixed {
			t.Errorf("its default action is %+v", got.DefaultAction)
		}

		does(e, e.lattice.UpdateService)(&vpclattice.UpdateServiceInput{ServiceIdentifier: made.Id, AuthType: types.AuthTypeAwsIam})
		if s := does(e, e.lattice.GetService)(&vpclattice.GetServiceInput{ServiceIdentifier: made.Arn}); s.AuthType != types.AuthTypeAwsIam || s.Status != types.ServiceStatusActive {
			t.Errorf("the service is %s, %s", s.AuthType, s.Status)
		}
		if list := does(e, e.lattice.ListServices)(&vpclattice.ListServicesInput{}); len(list.Items) != 1 {
			t.Errorf("listed %+v", list.Items)
		}

		does(e, e.lattice.DeleteService)(&vpclattice.DeleteServiceInput{ServiceIdentifier: made.Id})
		time.Sleep(time.Second + time.Millisecond)
		refuses(e, e.lattice.GetListener, "the service takes its listeners with it", "ResourceNotFoundException", &vpclattice.GetListenerInput{ServiceIdentifier: made.Id, ListenerIdentifier: l.Id})
	})
}

func TestLatticeListenerRefusals(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		service, group := e.latticeService("web").Id, e.latticeGroup("web").Id
		tcp := e.latticeGroup("tcp", func(c *types.TargetGroupConfig) { c.Protocol = types.TargetGroupProtocolTcp }).Id
		listen := func(service *string, name string, protocol types.ListenerProtocol, port int32, action types.RuleAction) *vpclattice.CreateListenerInput {
			return &vpclattice.CreateListenerInput{ServiceIdentifier: service, Name: &name, Protocol: protocol, Port: &port, DefaultAction: action}
		}

		e.latticeListen(service, "http", types.ListenerProtocolHttp, 80, toGroups(weigh(group, 1)))
		refuses(e, e.lattice.CreateListener, "the name is taken", "ConflictException", listen(service, "http", "HTTP", 81, answerWith(404)))
		refuses(e, e.lattice.CreateListener, "the port is taken", "ConflictException", listen(service, "other", "HTTP", 80, answerWith(404)))
		refuses(e, e.lattice.CreateListener, "only 404 and 500", "ValidationException", listen(service, "other", "HTTP", 81, answerWith(200)))
		refuses(e, e.lattice.CreateListener, "TLS needs a custom domain", "ValidationException", listen(service, "tls", "TLS_PASSTHROUGH", 443, toGroups(weigh(tcp, 1))))
		refuses(e, e.lattice.CreateListener, "a TCP group behind HTTP", "ValidationException", listen(service, "other", "HTTP", 81, toGroups(weigh(tcp, 1))))
		refuses(e, e.lattice.CreateListener, "no such group", "ResourceNotFoundException", listen(service, "other", "HTTP", 81, toGroups(weigh(aws.String("tg-00000000000000000"), 1))))
		refuses(e, e.lattice.CreateListener, "the group twice", "ValidationException", listen(service, "other", "HTTP", 81, toGroups(weigh(group, 1), weigh(group, 2))))
		other := e.latticeService("api").Id
		refuses(e, e.lattice.CreateListener, "a group of another service", "ConflictException", listen(other, "http", "HTTP", 80, toGroups(weigh(group, 1))))
		refuses(e, e.lattice.DeleteTargetGroup, "a group in use", "ConflictException", &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: group})
		e.latticeListen(service, "second", types.ListenerProtocolHttp, 81, answerWith(500))
		refuses(e, e.lattice.CreateListener, "the quota", "ServiceQuotaExceededException", listen(service, "third", "HTTP", 82, answerWith(404)))

		got := does(e, e.lattice.GetTargetGroup)(&vpclattice.GetTargetGroupInput{TargetGroupIdentifier: group})
		if len(got.ServiceArns) != 1 || !strings.HasSuffix(got.ServiceArns[0], *service) {
			t.Errorf("the group is used by %v", got.ServiceArns)
		}
	})
}

func TestLatticeRules(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{Quotas: lattice.Quotas{RulesPerListener: 2}}}, func(e *env) {
		service := e.latticeService("web").Id
		listener := e.latticeListen(service, "http", types.ListenerProtocolHttp, 80, answerWith(404)).Id
		create := func(name string, priority int32) *vpclattice.CreateRuleInput {
			return &vpclattice.CreateRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, Name: &name, Priority: &priority, Match: pathPrefix("/" + name), Action: answerWith(500)}
		}

		a, b := does(e, e.lattice.CreateRule)(create("one", 10)), does(e, e.lattice.CreateRule)(create("two", 20))
		refuses(e, e.lattice.CreateRule, "the quota", "ServiceQuotaExceededException", create("three", 30))
		does(e, e.lattice.DeleteRule)(&vpclattice.DeleteRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, RuleIdentifier: b.Id})
		refuses(e, e.lattice.CreateRule, "the priority is taken", "ConflictException", create("two", 10))
		refuses(e, e.lattice.CreateRule, "the name is taken", "ConflictException", create("one", 11))
		refuses(e, e.lattice.CreateRule, "priorities end at 100", "ValidationException", create("two", 101))
		b = does(e, e.lattice.CreateRule)(create("two", 20))

		// Two rules change places; a third change of the same call fails alone.
		batch := does(e, e.lattice.BatchUpdateRule)(&vpclattice.BatchUpdateRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, Rules: []types.RuleUpdate{
			{RuleIdentifier: a.Id, Priority: aws.Int32(20)}, {RuleIdentifier: b.Arn, Priority: aws.Int32(10)}, {RuleIdentifier: aws.String("rule-00000000000000000"), Priority: aws.Int32(5)},
		}})
		if len(batch.Successful) != 2 || len(batch.Unsuccessful) != 1 || *batch.Unsuccessful[0].FailureCode != "ResourceNotFoundException" {
			t.Errorf("changed %d, refused %+v", len(batch.Successful), batch.Unsuccessful)
		}
		if got := does(e, e.lattice.GetRule)(&vpclattice.GetRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, RuleIdentifier: a.Id}); *got.Priority != 20 {
			t.Errorf("the priority is %d, want 20", *got.Priority)
		}
		refuses(e, e.lattice.UpdateRule, "a priority that another has", "ConflictException", &vpclattice.UpdateRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, RuleIdentifier: a.Id, Priority: aws.Int32(10)})

		list := does(e, e.lattice.ListRules)(&vpclattice.ListRulesInput{ServiceIdentifier: service, ListenerIdentifier: listener})
		if len(list.Items) != 3 || !*list.Items[0].IsDefault || list.Items[0].Priority != nil {
			t.Fatalf("listed %+v, want the default rule and two others", list.Items)
		}
		standard := list.Items[0].Id
		refuses(e, e.lattice.DeleteRule, "the default rule stays", "ConflictException", &vpclattice.DeleteRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, RuleIdentifier: standard})
		refuses(e, e.lattice.UpdateRule, "it is the listener's", "ValidationException", &vpclattice.UpdateRuleInput{ServiceIdentifier: service, ListenerIdentifier: listener, RuleIdentifier: standard, Priority: aws.Int32(1)})
		does(e, e.lattice.UpdateListener)(&vpclattice.UpdateListenerInput{ServiceIdentifier: service, ListenerIdentifier: listener, DefaultAction: answerWith(500)})
	})
}

// A target is UNUSED until a rule forwards to its group, checked from then on, and UNUSED again.
func TestLatticeTargetHealth(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		one := Target{ID: "10.0.0.1", Port: 80}
		group := e.latticeGroup("web")
		e.script(*group.Arn, Script{Outcomes: []string{"503", "503", "pass", "pass", "pass", "pass", "pass"}})
		e.latticeRegister(group.Id, one)
		want := func(reason, status string) {
			t.Helper()
			if diff := cmp.Diff(map[Target]string{one: status}, e.latticeStates(group.Id)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", reason, diff)
			}
		}

		want("no rule forwards to the group", "UNUSED")
		service := e.latticeService("web").Id
		listener := e.latticeListen(service, "http", types.ListenerProtocolHttp, 80, toGroups(weigh(group.Id, 1))).Id
		want("the first check is to come", "INITIAL")
		time.Sleep(2*time.Second + time.Millisecond)
		want("one failed check is not enough", "INITIAL")
		time.Sleep(30 * time.Second)
		want("two are", "UNHEALTHY")
		if out := does(e, e.lattice.ListTargets)(&vpclattice.ListTargetsInput{TargetGroupIdentifier: group.Id}); aws.ToString(out.Items[0].ReasonCode) != "HealthCheckFailed" {
			t.Errorf("the reason is %v", out.Items[0].ReasonCode)
		}
		time.Sleep(4 * 30 * time.Second)
		want("four passed checks are not enough for one that was unhealthy", "UNHEALTHY")
		time.Sleep(30 * time.Second)
		want("five are", "HEALTHY")

		off := &vpclattice.UpdateTargetGroupInput{TargetGroupIdentifier: group.Id, HealthCheck: &types.HealthCheckConfig{Enabled: aws.Bool(false)}}
		does(e, e.lattice.UpdateTargetGroup)(off)
		want("health checks are off", "UNAVAILABLE")
		does(e, e.lattice.DeleteListener)(&vpclattice.DeleteListenerInput{ServiceIdentifier: service, ListenerIdentifier: listener})
		want("nothing forwards to it any more", "UNUSED")
	})
}

// One passed check is enough for a new target, and a deregistered one drains for a minute.
func TestLatticeDrain(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		group := e.latticeUsed()
		e.script(*group, Script{Outcomes: []string{"pass"}})
		one := Target{ID: "10.0.0.1", Port: 80}
		e.latticeRegister(group, one)
		time.Sleep(2*time.Second + time.Millisecond)
		want := func(reason string, want map[Target]string) {
			t.Helper()
			if diff := cmp.Diff(want, e.latticeStates(group)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", reason, diff)
			}
		}

		want("one passed check", map[Target]string{one: "HEALTHY"})
		e.latticeDeregister(group, one)
		time.Sleep(59 * time.Second)
		want("the drain lasts a minute", map[Target]string{one: "DRAINING"})
		time.Sleep(time.Second + time.Millisecond)
		want("and then it is over", map[Target]string{})

		e.latticeRegister(group, one)
		time.Sleep(3 * time.Second)
		e.latticeDeregister(group, one)
		e.latticeRegister(group, one)
		want("registered again while it drains", map[Target]string{one: "INITIAL"})
		time.Sleep(2 * time.Minute)
		want("the drain that was begun does not end it", map[Target]string{one: "HEALTHY"})
	})
}

// Where AWS says nothing the simulator can have it the other way.
func TestLatticeAssumptions(t *testing.T) {
	other := lattice.Assumptions{TokenReuse: "validation", NameTaken: "validation", RefuseWholeCall: true, ListUnregistered: true, RefuseDraining: true, HighestMatch: 599, TLSPort: 8443}
	inBubble(t, Config{Lattice: Lattice{Assumptions: other}}, func(e *env) {
		group := e.latticeUsed(func(c *types.TargetGroupConfig) {
			c.HealthCheck = &types.HealthCheckConfig{Matcher: &types.MatcherMemberHttpCode{Value: "200-599"}}
		})
		lambda := func(name string) *vpclattice.CreateTargetGroupInput {
			return &vpclattice.CreateTargetGroupInput{Name: &name, Type: types.TargetGroupTypeLambda, ClientToken: aws.String("token")}
		}
		does(e, e.lattice.CreateTargetGroup)(lambda("one"))
		refuses(e, e.lattice.CreateTargetGroup, "the token again", "ValidationException", lambda("two"))
		refuses(e, e.lattice.CreateService, "the name again", "ValidationException", &vpclattice.CreateServiceInput{Name: aws.String("web")})

		register := func(targets ...Target) *vpclattice.RegisterTargetsInput {
			return &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group, Targets: latticeTargets(targets...)}
		}
		refuses(e, e.lattice.RegisterTargets, "one bad address", "ValidationException", register(Target{ID: "10.0.0.1"}, Target{ID: "fd00::1"}))
		one := Target{ID: "10.0.0.1", Port: 80}
		if diff := cmp.Diff(map[Target]string{one: "UNUSED"}, e.latticeStates(group, one)); diff != "" {
			t.Errorf("a target that is asked for and not registered: -want, +got:\n%s", diff)
		}

		e.latticeRegister(group, one)
		e.latticeDeregister(group, one)
		refuses(e, e.lattice.RegisterTargets, "a draining target", "ValidationException", register(one))

		secure := does(e, e.lattice.CreateService)(&vpclattice.CreateServiceInput{Name: aws.String("secure"), CustomDomainName: aws.String("secure.example.com")}).Id
		tcp := e.latticeGroup("tcp", func(c *types.TargetGroupConfig) { c.Protocol = types.TargetGroupProtocolTcp }).Id
		l := does(e, e.lattice.CreateListener)(&vpclattice.CreateListenerInput{ServiceIdentifier: secure, Name: aws.String("tls"), Protocol: types.ListenerProtocolTlsPassthrough, DefaultAction: toGroups(weigh(tcp, 1))})
		if *l.Port != 8443 {
			t.Errorf("a TLS listener without a port has %d", *l.Port)
		}
	})
}
