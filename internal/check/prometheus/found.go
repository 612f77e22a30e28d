// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
)

// maxSeries is how many series are read of an answer.
const maxSeries = 20_000

// about says which series are about which pods.
type about struct {
	label, namespaceLabel, namespace string
}

// shared is the key of series that no label tells apart.
const shared = ""

// key is the value of the label for a pod.
func (a about) key(pod check.Subject) string {
	switch a.label {
	case "":
		return shared
	case UIDLabel:
		return string(pod.UID)
	}
	if pod.Pod == nil {
		return ""
	}
	return pod.Pod.Name
}

// keyOf is the key of the pod that a series is about; ok is false when it is about none of the namespace's.
func (a about) keyOf(series model.Metric) (key string, ok bool) {
	if a.label == "" {
		return shared, true
	}

	key = string(series[model.LabelName(a.label)])
	ours := a.label == UIDLabel || a.namespaceLabel == "" || string(series[model.LabelName(a.namespaceLabel)]) == a.namespace
	return key, ours && key != ""
}

// one is the value of a series, and when the server evaluated it.
type one struct {
	value     float64
	finite    bool
	evaluated time.Time
}

// found is what a query returned.
type found struct {
	// word says why nothing is known; it is empty when something is.
	word check.Word
	// empty: there was no series at all.
	empty bool
	byKey map[string][]one
	// none and several are the words for a pod with no series, and with several.
	none, several check.Word
}

// read sorts an answer by pods.
func (a about) read(value model.Value, warnings v1.Warnings) found {
	vector, isVector := instant(value)
	switch {
	case !isVector:
		return found{word: check.NotAVector}
	case len(vector) > maxSeries:
		return found{word: check.TooManySeries}
	case slices.ContainsFunc(warnings, misses):
		return found{word: check.Partial}
	}

	f := found{empty: len(vector) == 0, byKey: map[string][]one{}, none: check.NoSeries, several: check.SeveralSeries}
	if a.label == "" {
		f.none, f.several = check.NoValue, check.SeveralValues
	}

	for _, sample := range vector {
		key, ok := a.keyOf(sample.Metric)
		if !ok {
			continue
		}

		number := float64(sample.Value)
		finite := sample.Histogram == nil && !math.IsNaN(number) && !math.IsInf(number, 0)
		f.byKey[key] = append(f.byKey[key], one{value: number, finite: finite, evaluated: sample.Timestamp.Time()})
	}

	return f
}

// instant is a value as an instant vector; a scalar is one series without labels.
func instant(value model.Value) (vector model.Vector, ok bool) {
	switch v := value.(type) {
	case model.Vector:
		return v, true
	case *model.Scalar:
		return model.Vector{{Value: v.Value, Timestamp: v.Timestamp}}, true
	}
	return nil, false
}

// information begins the warnings that say nothing of what is missing. Prometheus has a field of their own for them
// since 3.0, and sent them as warnings before.
const information = "PromQL info:"

// misses reports whether a warning means that data may be missing. Servers have no list of such warnings.
func misses(warning string) bool { return !strings.HasPrefix(warning, information) }

// of returns the one value for a key; when ok is false, the word says why there is not one.
func (f found) of(key string) (value one, word check.Word, ok bool) {
	if f.word != (check.Word{}) {
		return one{}, f.word, false
	}

	switch series := f.byKey[key]; {
	case len(series) == 0:
		return one{}, f.none, false
	case len(series) > 1:
		return one{}, f.several, false
	case !series[0].finite:
		return one{}, check.NotFinite, false
	default:
		return series[0], check.Word{}, true
	}
}

// explain is the word for an error. Whatever happens to the server says nothing about a pod.
func explain(err error) check.Word {
	var ofAPI *v1.Error
	var status statusError

	switch {
	case errors.Is(err, errToken):
		return check.TokenUnreadable
	case errors.Is(err, errTooLarge):
		return check.TooManySeries
	case errors.As(err, &status):
		return check.AtServer(check.HTTPStatus(int(status)))
	case errors.As(err, &ofAPI):
		return explainAPI(ofAPI)
	}

	return check.AtServer(network.Explain(err).Word)
}

func explainAPI(err *v1.Error) check.Word {
	switch err.Type {
	case v1.ErrBadData:
		return check.QueryInvalid
	case v1.ErrExec, v1.ErrCanceled:
		return check.QueryFailed
	case v1.ErrTimeout:
		return check.AtServer(check.TimedOut)
	}
	return check.AtServer(check.Malformed)
}
