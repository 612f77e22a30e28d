// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

// catalog is an API with groups for the Services shop/web-0 to shop/web-9 in turn, which takes a second to list them.
type catalog struct {
	api
	groups int
	// making is the ARN of a group that is being created.
	making string

	mu                sync.Mutex
	lists, tags, gets int
	fail              error
}

func (c *catalog) arn(i int) string {
	return fmt.Sprintf("%s%02d", strings.TrimSuffix(testARN, "00"), i)
}

func (c *catalog) ListTargetGroups(ctx context.Context, _ *vpclattice.ListTargetGroupsInput, _ ...func(*vpclattice.Options)) (*vpclattice.ListTargetGroupsOutput, error) {
	c.mu.Lock()
	c.lists++
	groups, fail := c.groups, c.fail
	c.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	out := &vpclattice.ListTargetGroupsOutput{Items: []types.TargetGroupSummary{}}
	for i := range groups {
		out.Items = append(out.Items, types.TargetGroupSummary{Arn: aws.String(c.arn(i)), Type: types.TargetGroupTypeIp})
	}
	return out, fail
}

func (c *catalog) ListTagsForResource(_ context.Context, in *vpclattice.ListTagsForResourceInput, _ ...func(*vpclattice.Options)) (*vpclattice.ListTagsForResourceOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tags++
	arn := *in.ResourceArn
	return &vpclattice.ListTagsForResourceOutput{Tags: map[string]string{gwc.TagServiceNamespace: "shop", gwc.TagServiceName: "web-" + arn[len(arn)-1:]}}, nil
}

func (c *catalog) GetTargetGroup(_ context.Context, in *vpclattice.GetTargetGroupInput, _ ...func(*vpclattice.Options)) (*vpclattice.GetTargetGroupOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gets++
	out := &vpclattice.GetTargetGroupOutput{Arn: in.TargetGroupIdentifier, Type: types.TargetGroupTypeIp, Status: types.TargetGroupStatusActive}
	if *out.Arn == c.making {
		out.Status = types.TargetGroupStatusCreateInProgress
	}
	return out, nil
}

// more adds a group.
func (c *catalog) more() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups++
}

// made returns how many calls of each operation were made.
func (c *catalog) made() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d lists, %d tags, %d groups", c.lists, c.tags, c.gets)
}

// TestBindingsShareASearch: those of a role and region that look at the same time, or a short while later, make one search.
func TestBindingsShareASearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &catalog{groups: 6}
		p := fake(c)
		look := func(ref balancer.Ref, found bool) {
			var all sync.WaitGroup
			for i := range 6 {
				all.Go(func() {
					g := wanted(fmt.Sprintf("shop/web-%d", i))
					g.Ref = ref
					if found {
						g.Before = g.Name
					}
					if got, err := p.Resolve(t.Context(), g); err != nil || got.Ref.Group != c.arn(i) || got.Ref.Region != ref.Region || got.Ref.RoleARN != ref.RoleARN {
						t.Errorf("got %+v, %v", got, err)
					}
				})
			}
			all.Wait()
		}

		role := balancer.Ref{RoleARN: "arn:aws:iam::123456789012:role/other"}
		for _, step := range []struct {
			reason string
			after  time.Duration
			ref    balancer.Ref
			found  bool
			want   string
		}{
			{"at once", 0, balancer.Ref{}, false, "1 lists, 6 tags, 6 groups"},
			{"a while later, in podgate's own region by its name", searchKept - 1100*time.Millisecond, balancer.Ref{Region: testRegion}, true, "1 lists, 6 tags, 6 groups"},
			{"too long after the search began", 101 * time.Millisecond, balancer.Ref{}, true, "2 lists, 6 tags, 6 groups"},
			{"with another role", 0, role, true, "3 lists, 12 tags, 12 groups"},
			{"when the tags are old, too", tagsKept, balancer.Ref{}, true, "4 lists, 18 tags, 18 groups"},
			{"those that have found nothing yet", time.Millisecond, balancer.Ref{}, false, "5 lists, 18 tags, 24 groups"},
			{"and those that have", 0, balancer.Ref{}, true, "5 lists, 18 tags, 24 groups"},
			{"a while later", describedKept, balancer.Ref{}, true, "6 lists, 18 tags, 24 groups"},
			{"too long after they were described", time.Millisecond, balancer.Ref{}, true, "6 lists, 18 tags, 30 groups"},
		} {
			time.Sleep(step.after)
			look(step.ref, step.found)
			if got := c.made(); got != step.want {
				t.Errorf("%s: %s, want %s", step.reason, got, step.want)
			}
		}
	})
}

// TestLaw1ANewBindingSearches: what a binding finds first is as it was when it began, so that it misses no group that was made
// just now. New bindings share a search with each other.
func TestLaw1ANewBindingSearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &catalog{groups: 10}
		p := fake(c)
		known := wanted("shop/web-9")
		known.Before = known.Name
		var all sync.WaitGroup
		look := func(wanted balancer.Group, want ...string) {
			all.Go(func() {
				if got, err := p.Resolve(t.Context(), wanted); err != nil || got.Ref.Group != traits.Join(want) {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}

		look(known, c.arn(9))
		time.Sleep(time.Millisecond)
		c.more()
		for range 5 {
			look(wanted("shop/web-0"), c.arn(0), c.arn(10))
		}
		all.Wait()
		if c.lists != 2 {
			t.Errorf("while a search was under way: %d, want one more", c.lists)
		}

		c.more()
		look(wanted("shop/web-1"), c.arn(1), c.arn(11))
		look(known, c.arn(9))
		all.Wait()
		if c.lists != 3 {
			t.Errorf("after a search: %d, want one more", c.lists)
		}
	})
}

