// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/podgate/podgate/internal/check"
)

const (
	// renew is how often it is asked again whether an account may read what it does, and leeway is how much later that may be
	// answered.
	renew  = 5 * time.Minute
	leeway = time.Minute
	// retry is how often it is asked where the account may not, or where nobody knows.
	retry = 30 * time.Second
	// reviewRate is how often that is asked in a second, for all of them.
	reviewRate = 20

	// remind is how often the pods that wait are woken without a change. A question that no pod asked again since is dropped.
	remind = 2 * time.Minute
	// wakePause is how long after pods were woken they are woken again at the earliest, and wakePerPod is added for each of them: an
	// object that changes all the time must not keep podgate busy.
	wakePause  = time.Second
	wakePerPod = 5 * time.Millisecond

	// maxQuestions bounds the questions, and maxPerNamespace those on the account of one namespace.
	maxQuestions    = 1000
	maxPerNamespace = 100
	// reserve of them are kept for namespaces that have less than few.
	reserve = maxQuestions / 4
	few     = 5
	// maxSize bounds what is in memory for one question, maxSizePerNamespace for those of one namespace, and maxSizeInAll for
	// all, in bytes.
	maxSize             = 4 << 20
	maxSizePerNamespace = 16 << 20
	maxSizeInAll        = 64 << 20
	// maxObjects bounds the objects that a selector matches.
	maxObjects = 200
)

// Config of Objects.
type Config struct {
	// Client reads, with podgate's own rights, which an administrator gives for each kind.
	Client dynamic.Interface
	Mapper meta.RESTMapper
	// Review has the API server answer who may do what.
	Review func(context.Context, *authorizationv1.SubjectAccessReview) error
	// Wake is called for a pod for which something that it looked at may be another. No lock is held then.
	Wake func(types.NamespacedName)
	Log  logr.Logger
}

// Objects are the objects that checks look at. Each is watched once for all gates and pods, from when a pod first looks at it until
// none has for a while. Make one with NewObjects and run it with Run, where the checks are asked.
type Objects struct {
	client  dynamic.Interface
	mapper  meta.RESTMapper
	review  func(context.Context, *authorizationv1.SubjectAccessReview) error
	wake    func(types.NamespacedName)
	log     logr.Logger
	reviews *rate.Limiter
	// lists are the turns of those that read lists.
	lists chan struct{}

	// running has what was started end before Run returns.
	running sync.WaitGroup

	mu        sync.Mutex
	ctx       context.Context // nil until Run, and after it
	questions map[Question]*asked
	watches   map[place]*watched
	// refused are pods whose questions were too many since those were reminded last.
	refused map[types.NamespacedName]bool
	// verdicts are what was found out for Access.
	verdicts map[Question]verdict
}

// asked is a question. All but question and changed is guarded by Objects.mu.
type asked struct {
	question Question
	// word says why nothing is known; empty where the watch knows.
	word  check.Word
	watch *watched
	// until is how long the account's access counts.
	until time.Time
	// waiting are the pods that looked since they were woken last, and looked says whether one did since the last reminder.
	waiting map[types.NamespacedName]bool
	looked  bool
	// changed says that the pods are to be woken.
	changed chan struct{}
}

// NewObjects returns objects that are not watched before Run.
func NewObjects(c Config) *Objects {
	return &Objects{
		client: c.Client, mapper: c.Mapper, review: c.Review, wake: c.Wake, log: c.Log, reviews: rate.NewLimiter(reviewRate, 1), lists: make(chan struct{}, maxLists),
		questions: map[Question]*asked{}, watches: map[place]*watched{}, refused: map[types.NamespacedName]bool{},
		verdicts: map[Question]verdict{},
	}
}

// Run watches until ctx ends, and returns when nothing is under way any more.
func (o *Objects) Run(ctx context.Context) error {
	o.mu.Lock()
	o.ctx = ctx
	for _, a := range o.questions {
		o.start(ctx, a)
	}
	o.mu.Unlock()

	reminder := time.NewTicker(remind)
	defer reminder.Stop()
	for ctx.Err() == nil {
		select {
		case <-reminder.C:
			o.wakeRefused()
		case <-ctx.Done():
		}
	}
	o.mu.Lock()
	o.ctx = nil
	o.mu.Unlock()

	o.running.Wait()
	return nil
}

// start has a question followed; mu is held.
func (o *Objects) start(ctx context.Context, a *asked) {
	o.running.Go(func() { o.follow(ctx, a) })
}

