// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	podaws "github.com/podgate/podgate/internal/aws"
	awstraits "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
)

// session is STS's answer to AssumeRole with credentials good for an hour.
func session(key string) answer { return sessionFor(key, time.Hour) }

func sessionFor(key string, d time.Duration) answer {
	return answer{200, fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		key, time.Now().Add(d).UTC().Format(time.RFC3339))}
}

var foreignRef = balancer.Ref{Group: testARN, RoleARN: testRole, ExternalID: "42"}

// TestOwnAccountIsLearned: which account is podgate's own shows in a group that it reaches without a role. One that a role
// reaches shows nothing, nor does one that is refused: a manifest may name any.
func TestOwnAccountIsLearned(t *testing.T) {
	refused := true
	w := serve(t, func(action string, _ url.Values) answer {
		switch {
		case action == "AssumeRole":
			return session("ASIAROLE")
		case refused:
			return refusal(403, "AccessDenied", "no")
		}
		return rows()
	})
	own := &awstraits.Own{Region: testRegion}
	p := New(config(t, w.URL), testRegion, podaws.Telling(own))
	sameAccount := balancer.Ref{RoleARN: strings.Replace(testRole, "210987654321", strings.Split(testARN, ":")[4], 1)}

	for _, step := range []struct {
		reason  string
		ref     balancer.Ref
		refused bool
		shared  bool
	}{
		{"podgate is refused", balancer.Ref{Group: testARN}, true, false},
		{"a role reaches it", foreignRef, false, false},
		{"podgate reaches it", balancer.Ref{Group: testARN}, false, true},
	} {
		refused = step.refused
		if _, err := p.Health(t.Context(), balancer.Group{Ref: step.ref}); (err != nil) != step.refused {
			t.Errorf("%s: %v", step.reason, err)
		}
		if shared := own.Account(sameAccount) == own.Account(balancer.Ref{}); shared != step.shared {
			t.Errorf("%s: one budget %t", step.reason, shared)
		}
	}
}

func TestRoleIsAssumedOnceForAllItsCalls(t *testing.T) {
	w := serve(t, func(action string, _ url.Values) answer {
		if action == "AssumeRole" {
			return session("ASIAROLE")
		}
		return rows()
	})

	p := New(config(t, w.URL), testRegion)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := p.Health(t.Context(), balancer.Group{Ref: foreignRef}); err != nil {
				t.Error(err)
			}
		})
	}

	wg.Wait()
	if n := w.count("AssumeRole"); n != 1 {
		t.Errorf("assumed %d times", n)
	}

	if _, err := p.Health(t.Context(), balancer.Group{Ref: balancer.Ref{Group: testARN, ExternalID: "42"}}); err != nil {
		t.Error(err)
	}

	if n := w.count("AssumeRole"); n != 1 {
		t.Error("assumed a role for a group that names none")
	}

	form := w.asked[0]
	if form.Get("RoleArn") != testRole || form.Get("ExternalId") != "42" || form.Get("RoleSessionName") != "podgate" {
		t.Errorf("asked for %v", form)
	}
}

// Credentials are replaced before they end, so that no call meets the end.
func TestRoleIsAssumedAgainBeforeItsEnd(t *testing.T) {
	w := serve(t, func(action string, _ url.Values) answer {
		if action == "AssumeRole" {
			return sessionFor("ASIAROLE", podaws.ExpiryWindow/2)
		}
		return rows()
	})

	p := New(config(t, w.URL), testRegion)
	for range 3 {
		if _, err := p.Health(t.Context(), balancer.Group{Ref: foreignRef}); err != nil {
			t.Fatal(err)
		}
	}

	if n := w.count("AssumeRole"); n != 3 {
		t.Errorf("assumed %d times for three calls with credentials that are about to end", n)
	}
}

