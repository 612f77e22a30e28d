// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// ParameterError says that one parameter of a request could not be read.
type ParameterError struct {
	// Name is the parameter as it was sent, such as Targets.member.1.Port.
	Name string
	// Problem says what is wrong with it.
	Problem string
	// Unknown is true when there is no such parameter.
	Unknown bool
}

func (e *ParameterError) Error() string { return e.Name + ": " + e.Problem }

// node is one level of the dotted parameter names.
type node struct {
	value    string
	present  bool
	children map[string]*node
}

func tree(form url.Values) *node {
	root := &node{}
	for name, values := range form {
		if name == "Action" || name == "Version" || len(values) == 0 {
			continue
		}

		at := root
		for part := range strings.SplitSeq(name, ".") {
			if at.children == nil {
				at.children = map[string]*node{}
			}
			next := at.children[part]
			if next == nil {
				next = &node{}
				at.children[part] = next
			}
			at = next
		}

		at.value, at.present = values[0], true
	}

	return root
}

// Decode reads form into the struct that into points at. Action and Version
// are left to the caller. Errors are of type *ParameterError.
func Decode(form url.Values, into any) error {
	return decoder{}.decodeStruct(tree(form), reflect.ValueOf(into).Elem(), "")
}

// DecodeFlat is Decode for EC2, whose lists are flat: X.1, X.2 and so on.
func DecodeFlat(form url.Values, into any) error {
	return decoder{flat: true}.decodeStruct(tree(form), reflect.ValueOf(into).Elem(), "")
}

// decoder reads one of the two dialects.
type decoder struct{ flat bool }

func (d decoder) decodeStruct(n *node, v reflect.Value, path string) error {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}

	sort.Strings(names)
	for _, name := range names {
		field := v.FieldByName(name)
		if name == "ResultMetadata" || !field.IsValid() || !field.CanSet() {
			return &ParameterError{Name: path + name, Problem: "is not a parameter that awssim knows", Unknown: true}
		}
		if err := d.decodeValue(n.children[name], field, path+name); err != nil {
			return err
		}
	}

	return nil
}

func (d decoder) decodeValue(n *node, v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decodeValue(n, v.Elem(), path)

	case reflect.Struct:
		return d.decodeStruct(n, v, path+".")
	case reflect.Slice:
		return d.decodeList(n, v, path)
	case reflect.String:
		v.SetString(n.value)
		return nil

	case reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.value, 10, v.Type().Bits())
		if err != nil {
			return &ParameterError{Name: path, Problem: fmt.Sprintf("%q is not an integer", n.value)}
		}
		v.SetInt(i)
		return nil

	case reflect.Bool:
		b, err := strconv.ParseBool(n.value)
		if err != nil {
			return &ParameterError{Name: path, Problem: fmt.Sprintf("%q is not a boolean", n.value)}
		}
		v.SetBool(b)
		return nil
	}

	return &ParameterError{Name: path, Problem: "is of a kind that awssim does not read: " + v.Kind().String()}
}

// decodeList reads X.member.1, X.member.2 and so on, or X.1 and X.2; a bare "X=" is an empty list.
func (d decoder) decodeList(n *node, v reflect.Value, path string) error {
	members, wants := n.children["member"], ".member.N"
	if d.flat {
		members, wants = n, ".N"
	}

	if members == nil || len(members.children) == 0 {
		if n.present && n.value == "" && len(n.children) == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			return nil
		}
		return &ParameterError{Name: path, Problem: "is a list and wants " + wants}
	}
	path += strings.TrimSuffix(wants, "N")

	indexes := make([]int, 0, len(members.children))
	for key := range members.children {
		i, err := strconv.Atoi(key)
		if err != nil || i < 1 {
			return &ParameterError{Name: path + key, Problem: "is not a list index"}
		}
		indexes = append(indexes, i)
	}

	sort.Ints(indexes)
	list := reflect.MakeSlice(v.Type(), len(indexes), len(indexes))
	for at, i := range indexes {
		key := strconv.Itoa(i)
		if err := d.decodeValue(members.children[key], list.Index(at), path+key); err != nil {
			return err
		}
	}

	v.Set(list)
	return nil
}
