// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type pair struct {
	Key   *string
	Value *string
}

type sample struct {
	Name    *string
	Port    *int32
	Enabled *bool
	Kind    string
	Pairs   []pair
	Inner   *pair
	Created *time.Time
	hidden  string
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	cases := map[string]struct {
		reason string
		form   string
		want   sample
		err    string
	}{
		"Scalars":       {reason: "each kind has its own reading", form: "Action=X&Version=1&Name=a&Port=80&Enabled=true&Kind=k", want: sample{Name: ptr("a"), Port: ptr(int32(80)), Enabled: ptr(true), Kind: "k"}},
		"List":          {reason: "members are in the order of their numbers, not of their spelling", form: "Pairs.member.10.Key=b&Pairs.member.2.Key=a", want: sample{Pairs: []pair{{Key: ptr("a")}, {Key: ptr("b")}}}},
		"EmptyList":     {reason: "clients write an empty list as a bare name", form: "Pairs=", want: sample{Pairs: []pair{}}},
		"Nested":        {reason: "a structure is dotted", form: "Inner.Key=a&Inner.Value=", want: sample{Inner: &pair{Key: ptr("a"), Value: ptr("")}}},
		"Unknown":       {reason: "an unknown parameter is named", form: "Nope=1", err: "Nope: is not a parameter that awssim knows"},
		"UnknownNested": {reason: "also deep in a list", form: "Pairs.member.1.Nope=1", err: "Pairs.member.1.Nope: is not a parameter that awssim knows"},
		"Unexported":    {reason: "what is not exported is not a parameter", form: "hidden=1", err: "hidden: is not a parameter that awssim knows"},
		"NotANumber":    {reason: "a wrong number is named", form: "Port=eighty", err: `Port: "eighty" is not an integer`},
		"NotABool":      {reason: "a wrong boolean is named", form: "Enabled=7", err: `Enabled: "7" is not a boolean`},
		"NotAList":      {reason: "a scalar where a list belongs is named", form: "Pairs=x", err: "Pairs: is a list and wants .member.N"},
		"BadIndex":      {reason: "list indexes start at one", form: "Pairs.member.0.Key=a", err: "Pairs.member.0: is not a list index"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			form, err := url.ParseQuery(tc.form)
			if err != nil {
				t.Fatal(err)
			}

			var got sample
			text := ""
			if err := Decode(form, &got); err != nil {
				text = err.Error()
			}

			if text != tc.err {
				t.Fatalf("%s: error %q, want %q", tc.reason, text, tc.err)
			}

			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(sample{})); diff != "" && tc.err == "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 120e6, time.UTC)
	got := string(Response("urn:x", "Do", "id-1", &sample{
		Name: ptr("a<b"), Port: ptr(int32(1)), Pairs: []pair{}, Inner: &pair{Key: ptr("")}, Created: &at, hidden: "h",
	}))
	want := `<DoResponse xmlns="urn:x"><DoResult><Name>a&lt;b</Name><Port>1</Port><Pairs></Pairs><Inner><Key></Key></Inner>` +
		`<Created>2024-05-06T07:08:09.120Z</Created></DoResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DoResponse>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// flatSample is in the dialect of EC2.
type flatSample struct {
	Name   *string
	Port   *int32
	Filter []struct {
		Name  *string
		Value []string
	}
	TagSet []pair
}

func TestDecodeFlat(t *testing.T) {
	cases := map[string]struct {
		reason string
		form   string
		want   []string
		err    string
	}{
		"Lists":    {reason: "lists are flat, also in lists", form: "Filter.2.Name=b&Filter.1.Name=a&Filter.1.Value.2=y&Filter.1.Value.1=x", want: []string{"a x y", "b"}},
		"Empty":    {reason: "a bare name is an empty list", form: "Filter="},
		"Member":   {reason: "the other dialect is not understood", form: "Filter.member.1.Name=a", err: "Filter.member: is not a list index"},
		"NotAList": {reason: "a scalar where a list belongs is named", form: "Filter=x", err: "Filter: is a list and wants .N"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			form, err := url.ParseQuery(tc.form)
			if err != nil {
				t.Fatal(err)
			}
			var into flatSample
			text := ""
			if err := DecodeFlat(form, &into); err != nil {
				text = err.Error()
			}
			var got []string
			for _, f := range into.Filter {
				got = append(got, strings.Join(append([]string{*f.Name}, f.Value...), " "))
			}
			if diff := cmp.Diff(tc.want, got); text != tc.err || diff != "" && tc.err == "" {
				t.Errorf("%s: error %q, want %q (-want +got):\n%s", tc.reason, text, tc.err, diff)
			}
		})
	}
}

func TestResponseFlat(t *testing.T) {
	got := string(ResponseFlat("urn:x", "Do", "id-1", &flatSample{Name: ptr("a<b"), Port: ptr(int32(1)), TagSet: []pair{{Key: ptr("k")}}}))
	want := `<DoResponse xmlns="urn:x"><requestId>id-1</requestId><name>a&lt;b</name><port>1</port><tagSet><item><key>k</key></item></tagSet></DoResponse>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	failure := string(ErrorFlat("InvalidGroup.NotFound", "no", "id-1"))
	if diff := cmp.Diff("<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>no</Message></Error></Errors><RequestID>id-1</RequestID></Response>", failure); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestError(t *testing.T) {
	got := string(Error("urn:x", "Sender", "Throttling", "Rate exceeded", "id-1"))
	want := `<ErrorResponse xmlns="urn:x"><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("Pairs.member.1.Key=a&Port=1")
	f.Add("Pairs.member.x=&Inner=")
	f.Fuzz(func(t *testing.T, raw string) {
		form, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		var s sample
		if err := Decode(form, &s); err == nil {
			Response("urn:x", "Do", "id", &s)
		}
	})
}
