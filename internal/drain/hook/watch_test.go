// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestWait is what may go wrong with podgate and with what it says: none of it lets a pod
// end earlier than its time, 55 s, but what is meant to.
func TestWait(t *testing.T) {
	const all = 55 * time.Second
	released := Answer{Released: true, Ports: web}
	always := func(a Answer) func(context.Context, time.Duration) (Answer, error) {
		return func(context.Context, time.Duration) (Answer, error) { return a, nil }
	}

	connected := func(until time.Duration) func(time.Duration) ([]Socket, error) {
		return func(at time.Duration) ([]Socket, error) {
			if at < until {
				return []Socket{socket(8080, balance, 1)}, nil
			}
			return nil, nil
		}
	}

	drained := func(turns bool) func(context.Context, time.Duration) (Answer, error) {
		return func(_ context.Context, at time.Duration) (Answer, error) {
			return Answer{Released: at >= 20*time.Second, Ports: web, Turns: turns}, nil
		}
	}

	// unused is a connection that stays open, with a request every second until the last one, which is answered at a time.
	unused := func(last, answered time.Duration) func(time.Duration) ([]Socket, error) {
		return func(at time.Duration) ([]Socket, error) {
			s := socket(8080, balance, established)
			n := min(at, last).Truncate(time.Second)
			s.Data = &Data{Received: at - n, Sent: at - n, Acknowledged: at - n, In: 1 + uint32(n/time.Second), Out: 1 + uint32(n/time.Second)}
			if n == last && answered > last {
				s.Data.Sent = at - last + time.Millisecond
				if at >= answered {
					s.Data.Sent = at - answered
				}
			}
			return []Socket{s}, nil
		}
	}

	cases := map[string]struct {
		reason  string
		ask     func(ctx context.Context, at time.Duration) (Answer, error)
		sockets func(at time.Duration) ([]Socket, error)
		// earliest and latest bound the end.
		earliest, latest time.Duration
	}{
		"Drained": {
			reason: "Released at 20 s, and the last request ends at 22: the sockets are quiet at 27 or a quarter of a second before.",
			ask: func(_ context.Context, at time.Duration) (Answer, error) {
				return Answer{Released: at >= 20*time.Second, Ports: web}, nil
			},
			sockets: connected(22 * time.Second), earliest: 26 * time.Second, latest: 28 * time.Second,
		},
		"QuietBefore": {
			reason: "Quiet all along: it ends with podgate's word.",
			ask: func(_ context.Context, at time.Duration) (Answer, error) {
				return Answer{Released: at >= 20*time.Second, Ports: web}, nil
			},
			earliest: 20 * time.Second, latest: 22 * time.Second,
		},
		"Restart": {reason: "The container is to start again at once.", ask: always(Answer{Restart: true}), sockets: connected(all), earliest: time.Second, latest: 2 * time.Second},
		"RestartAgain": {
			reason: "Two answers say so, and between them podgate had none.",
			ask: func(_ context.Context, at time.Duration) (Answer, error) {
				if at > 0 && at < 10*time.Second {
					return Answer{}, errors.New("too many questions")
				}
				return Answer{Restart: true}, nil
			},
			sockets: connected(all), earliest: 10 * time.Second, latest: 11 * time.Second,
		},
		"RestartTakenBack": {
			reason: "The kubelet stops the container for good, which was told a moment later.",
			ask: func(_ context.Context, at time.Duration) (Answer, error) {
				return Answer{Restart: at < time.Second}, nil
			},
			earliest: all, latest: all,
		},
		"Unreachable":  {reason: "Nobody says anything.", ask: func(context.Context, time.Duration) (Answer, error) { return Answer{}, errors.New("refused") }, earliest: all, latest: all},
		"ErrorAndMore": {reason: "What comes with an error is no answer.", ask: func(context.Context, time.Duration) (Answer, error) { return released, errors.New("cut off") }, earliest: all, latest: all},
		"Hangs": {
			reason:   "A question that is never answered.",
			ask:      func(ctx context.Context, _ time.Duration) (Answer, error) { <-ctx.Done(); return released, ctx.Err() },
			earliest: all, latest: all,
		},
		"NotYet":  {reason: "Podgate keeps the pod.", ask: always(Answer{Ports: web}), earliest: all, latest: all},
		"Lies":    {reason: "Whatever podgate says, a request is being served.", ask: always(released), sockets: connected(all), earliest: all, latest: all},
		"NoPorts": {reason: "Nobody knows where to look.", ask: always(Answer{Released: true}), earliest: all, latest: all},
		"NoTable": {reason: "Nobody can look.", ask: always(released), sockets: func(time.Duration) ([]Socket, error) { return nil, errors.New("no /proc") }, earliest: all, latest: all},
		"AtOnce":  {reason: "The sockets must have been quiet even then.", ask: always(released), earliest: QuietFor, latest: QuietFor + 2*time.Second},
		"GoneSilent": {
			reason: "It was released once, and now nobody says so.",
			ask: func(_ context.Context, at time.Duration) (Answer, error) {
				if at < 3*time.Second {
					return released, nil
				}
				return Answer{}, errors.New("refused")
			},
			earliest: all, latest: all,
		},
		"TakenBack": {
			reason: "Somebody registered it again.",
			ask: func(_ context.Context, at time.Duration) (Answer, error) {
				return Answer{Released: at < 3*time.Second, Ports: web}, nil
			},
			earliest: all, latest: all,
		},
		"Kept": {reason: "The load balancer keeps a connection that it used last at 17 s.", ask: drained(true), sockets: unused(17*time.Second, 17*time.Second), earliest: 22 * time.Second, latest: 23 * time.Second},
		"KeptAndSlow": {
			reason: "The same, and the last answer took its time.", ask: drained(true), sockets: unused(15*time.Second, 17*time.Second), earliest: all, latest: all,
		},
		"KeptBefore": {
			reason: "The same, and what passed on one before the pod was deleted leaves it open who was the last.", ask: drained(true),
			sockets: func(at time.Duration) ([]Socket, error) {
				s := socket(8080, netip.AddrPortFrom(balance.Addr(), 40001), established)
				ago := at + 3*time.Second
				s.Data = &Data{Received: ago, Sent: ago, Acknowledged: ago, In: 12, Out: 12, Acks: 1}
				used, err := unused(17*time.Second, 17*time.Second)(at)
				return append(used, s), err
			},
			earliest: 27 * time.Second, latest: 28 * time.Second,
		},
		"KeptByMany": {
			reason: "The same, and requests take no turns.", ask: drained(false), sockets: unused(17*time.Second, 17*time.Second), earliest: all, latest: all,
		},
		"ShortOnes": {
			reason: "Requests still come, each over before anybody looks.", ask: always(released),
			sockets: func(at time.Duration) ([]Socket, error) {
				return []Socket{socket(8080, netip.AddrPortFrom(balance.Addr(), uint16(40000+at/time.Second)), timeWait)}, nil
			},
			earliest: all, latest: all,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), all)
				defer cancel()

				if tc.sockets == nil {
					tc.sockets = connected(0)
				}

				w := Watcher{
					Ask:     func(ctx context.Context) (Answer, error) { return tc.ask(ctx, time.Since(begun)) },
					Sockets: func() ([]Socket, error) { return tc.sockets(time.Since(begun)) },
				}

				err := w.Wait(ctx)
				took := time.Since(begun)
				if took < tc.earliest || took > tc.latest || (err == nil) != (tc.latest < all) {
					t.Errorf("%s\nended after %s with error %v, want between %s and %s", tc.reason, took, err, tc.earliest, tc.latest)
				}
			})
		})
	}
}
