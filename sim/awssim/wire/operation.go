// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/query"
)

// Operation is one operation of a service; C is what the service needs to know
// about a call besides its parameters.
type Operation[C any] struct {
	required []string
	missing  func(parameter string) error
	run      func(C, url.Values) (any, error)
}

// Decoded returns the operation that f is, once the form has been read into
// its input. The service model says which parameters are required.
func Decoded[C, I, O any](f func(C, *I) (*O, error), required ...string) Operation[C] {
	return Operation[C]{required, missing, func(c C, form url.Values) (any, error) {
		var in I
		if err := query.Decode(form, &in); err != nil {
			return nil, err
		}
		if err := checkEnums(reflect.ValueOf(&in).Elem()); err != nil {
			return nil, err
		}
		return f(c, &in)
	}}
}

// Flat is Decoded for an operation of EC2.
func Flat[C, I, O any](f func(C, *I) (*O, error), required ...string) Operation[C] {
	return Operation[C]{required, missingFlat, func(c C, form url.Values) (any, error) {
		var in I
		if err := query.DecodeFlat(form, &in); err != nil {
			return nil, err
		}
		return f(c, &in)
	}}
}

func missing(parameter string) error {
	return Invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", strings.ToLower(parameter[:1])+parameter[1:])
}

func missingFlat(parameter string) error {
	return Failed("MissingParameter", "The request must contain the parameter %s", parameter)
}

// Run checks a form as AWS's front end does and runs the operation.
func (o Operation[C]) Run(c C, form url.Values) (any, error) {
	for _, name := range o.required {
		if !has(form, name) {
			return nil, o.missing(name)
		}
	}
	return o.run(c, form)
}

// has reports whether a parameter, or anything inside it, was sent.
func has(form url.Values, name string) bool {
	for key := range form {
		if key == name || strings.HasPrefix(key, name+".") {
			return true
		}
	}
	return false
}

// InRange answers as AWS's own front end does for bounds of the service model.
func InRange(name string, value *int32, minimum, maximum int32) error {
	switch {
	case value == nil:
		return nil
	case *value < minimum:
		return Invalid("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", *value, name, minimum)
	case *value > maximum:
		return Invalid("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", *value, name, maximum)
	}
	return nil
}

// checkEnums refuses a value that its enum does not have, at the top level and
// in the words of AWS's front end.
func checkEnums(in reflect.Value) error {
	for i := range in.NumField() {
		field := in.Field(i)
		values := field.MethodByName("Values")
		if field.Kind() != reflect.String || field.String() == "" || !values.IsValid() {
			continue
		}

		allowed := values.Call(nil)[0]
		names := []string{}
		for j := range allowed.Len() {
			names = append(names, allowed.Index(j).String())
		}

		if name := in.Type().Field(i).Name; !slices.Contains(names, field.String()) {
			return Invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %s",
				field.String(), strings.ToLower(name[:1])+name[1:], fmt.Sprintf("[%s]", strings.Join(names, ", ")))
		}
	}

	return nil
}
