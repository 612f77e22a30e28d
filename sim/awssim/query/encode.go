// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"encoding/xml"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Response is the XML of a successful answer to action. result points at a
// struct; a nil pointer or empty enum in it is left out, an empty list that is
// not nil is written as an empty element, as the services do.
func Response(namespace, action, requestID string, result any) []byte {
	var b bytes.Buffer
	b.WriteString("<" + action + `Response xmlns="` + namespace + `">`)
	b.WriteString("<" + action + "Result>")
	encoder{}.encodeStruct(&b, reflect.ValueOf(result).Elem())
	b.WriteString("</" + action + "Result>")
	b.WriteString("<ResponseMetadata><RequestId>" + requestID + "</RequestId></ResponseMetadata>")
	b.WriteString("</" + action + "Response>")
	return b.Bytes()
}

// Error is the XML of an error answer. fault is Sender or Receiver.
func Error(namespace, fault, code, message, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString(`<ErrorResponse xmlns="` + namespace + `"><Error>`)
	element(&b, "Type", fault)
	element(&b, "Code", code)
	element(&b, "Message", message)
	b.WriteString("</Error>")
	element(&b, "RequestId", requestID)
	b.WriteString("</ErrorResponse>")
	return b.Bytes()
}

// ResponseFlat is the XML of a successful answer of EC2: no element wraps the result, names begin with a small letter,
// and the members of lists are items.
func ResponseFlat(namespace, action, requestID string, result any) []byte {
	var b bytes.Buffer
	b.WriteString("<" + action + `Response xmlns="` + namespace + `">`)
	element(&b, "requestId", requestID)
	encoder{flat: true}.encodeStruct(&b, reflect.ValueOf(result).Elem())
	b.WriteString("</" + action + "Response>")
	return b.Bytes()
}

// ErrorFlat is the XML of an error answer of EC2.
func ErrorFlat(code, message, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString("<Response><Errors><Error>")
	element(&b, "Code", code)
	element(&b, "Message", message)
	b.WriteString("</Error></Errors>")
	element(&b, "RequestID", requestID)
	b.WriteString("</Response>")
	return b.Bytes()
}

// encoder writes one of the two dialects.
type encoder struct{ flat bool }

// element is the name of a field's element.
func (e encoder) element(field string) string {
	if e.flat {
		return strings.ToLower(field[:1]) + field[1:]
	}
	return field
}

// member is the name of the elements of a list.
func (e encoder) member() string {
	if e.flat {
		return "item"
	}
	return "member"
}

func element(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a bytes.Buffer does not fail
	b.WriteString("</" + name + ">")
}

func (e encoder) encodeStruct(b *bytes.Buffer, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		e.encodeValue(b, e.element(f.Name), v.Field(i))
	}
}

func (e encoder) encodeValue(b *bytes.Buffer, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		// A string behind a pointer is written even when it is empty.
		if v.Elem().Kind() == reflect.String {
			element(b, name, v.Elem().String())
			return
		}
		e.encodeValue(b, name, v.Elem())

	case reflect.String:
		if v.String() != "" {
			element(b, name, v.String())
		}

	case reflect.Int32, reflect.Int64:
		element(b, name, strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		element(b, name, strconv.FormatFloat(v.Float(), 'f', -1, 64))
	case reflect.Bool:
		element(b, name, strconv.FormatBool(v.Bool()))
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		b.WriteString("<" + name + ">")
		for i := range v.Len() {
			e.encodeValue(b, e.member(), v.Index(i))
		}
		b.WriteString("</" + name + ">")

	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			element(b, name, at.UTC().Format("2006-01-02T15:04:05.000Z"))
			return
		}
		b.WriteString("<" + name + ">")
		e.encodeStruct(b, v)
		b.WriteString("</" + name + ">")
	}
}
