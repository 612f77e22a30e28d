// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

const (
	// listAge is how long the list of all load balancers and target groups serves those who look whether all is as it was, and
	// loneAge how long it serves one stack. A list costs two calls, and each stack may cost one in five minutes.
	listAge = 5 * time.Minute
	loneAge = 20 * time.Minute
	// freshAge is how long it serves those who are about to change something. What they change themselves is noted in it.
	freshAge = 5 * time.Second
	// namesAge is how long it tells what there is of others, and serves a stack that is tried again.
	namesAge = time.Minute
	// tagAge is how long the tags of somebody else's are believed. Those of a stack are read again before it is changed.
	tagAge = time.Hour
	// lag is for how long a list may lack what was made, and show what was deleted.
	lag = time.Minute

	// pageSize is AWS's bound of a page, and tagged its bound of resources whose tags one call tells.
	pageSize = 400
	tagged   = 20
)

// resource is a load balancer or a target group of the account; one of the two is set.
type resource struct {
	arn, name    string
	loadBalancer *elb.ObservedLoadBalancer
	targetGroup  *elb.ObservedTargetGroup
	tags         map[string]string
	// read is when the tags were read; zero: not yet.
	read time.Time
	// made is when podgate made it, and gone when podgate deleted it; zero: neither.
	made, gone time.Time
}

// list brings the list of all up to date, unless it is younger than age. One call of AWS serves all who wait.
func (c *Cloud) list(ctx context.Context, age time.Duration) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}

	if c.age() < age {
		return nil
	}

	begun := c.now()
	found, err := c.ask(ctx)
	if err != nil {
		return err
	}
	if err := c.readTags(ctx, c.merge(found, begun)); err != nil {
		return err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed = begun
	return nil
}

// restAge is how long the list serves who looks whether all is as it was.
func (c *Cloud) restAge() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	stacks := 0
	for _, d := range c.details {
		if len(d.seen.LoadBalancers) > 0 {
			stacks++
		}
	}
	return max(listAge, loneAge/time.Duration(max(stacks, 1)))
}

// changeAge is how long the list serves a stack that is about to be changed. One that was read all through within the last
// minute is being tried again: nothing but its own is read again then, however many load balancers the account has.
func (c *Cloud) changeAge(of elb.Identity) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.details[keyOf(of)]
	if known && c.now().Sub(last.at) < namesAge {
		return namesAge
	}
	return freshAge
}

// age is how old the list is.
func (c *Cloud) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listed.IsZero() {
		return 1<<63 - 1
	}
	return c.now().Sub(c.listed)
}

// ask lists all load balancers and target groups, without their tags.
func (c *Cloud) ask(ctx context.Context) ([]*resource, error) {
	var found []*resource
	balancers := &elbv2.DescribeLoadBalancersInput{PageSize: aws.Int32(pageSize)}
	for {
		page, err := call(ctx, c, "DescribeLoadBalancers", c.place(), (*elbv2.Client).DescribeLoadBalancers, balancers)
		if err != nil {
			return nil, err
		}
		for _, lb := range page.LoadBalancers {
			seen := loadBalancerOf(lb)
			found = append(found, &resource{arn: seen.ARN, name: seen.Name, loadBalancer: &seen})
		}
		if value(page.NextMarker) == "" {
			break
		}
		balancers.Marker = page.NextMarker
	}

	groups := &elbv2.DescribeTargetGroupsInput{PageSize: aws.Int32(pageSize)}
	for {
		page, err := call(ctx, c, "DescribeTargetGroups", c.place(), (*elbv2.Client).DescribeTargetGroups, groups)
		if err != nil {
			return nil, err
		}
		for _, g := range page.TargetGroups {
			seen := targetGroupOf(g)
			found = append(found, &resource{arn: seen.ARN, name: seen.Name, targetGroup: &seen})
		}
		if value(page.NextMarker) == "" {
			return found, nil
		}
		groups.Marker = page.NextMarker
	}
}

// place is what a list of all is about, for people.
func (c *Cloud) place() string { return cmp.Or(c.region, "the region") }

// merge takes over what a list has that was begun then, and returns the ARNs of which the tags are to be read. What podgate
// made or deleted a moment before the list, or during it, is not told by the list, which may lag.
func (c *Cloud) merge(found []*resource, begun time.Time) []string {
	c.mu.Lock()
	defer c.mu.Unlock()

	var unread []string
	all := make(map[string]*resource, len(found))
	for _, r := range found {
		if old := c.all[r.arn]; old != nil {
			r.tags, r.read, r.made = old.tags, old.read, old.made
			if begun.Sub(old.gone) < lag {
				r.gone = old.gone
			}
		}
		all[r.arn] = r
		if r.read.IsZero() || begun.Sub(r.read) >= tagAge {
			unread = append(unread, r.arn)
		}
	}

	for arn, old := range c.all {
		recent := begun.Sub(old.made) < lag || begun.Sub(old.gone) < lag
		if all[arn] == nil && recent {
			all[arn] = old
		}
	}

	c.all = all
	return unread
}

// readTags reads the tags of load balancers and target groups into the list.
func (c *Cloud) readTags(ctx context.Context, arns []string) error {
	now := c.now()
	return c.describeTags(ctx, arns, func(arn string, tags map[string]string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r := c.all[arn]; r != nil {
			r.tags, r.read = tags, now
		}
	})
}