func TestRolesDoNotShareCredentials(t *testing.T) {
	w := serve(t, func(action string, form url.Values) answer {
		if action == "AssumeRole" && form.Get("ExternalId") == "43" {
			return refusal(403, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole")
		}
		if action == "AssumeRole" {
			return session("ASIAROLE")
		}
		return rows()
	})

	p := New(config(t, w.URL), testRegion)
	if _, err := p.Health(t.Context(), balancer.Group{Ref: foreignRef}); err != nil {
		t.Fatal(err)
	}

	other := foreignRef
	other.ExternalID = "43"
	_, err := p.Health(t.Context(), balancer.Group{Ref: other})
	checkKind(t, err, balancer.ErrDenied)
	want := `describe target health of "` + testARN + `": AccessDenied: cannot assume role "` + testRole + `": User: x is not authorized to perform: sts:AssumeRole`
	if got := balancer.Message(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorsOfAssumingARole(t *testing.T) {
	tests := []struct {
		reason string
		answer answer
		want   error
	}{
		{"a role that does not exist or may not be assumed", refusal(403, "AccessDenied", "no"), balancer.ErrDenied},
		{"a malformed role ARN is no reason to search for a bad target", refusal(400, "ValidationError", "bad arn"), balancer.ErrDenied},
		{"own credentials that expired", refusal(403, "ExpiredToken", "no"), balancer.ErrDenied},
		{"a region that STS does not serve", refusal(403, "RegionDisabledException", "no"), balancer.ErrDenied},
		{"throttling", refusal(400, "Throttling", "Rate exceeded"), balancer.ErrThrottled},
		{"an outage of STS", refusal(500, "InternalFailure", "no"), nil},
		{"half an answer", answer{200, session("A").body[:200]}, nil},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			w := serve(t, always(tc.answer))
			err := New(config(t, w.URL), testRegion).Register(t.Context(), balancer.Group{Ref: foreignRef}, targets(t, 4), nil)
			checkKind(t, err, tc.want)
			if !strings.Contains(balancer.Message(err), `cannot assume role "`+testRole+`": `) {
				t.Errorf("got %q", balancer.Message(err))
			}
			if n := len(w.asked); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// A session that AWS revokes before its end must not be used until its end.
func TestRefusedCredentialsAreReplaced(t *testing.T) {
	var sessions atomic.Int32
	w := serve(t, func(action string, _ url.Values) answer {
		switch {
		case action == "AssumeRole":
			return session(fmt.Sprintf("ASIA%d", sessions.Add(1)))
		case sessions.Load() < 2:
			return refusal(403, "AccessDenied", "revoked")
		}
		return rows()
	})

	p := New(config(t, w.URL), testRegion)
	_, err := p.Health(t.Context(), balancer.Group{Ref: foreignRef})
	checkKind(t, err, balancer.ErrDenied)

	if _, err := p.Health(t.Context(), balancer.Group{Ref: foreignRef}); err != nil {
		t.Errorf("still refused with a new session at hand: %v", err)
	}
}

// STS that hangs delays neither calls that need no role nor, once it answers again,
// those that do.
func TestHangingSTSHoldsNobodyElse(t *testing.T) {
	const timeout = 100 * time.Millisecond
	var mended atomic.Bool
	end := make(chan struct{})
	w := serve(t, func(action string, _ url.Values) answer {
		if action != "AssumeRole" {
			return rows()
		}
		if !mended.Load() {
			<-end
		}
		return session("ASIAROLE")
	})

	t.Cleanup(func() { close(end) })
	p := New(config(t, w.URL), testRegion, podaws.WithCallTimeout(timeout))
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := p.Health(t.Context(), balancer.Group{Ref: foreignRef})
		checkKind(t, err, nil)
		if !strings.Contains(balancer.Message(err), "cannot assume role") {
			t.Errorf("got %q", balancer.Message(err))
		}
	})

	if _, err := p.Health(t.Context(), balancer.Group{Ref: testRef}); err != nil {
		t.Errorf("a group without a role: %v", err)
	}

	wg.Wait()
	mended.Store(true)
	var err error
	for range 100 { // the hanging request may be shared once more before it times out
		if _, err = p.Health(t.Context(), balancer.Group{Ref: foreignRef}); err == nil {
			return
		}
	}

	t.Errorf("STS answers again, and still: %v", err)
}