// TestABindingWithoutGroupsSharesSearches: one that finds none asks again and again, and has the account searched no more often
// for it than those that have groups.
func TestABindingWithoutGroupsSharesSearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &catalog{groups: 4}
		p := fake(c)
		begin := time.Now()
		for range 10 {
			_, err := p.Resolve(t.Context(), wanted("shop/web-4"))
			checkKind(t, err, balancer.ErrNotFound)
			time.Sleep(time.Second)
		}
		if got, want := c.made(), "1 lists, 4 tags, 0 groups"; got != want {
			t.Errorf("within %s: %s, want %s", time.Since(begin), got, want)
		}

		// A search is young enough for the groups that it finds, too.
		c.more()
		time.Sleep(searchKept - time.Since(begin))
		_, err := p.Resolve(t.Context(), wanted("shop/web-4"))
		checkKind(t, err, balancer.ErrNotFound)
		time.Sleep(time.Millisecond)
		if got, err := p.Resolve(t.Context(), wanted("shop/web-4")); err != nil || got.Ref.Group != c.arn(4) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, want := c.made(), "2 lists, 5 tags, 1 groups"; got != want {
			t.Errorf("once there is one: %s, want %s", got, want)
		}
	})
}

// TestAWaitForAGroupSharesSearches: while one of a binding's groups is being created, it asks about that one alone. Once it is
// there, it searches before it goes on, and misses none that was made meanwhile.
func TestAWaitForAGroupSharesSearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &catalog{groups: 11}
		c.making = c.arn(10)
		p := fake(c)
		for range 6 {
			_, err := p.Resolve(t.Context(), wanted("shop/web-0"))
			checkKind(t, err, balancer.ErrNotReady)
			time.Sleep(2 * time.Second)
		}
		if got, want := c.made(), "1 lists, 11 tags, 7 groups"; got != want {
			t.Errorf("while it waits: %s, want %s", got, want)
		}

		c.making, c.groups = "", 21
		got, err := p.Resolve(t.Context(), wanted("shop/web-0"))
		if err != nil || got.Ref.Group != traits.Join([]string{c.arn(0), c.arn(10), c.arn(20)}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, want := c.made(), "2 lists, 21 tags, 10 groups"; got != want {
			t.Errorf("it goes on: %s, want %s", got, want)
		}
	})
}

// TestAFailedSearchIsShared: but it does not count for those that come later.
func TestAFailedSearchIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &catalog{groups: 1, fail: errors.New("down")}
		p := fake(c)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := p.Resolve(t.Context(), wanted("shop/web-0")); err == nil {
					t.Error("it was found")
				}
			})
		}
		all.Wait()

		c.fail = nil
		if _, err := p.Resolve(t.Context(), wanted("shop/web-0")); err != nil || c.lists != 2 {
			t.Errorf("%d lists, %v", c.lists, err)
		}
	})
}

// TestASearchOutlivesItsCaller: who waits for the search of one that gives up, searches.
func TestASearchOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fake(&catalog{groups: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var first, second error
		var all sync.WaitGroup
		all.Go(func() { _, first = p.Resolve(ctx, wanted("shop/web-0")) })
		synctest.Wait()
		all.Go(func() { _, second = p.Resolve(t.Context(), wanted("shop/web-0")) })
		synctest.Wait()
		cancel()
		all.Wait()
		if !errors.Is(first, context.Canceled) || second != nil {
			t.Errorf("who gave up got %v, and who waited %v", first, second)
		}
	})
}

// TestEachCallIsPaidFor: those of a search, of a name's look-up, and of each page.
func TestEachCallIsPaidFor(t *testing.T) {
	pages := &lister{page: func(token string) ([]types.TargetSummary, string, error) {
		return []types.TargetSummary{row("10.0.0.1", "HEALTHY")}, map[string]string{"": "two", "two": "three"}[token], nil
	}}
	named := answering{got: &vpclattice.GetTargetGroupOutput{Arn: aws.String(testARN), Name: aws.String("web"), Type: types.TargetGroupTypeIp},
		listed: []types.TargetGroupSummary{{Arn: aws.String(testARN), Name: aws.String("web")}}}

	for name, tc := range map[string]struct {
		of   api
		call func(context.Context, *Provider) error
		want int
	}{
		"three pages": {pages, func(ctx context.Context, p *Provider) error { _, err := p.Health(ctx, testGroup); return err }, 3},
		"a name": {named, func(ctx context.Context, p *Provider) error {
			_, err := p.Resolve(ctx, balancer.Group{Name: "web"})
			return err
		}, 2},
		"a search": {&catalog{groups: 4}, func(ctx context.Context, p *Provider) error {
			_, err := p.Resolve(ctx, wanted("shop/web-3"))
			return err
		}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				paid := 0
				ctx := balancer.WithPayer(t.Context(), func(context.Context) error { paid++; return nil })
				if err := tc.call(ctx, fake(tc.of)); err != nil || paid != tc.want {
					t.Errorf("%d calls are paid for, want %d; %v", paid, tc.want, err)
				}

				poor := balancer.WithPayer(t.Context(), func(context.Context) error { return balancer.ErrThrottled })
				if err := tc.call(poor, fake(tc.of)); !errors.Is(err, balancer.ErrThrottled) {
					t.Errorf("who cannot pay got %v", err)
				}
			})
		})
	}
}