// describeTags hands the tags of each ARN to take. Those of what is gone are not told.
func (c *Cloud) describeTags(ctx context.Context, arns []string, take func(arn string, tags map[string]string)) error {
	for batch := range slices.Chunk(arns, tagged) {
		err := c.describeTagsOf(ctx, batch, take)
		// AWS tells nothing of a batch in which one is gone.
		if errors.Is(err, balancer.ErrNotFound) && len(batch) > 1 {
			half := len(batch) / 2
			if err = c.describeTags(ctx, batch[:half], take); err == nil {
				err = c.describeTags(ctx, batch[half:], take)
			}
		}
		if err != nil && !errors.Is(err, balancer.ErrNotFound) {
			return err
		}
	}
	return nil
}

// describeTagsOf is describeTags for as many as one call takes, and fails if one of them is gone.
func (c *Cloud) describeTagsOf(ctx context.Context, arns []string, take func(arn string, tags map[string]string)) error {
	out, err := call(ctx, c, "DescribeTags", arns[0], (*elbv2.Client).DescribeTags, &elbv2.DescribeTagsInput{ResourceArns: arns})
	if err != nil {
		return err
	}
	for _, d := range out.TagDescriptions {
		take(value(d.ResourceArn), tagsOf(d.Tags))
	}
	return nil
}

// of lists what is a stack's, in the order of their ARNs.
func (c *Cloud) of(stack elb.Identity) []resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	var own []resource
	for _, r := range c.all {
		if r.gone.IsZero() && r.belongs(stack) {
			own = append(own, c.freed(*r))
		}
	}
	slices.SortFunc(own, func(a, b resource) int { return cmp.Compare(a.arn, b.arn) })
	return own
}

// TargetGroups are all target groups of the account and region, whosever they are. They are as they were a minute ago at most
// where fresh, else as Observe believes them. They come without their attributes.
func (c *Cloud) TargetGroups(ctx context.Context, fresh bool) ([]elb.ObservedTargetGroup, error) {
	age := namesAge
	if !fresh {
		age = c.restAge()
	}
	if err := c.list(ctx, age); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var groups []elb.ObservedTargetGroup
	for _, r := range c.all {
		if r.targetGroup != nil && r.gone.IsZero() {
			groups = append(groups, c.freed(*r).asTargetGroup(elb.Identity{}))
		}
	}
	return groups, nil
}

// freed is a resource without the load balancer that podgate deleted after the list, or that the list still has. c.mu is held.
func (c *Cloud) freed(r resource) resource {
	if r.targetGroup == nil {
		return r
	}
	if lb := c.all[r.targetGroup.LoadBalancer]; lb != nil && !lb.gone.IsZero() {
		g := *r.targetGroup
		g.LoadBalancer, r.targetGroup = "", &g
	}
	return r
}

// belongs reports whether a resource is a stack's.
func (r *resource) belongs(to elb.Identity) bool {
	return r.vpc() == to.VPC && carries(r.tags, to.Tags)
}

// vpc is the id of the VPC that a resource is in.
func (r *resource) vpc() string {
	switch {
	case r.loadBalancer != nil:
		return r.loadBalancer.VPC
	case r.targetGroup != nil:
		return r.targetGroup.VPC
	}
	return ""
}

// carries reports whether tags are among those that a resource has. Nothing carries no tags at all.
func carries(has, tags map[string]string) bool {
	for key, want := range tags {
		if got, ok := has[key]; !ok || got != want {
			return false
		}
	}
	return len(tags) > 0
}

// foreign are the names that a stack wants and that somebody else has, with whose they are. Of what AWS did not tell the tags
// of nobody knows that.
func (c *Cloud) foreign(stack elb.Stack) map[string]string {
	groups := map[string]bool{}
	for _, g := range stack.TargetGroups {
		groups[g.Name] = true
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string]string{}
	for _, r := range c.all {
		wanted := r.loadBalancer != nil && r.name == stack.LoadBalancer.Name || r.targetGroup != nil && groups[r.name]
		if wanted && r.gone.IsZero() && !r.read.IsZero() && !r.belongs(stack.Identity) {
			names[r.name] = whose(r.tags, r.vpc())
		}
	}
	return names
}

// whose tells whose a resource is, as far as its tags and its VPC say.
func whose(tags map[string]string, vpc string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key == "Name" || key == "owner" || strings.Contains(key, "cluster") || strings.HasSuffix(key, "/stack") || strings.HasSuffix(key, "/resource") {
			parts = append(parts, key+"="+tags[key])
		}
	}
	return strings.TrimSuffix(cmp.Or(strings.Join(parts, ", "), "somebody without tags")+", in "+vpc, ", in ")
}

// note changes what the list knows of a resource, or adds one that podgate has made.
func (c *Cloud) note(arn string, change func(*resource)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &resource{arn: arn}
	if old := c.all[arn]; old != nil {
		*r = *old
	}
	change(r)
	c.all[arn] = r
}

// young reports whether podgate made a resource so lately that AWS may not find it yet.
func (c *Cloud) young(arn string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.all[arn]
	return r != nil && c.now().Sub(r.made) < lag
}

// forget has the list asked for again.
func (c *Cloud) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed = time.Time{}
}
