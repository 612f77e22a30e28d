// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Command servicemodel extracts from AWS's service models what the tests of
// the simulator hold its answers to: the shapes of answers and errors, without
// requests and documentation. Of a service with the REST-JSON protocol it keeps
// the requests too, since the simulator reads them by the model. It writes one
// file per service below the simulator's folder, which it is given. The version
// of the models is pinned in go.mod.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	_ "github.com/aws/aws-sdk-go/aws/arn" // keeps the module of the models in go.mod
)

// services are the folders of the models, and where their extracts go.
var services = map[string]string{
	"elasticloadbalancingv2/2015-12-01": "testdata/models/elasticloadbalancingv2.json",
	"sts/2011-06-15":                    "testdata/models/sts.json",
	"vpc-lattice/2022-11-30":            "lattice/model/vpc-lattice.json",
	"ec2/2016-11-15":                    "testdata/models/ec2.json",
	"acm/2015-12-08":                    "testdata/models/acm.json",
}

// kept are the operations that are extracted of a service that has many others.
var kept = map[string][]string{
	"ec2/2016-11-15": {
		"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "CreateTags", "DeleteSecurityGroup", "DeleteTags",
		"DescribeAccountAttributes", "DescribeAvailabilityZones", "DescribeInstances", "DescribeNetworkInterfaces", "DescribeRouteTables", "DescribeSecurityGroupRules",
		"DescribeSecurityGroups", "DescribeSubnets", "DescribeTags", "DescribeVpcs", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress",
	},
}

// model is the part of a service model that is kept.
type model struct {
	Metadata struct {
		XMLNamespace string `json:"xmlNamespace,omitempty"`
		Protocol     string `json:"protocol,omitempty"`
	} `json:"metadata"`
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]shape     `json:"shapes"`
}

type operation struct {
	HTTP   *route     `json:"http,omitempty"`
	Input  *reference `json:"input,omitempty"`
	Output struct {
		Shape         string `json:"shape"`
		ResultWrapper string `json:"resultWrapper,omitempty"`
	} `json:"output"`
	Errors []reference `json:"errors,omitempty"`
}

type route struct {
	Method       string `json:"method"`
	RequestURI   string `json:"requestUri"`
	ResponseCode int    `json:"responseCode,omitempty"`
}

type reference struct {
	Shape        string `json:"shape"`
	Location     string `json:"location,omitempty"`
	LocationName string `json:"locationName,omitempty"`
}

type shape struct {
	Type     string               `json:"type"`
	Members  map[string]reference `json:"members,omitempty"`
	Member   *reference           `json:"member,omitempty"`
	Key      *reference           `json:"key,omitempty"`
	Value    *reference           `json:"value,omitempty"`
	Union    bool                 `json:"union,omitempty"`
	Required []string             `json:"required,omitempty"`
	Enum     []string             `json:"enum,omitempty"`
	Min      *float64             `json:"min,omitempty"`
	Max      *float64             `json:"max,omitempty"`
	Pattern  string               `json:"pattern,omitempty"`
	Error    *failure             `json:"error,omitempty"`
}

type failure struct {
	Code           string `json:"code,omitempty"`
	HTTPStatusCode int    `json:"httpStatusCode"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "servicemodel:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("wants the folder of the simulator")
	}

	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go").Output()
	if err != nil {
		return fmt.Errorf("find the service models: %w", err)
	}

	for service, file := range services {
		raw, err := os.ReadFile(filepath.Join(string(bytes.TrimSpace(dir)), "models", "apis", service, "api-2.json"))
		if err != nil {
			return err
		}
		short, err := extract(raw, kept[service])
		if err != nil {
			return fmt.Errorf("extract model of %s: %w", service, err)
		}
		if err := os.WriteFile(filepath.Join(args[0], file), short, 0o644); err != nil {
			return err
		}
	}

	return nil
}

// extract keeps the shapes that an answer or an error can consist of; of the operations those that are named, or all.
func extract(raw []byte, operations []string) ([]byte, error) {
	var m model
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	maps.DeleteFunc(m.Operations, func(name string, _ operation) bool {
		return operations != nil && !slices.Contains(operations, name)
	})

	kept := map[string]shape{}
	rest, named := m.Metadata.Protocol == "rest-json", m.Metadata.Protocol == "ec2"
	m.Metadata.Protocol = ""
	for name, op := range m.Operations {
		if rest {
			m.keep(op.Input.Shape, kept)
		} else {
			op.HTTP, op.Input = nil, nil
			m.Operations[name] = op
		}
		m.keep(op.Output.Shape, kept)
		for _, e := range op.Errors {
			m.keep(e.Shape, kept)
		}
	}

	if !rest && !named {
		// Where in a request something goes is of no use without requests.
		for _, s := range kept {
			s.anywhere()
		}
	}

	m.Shapes = kept

	// Indented, so that the difference to a newer version can be read.
	short, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}

	return append(short, '\n'), nil
}

// anywhere forgets where members are in a request or answer.
func (s shape) anywhere() {
	for name, member := range s.Members {
		s.Members[name] = reference{Shape: member.Shape}
	}
	for _, inside := range []*reference{s.Member, s.Key, s.Value} {
		if inside != nil {
			*inside = reference{Shape: inside.Shape}
		}
	}
}

// keep adds a shape and everything inside it to kept.
func (m *model) keep(name string, kept map[string]shape) {
	s, known := m.Shapes[name]
	if _, done := kept[name]; done || !known {
		return
	}
	kept[name] = s

	for _, member := range s.Members {
		m.keep(member.Shape, kept)
	}

	for _, inside := range []*reference{s.Member, s.Key, s.Value} {
		if inside != nil {
			m.keep(inside.Shape, kept)
		}
	}
}
