// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"testing"
	"time"
)

// TestAnswers: an answer is one only where nothing else is possible.
func TestAnswers(t *testing.T) {
	const ago, ms = 3 * time.Second, time.Millisecond
	idle, owing := talk{in: 5, out: 7, answered: true}, talk{in: 5, out: 7}
	cases := map[string]struct {
		reason string
		before talk
		data   Data
		want   bool
		owes   bool
	}{
		"SentLast":     {reason: "The clock says it.", data: Data{Sent: ago, Received: ago + 4*ms, In: 9, Out: 9}, want: true},
		"ReceivedLast": {reason: "The clock says it.", before: idle, data: Data{Sent: ago + 4*ms, Received: ago, Acknowledged: ago, In: 6, Out: 8}, owes: true},
		"New":          {reason: "Nobody has asked.", data: Data{Sent: ago, Received: ago, Acknowledged: ago}, want: true},
		"NewAsked":     {reason: "It was asked as soon as it was open.", data: Data{Sent: ago, Received: ago, Acknowledged: ago - 40*ms, In: 1, Acks: 1}, owes: true},
		"First":        {reason: "What was sent can only be the answer.", data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 1, Out: 1, Acks: 1}, want: true},
		"Second":       {reason: "It may be the first that was answered.", data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 2, Out: 1, Acks: 1}},
		"OneMore":      {reason: "Nothing was owed, one came, and some was sent.", before: idle, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 6, Out: 8, Acks: 1}, want: true},
		"OneMoreOwing": {reason: "It may be the one before that was answered.", before: owing, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 6, Out: 8, Acks: 1}},
		"OneAsked":     {reason: "Nothing was sent since.", before: idle, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 6, Out: 7, Acks: 1}, owes: true},
		"StillOwes":    {reason: "Nothing was sent since it was known.", before: talk{in: 5, out: 7, owes: true}, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 5, Out: 7}, owes: true},
		"OwesNoMore":   {reason: "Something was sent since, and nothing came.", before: talk{in: 5, out: 7, owes: true}, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 5, Out: 8, Acks: 1}},
		"TwoMore":      {reason: "The second may wait.", before: idle, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 7, Out: 8, Acks: 1}},
		"Same":         {reason: "Nothing came since.", before: idle, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 5, Out: 7, Acks: 1}, want: true},
		"SameOwing":    {reason: "Nothing was sent since.", before: owing, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 5, Out: 7, Acks: 1}},
		"SentSince":    {reason: "What was sent says nothing of what came before.", before: owing, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 5, Out: 8, Acks: 1}},
		"Acknowledged": {reason: "The peer has the answer: what it sent later had said so.", data: Data{Sent: ago, Received: ago, Acknowledged: ago - 40*ms, In: 9, Out: 9, Acks: 1}, want: true},
		"Late":         {reason: "As late as it can be.", data: Data{Sent: ago, Received: ago, Acknowledged: ago - 500*ms, In: 9, Out: 9, Acks: 1}, want: true},
		"KeepAlive":    {reason: "The peer says that it is there.", data: Data{Sent: ago, Received: ago, Acknowledged: ago - 501*ms, In: 9, Out: 9, Acks: 1}},
		"Together":     {reason: "No data was acknowledged by itself since fewer had come.", before: talk{in: 5, out: 7, acks: 3}, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 9, Out: 12, Acks: 3}, want: true},
		"Always":       {reason: "None ever was.", data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 9, Out: 12}, want: true},
		"Soon":         {reason: "As soon as it is certain.", data: Data{Sent: 500 * ms, Received: 500 * ms, Acknowledged: 500 * ms, In: 9, Out: 12}, want: true},
		"TooSoon":      {reason: "It may be put off.", data: Data{Sent: 499 * ms, Received: 499 * ms, Acknowledged: 499 * ms, In: 9, Out: 12}},
		"Still":        {reason: "It is remembered how many there were.", before: talk{in: 9, out: 12, acks: 3, before: 3}, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 9, Out: 12, Acks: 3}, want: true},
		"ByItself":     {reason: "That was one that waits.", before: talk{in: 9, out: 12, acks: 4, before: 3}, data: Data{Sent: ago, Received: ago, Acknowledged: ago, In: 9, Out: 12, Acks: 4}},
		"Before":       {reason: "What came last acknowledged nothing.", data: Data{Sent: ago, Received: ago, Acknowledged: ago + 4*ms, In: 9, Out: 9, Acks: 1}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.before.next(tc.data); got.answered != tc.want || got.owes != tc.owes {
				t.Errorf("%s\nanswered: %v, owes: %v, want %v and %v", tc.reason, got.answered, got.owes, tc.want, tc.owes)
			}
		})
	}
}
