// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/podgate/podgate/internal/route"
)

// The bounds of Elastic Load Balancing's API.
const (
	maxHeaderName = 40  // characters of a header's name
	maxMethod     = 40  // characters of a method
	maxPattern    = 128 // characters of every other value
)

// The annotation's JSON, in any case as well.
type conditionJSON struct {
	Field                   string
	HostHeaderConfig        *valuesJSON
	PathPatternConfig       *valuesJSON
	HTTPHeaderConfig        *headerJSON
	HTTPRequestMethodConfig *valuesJSON
	QueryStringConfig       *queryJSON
	SourceIPConfig          *valuesJSON
	// Values is the old form, of hosts and paths.
	Values []string
}

type valuesJSON struct{ Values, RegexValues []string }

type headerJSON struct {
	HTTPHeaderName      string
	Values, RegexValues []string
}

type queryJSON struct{ Values []pairJSON }

type pairJSON struct{ Key, Value string }

// parseConditions reads the value of an annotation conditions.<name>, and returns what a request has to be like besides its
// host and path.
func parseConditions(text string) (route.Match, error) {
	var list []conditionJSON
	if err := decode(text, &list); err != nil {
		return route.Match{}, err
	}

	var m route.Match
	for i, c := range list {
		if err := c.add(&m); err != nil {
			return route.Match{}, fmt.Errorf("condition %d: %w", i+1, err)
		}
	}
	return m, nil
}

// join returns a match that has the conditions as well: hosts and paths are alternatives to those of the Ingress, and
// everything else is asked for besides.
func join(m, conditions route.Match) route.Match {
	conditions.Hosts = slices.Concat(m.Hosts, conditions.Hosts)
	conditions.Paths = slices.Concat(m.Paths, conditions.Paths)
	return conditions
}

// add adds a condition to a match.
func (in conditionJSON) add(m *route.Match) error {
	config, err := in.config()
	if err != nil {
		return err
	}

	switch in.Field {
	case "http-header":
		return in.HTTPHeaderConfig.add(m)
	case "query-string":
		return in.QueryStringConfig.add(m)
	}

	values, err := config.check(in.Field)
	if err != nil {
		return err
	}
	switch in.Field {
	case "host-header":
		m.Hosts = append(m.Hosts, values...)
	case "path-pattern":
		m.Paths = append(m.Paths, values...)
	case "http-request-method":
		return once(in.Field, &m.Methods, values)
	default:
		return once(in.Field, &m.Sources, values)
	}
	return nil
}

// config returns the values of a field, once it is clear that there are settings of this field and of no other one. Headers
// and queries have values of their own form.
func (in conditionJSON) config() (*valuesJSON, error) {
	if len(in.Values) > 0 && in.Field == "host-header" && in.HostHeaderConfig == nil {
		in.HostHeaderConfig, in.Values = &valuesJSON{Values: in.Values}, nil
	}
	if len(in.Values) > 0 && in.Field == "path-pattern" && in.PathPatternConfig == nil {
		in.PathPatternConfig, in.Values = &valuesJSON{Values: in.Values}, nil
	}

	fields := map[string]struct {
		key    string
		has    bool
		values *valuesJSON
	}{
		"host-header":         {"hostHeaderConfig", in.HostHeaderConfig != nil, in.HostHeaderConfig},
		"path-pattern":        {"pathPatternConfig", in.PathPatternConfig != nil, in.PathPatternConfig},
		"http-header":         {"httpHeaderConfig", in.HTTPHeaderConfig != nil, nil},
		"http-request-method": {"httpRequestMethodConfig", in.HTTPRequestMethodConfig != nil, in.HTTPRequestMethodConfig},
		"query-string":        {"queryStringConfig", in.QueryStringConfig != nil, nil},
		"source-ip":           {"sourceIPConfig", in.SourceIPConfig != nil, in.SourceIPConfig},
	}
	field, known := fields[in.Field]
	if !known {
		return nil, fmt.Errorf("field is %q: it must be host-header, path-pattern, http-header, http-request-method, query-string or source-ip", in.Field)
	}
	if !field.has {
		return nil, fmt.Errorf("field is %s, and %s is missing", in.Field, field.key)
	}

	settings := count(len(in.Values) > 0)
	for _, f := range fields {
		settings += count(f.has)
	}
	if settings > 1 {
		return nil, fmt.Errorf("field is %s, and there are settings of another field", in.Field)
	}
	return field.values, nil
}

// once sets values of which a rule can have only one list.
func once(field string, into *[]string, values []string) error {
	if len(*into) > 0 {
		return fmt.Errorf("field %s is there twice: a rule has one such condition, so put all values in it", field)
	}
	*into = values
	return nil
}

// check returns the values, if they are within the bounds of their field.
func (in *valuesJSON) check(field string) ([]string, error) {
	if len(in.RegexValues) > 0 {
		return nil, errRegex
	}
	if len(in.Values) == 0 {
		return nil, fmt.Errorf("field %s has no values", field)
	}

	longest := maxPattern
	if field == "http-request-method" {
		longest = maxMethod
	}
	for _, v := range in.Values {
		if err := bound(field, v, longest); err != nil {
			return nil, err
		}
		switch field {
		case "http-request-method":
			if strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
				return nil, fmt.Errorf("method %q must consist of upper-case letters, - and _", v)
			}
		case "source-ip":
			if _, err := netip.ParsePrefix(v); err != nil {
				return nil, fmt.Errorf("source-ip %q is not a CIDR such as 192.0.2.0/24", v)
			}
		}
	}
	return in.Values, nil
}

// errRegex refuses regular expressions, since no pattern means the same.
var errRegex = errors.New("regexValues are not served: use values, in which * is any run of characters and ? is one")

// bound reports that a value is empty or too long.
func bound(field, value string, longest int) error {
	switch n := utf8.RuneCountInString(value); {
	case n == 0:
		return fmt.Errorf("field %s has an empty value", field)
	case n > longest:
		return fmt.Errorf("value %q of field %s has %d characters: %d are possible", value, field, n, longest)
	}
	return nil
}

func (in *headerJSON) add(m *route.Match) error {
	switch n := utf8.RuneCountInString(in.HTTPHeaderName); {
	case n == 0:
		return errors.New("httpHeaderConfig.httpHeaderName is missing")
	case n > maxHeaderName:
		return fmt.Errorf("httpHeaderConfig.httpHeaderName has %d characters: %d are possible", n, maxHeaderName)
	case strings.EqualFold(in.HTTPHeaderName, "Host"):
		return errors.New("httpHeaderConfig.httpHeaderName is Host: use the field host-header")
	}

	values, err := (&valuesJSON{Values: in.Values, RegexValues: in.RegexValues}).check("http-header")
	if err != nil {
		return err
	}
	m.Headers = append(m.Headers, route.Header{Name: in.HTTPHeaderName, Values: values})
	return nil
}

func (in *queryJSON) add(m *route.Match) error {
	if len(in.Values) == 0 {
		return errors.New("field query-string has no values")
	}

	var list []route.Query
	for _, v := range in.Values {
		if err := bound("query-string", v.Value, maxPattern); err != nil {
			return err
		}
		if n := utf8.RuneCountInString(v.Key); n > maxPattern {
			return fmt.Errorf("key %q of field query-string has %d characters: %d are possible", v.Key, n, maxPattern)
		}
		list = append(list, route.Query{Key: v.Key, Value: v.Value})
	}
	m.Queries = append(m.Queries, list)
	return nil
}
