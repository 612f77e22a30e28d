// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"encoding/xml"
	"reflect"
	"strconv"
	"time"
)

// Response is the XML of a successful answer to action. result points at a
// struct; a nil pointer or empty enum in it is left out, an empty list that is
// not nil is written as an empty element, as the services do.
func Response(namespace, action, requestID string, result any) []byte {
	var b bytes.Buffer
	b.WriteString("<" + action + `Response xmlns="` + namespace + `">`)
	b.WriteString("<" + action + "Result>")
	encodeStruct(&b, reflect.ValueOf(result).Elem())
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

func element(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a bytes.Buffer does not fail
	b.WriteString("</" + name + ">")
}

func encodeStruct(b *bytes.Buffer, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		encodeValue(b, f.Name, v.Field(i))
	}
}

func encodeValue(b *bytes.Buffer, name string, v reflect.Value) {
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
		encodeValue(b, name, v.Elem())

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
			encodeValue(b, "member", v.Index(i))
		}
		b.WriteString("</" + name + ">")

	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			element(b, name, at.UTC().Format("2006-01-02T15:04:05.000Z"))
			return
		}
		b.WriteString("<" + name + ">")
		encodeStruct(b, v)
		b.WriteString("</" + name + ">")
	}
}