// Look implements Reader.
func (o *Objects) Look(q Question, pod types.NamespacedName) ([]map[string]any, check.Word) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.questions[q]
	if a == nil {
		if o.full(q.Account.Namespace) {
			o.refused[pod] = true
			return nil, check.TooManyLooks
		}
		a = &asked{question: q, word: check.NotRead, waiting: map[types.NamespacedName]bool{}, changed: make(chan struct{}, 1)}
		o.questions[q] = a
		if o.ctx != nil {
			o.start(o.ctx, a)
		}
	}

	a.waiting[pod], a.looked = true, true
	switch {
	case a.word != (check.Word{}):
		return nil, a.word
	case time.Now().After(a.until):
		return nil, check.NotRead
	}
	return a.watch.objects, a.watch.word
}

// full reports whether there are too many questions for another one; mu is held.
func (o *Objects) full(namespace string) bool {
	mine := 0
	for q := range o.questions {
		if q.Account.Namespace == namespace {
			mine++
		}
	}

	most := maxQuestions
	if mine >= few {
		most -= reserve
	}
	return len(o.questions) >= most || mine >= maxPerNamespace
}

// follow keeps up whether a question's account may read, and wakes the pods, until no pod asks the question any more.
func (o *Objects) follow(ctx context.Context, a *asked) {
	defer o.detach(a)
	review, reminder, wake := time.NewTimer(0), time.NewTicker(remind), time.NewTimer(0)
	defer review.Stop()
	defer reminder.Stop()
	defer wake.Stop()
	wake.Stop()

	var earliest time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-review.C:
			review.Reset(o.access(ctx, a))
		case <-a.changed:
			wake.Reset(time.Until(earliest))
		case <-wake.C:
			woken := o.wakeAll(a)
			earliest = time.Now().Add(wakePause + time.Duration(woken)*wakePerPod)
		case <-reminder.C:
			if o.drop(a) {
				return
			}
			o.wakeAll(a)
		}
	}
}

// access finds out whether a question's account may read, and returns when to ask again.
func (o *Objects) access(ctx context.Context, a *asked) time.Duration {
	if o.reviews.Wait(ctx) != nil {
		return retry // ctx has ended.
	}
	now, allowed := time.Now(), false
	at, word, err := o.locate(a.question)
	if err == nil && word == (check.Word{}) {
		allowed, err = o.allowed(ctx, a.question, at)
	}
	if err == nil && word == (check.Word{}) && !allowed {
		word = check.NotAllowed
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil:
		// What was allowed is so for as long as that counts.
		o.log.V(1).Info("Asking who may read objects failed", "kind", a.question.Kind.String(), "account", a.question.Account.String(), "error", err.Error())
		return retry
	case allowed:
		a.until = now.Add(renew + leeway)
		o.attach(ctx, a, at)
		return renew
	}

	o.detachLocked(a)
	if a.word != word {
		a.word = word
		a.change()
	}
	return retry
}

// attach has a question answered by the watch of its place, which is started if there is none, and ends with Run's context; mu is held.
func (o *Objects) attach(ctx context.Context, a *asked, at place) {
	if a.watch != nil && a.watch.place == at {
		return
	}
	o.detachLocked(a)
	w := o.watches[at]
	if w == nil {
		ctx, cancel := context.WithCancel(ctx)
		w = &watched{place: at, word: check.NotRead, askers: map[*asked]bool{}, cancel: cancel}
		o.watches[at] = w
		o.running.Go(func() {
			defer cancel()
			o.watch(ctx, w)
		})
	}

	w.askers[a], a.watch, a.word = true, w, check.Word{}
	a.change()
}

func (o *Objects) detach(a *asked) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detachLocked(a)
}

// detachLocked takes a question off its watch, and ends the watch when it was the last one; mu is held.
func (o *Objects) detachLocked(a *asked) {
	w := a.watch
	if w == nil {
		return
	}
	a.watch, a.word = nil, check.NotRead
	delete(w.askers, a)
	if len(w.askers) == 0 {
		w.cancel()
		delete(o.watches, w.place)
	}
}

// drop forgets a question that no pod asked since the last reminder, and has pods ask whose questions were too many. It reports
// whether it did.
func (o *Objects) drop(a *asked) bool {
	o.mu.Lock()
	looked := a.looked
	if a.looked = false; !looked {
		delete(o.questions, a.question)
	}
	o.mu.Unlock()

	if !looked {
		o.wakeRefused()
	}
	return !looked
}

// wakeRefused has pods ask whose questions were too many, those of them that are still there.
func (o *Objects) wakeRefused() {
	o.mu.Lock()
	refused := o.refused
	o.refused = map[types.NamespacedName]bool{}
	o.mu.Unlock()
	for pod := range refused {
		o.wake(pod)
	}
}

// wakeAll wakes the pods that wait, which look again if they still do, and returns how many they are.
func (o *Objects) wakeAll(a *asked) int {
	o.mu.Lock()
	pods := maps.Clone(a.waiting)
	clear(a.waiting)
	o.mu.Unlock()
	for pod := range pods {
		o.wake(pod)
	}
	return len(pods)
}

// change has the pods woken.
func (a *asked) change() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}
