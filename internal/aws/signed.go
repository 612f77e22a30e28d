// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxAnswer bounds what is read of an answer, in bytes. A page of a thousand subnets with fifty tags each is smaller.
const maxAnswer = 16 << 20

// Fault is what an error answer of a service says.
type Fault struct{ Code, Message, RequestID string }

// Signed calls a service for which the product links no client of the SDK: a few operations are not worth one that has
// hundreds. It signs, sends and reads; what is in a request and in an answer is its user's business. It is safe for
// concurrent use.
type Signed struct {
	cfg     sdk.Config
	service string
	signer  *v4.Signer
	// url is where the service is, unless lost says why nobody knows.
	url  string
	lost error
}

// NewSigned makes a client of a service, in cfg's region. service is its name in signatures and host names, such as ec2,
// and id is the SDK's, such as EC2, by which the environment and configuration files name endpoints.
func NewSigned(cfg sdk.Config, service, id string) *Signed {
	s := &Signed{cfg: cfg, service: service, signer: v4.NewSigner()}
	s.url, s.lost = endpoint(cfg, service, id)
	return s
}

// endpoint is the URL of a service: what is configured for it or for all, else AWS's own.
func endpoint(cfg sdk.Config, service, id string) (string, error) {
	if configured := configuredEndpoint(cfg, id); configured != "" {
		return configured, nil
	}

	// In each partition, with FIPS and without, host names differ by the service alone, and the client of STS knows them.
	options := sts.NewFromConfig(cfg).Options().EndpointOptions
	found, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), sts.EndpointParameters{
		Region:       &cfg.Region,
		UseFIPS:      sdk.Bool(options.UseFIPSEndpoint == sdk.FIPSEndpointStateEnabled),
		UseDualStack: sdk.Bool(options.UseDualStackEndpoint == sdk.DualStackEndpointStateEnabled),
	})
	if cfg.Region == "" || err != nil {
		return "", errors.Join(errors.New("no AWS region is known: set podgate's --aws-region or AWS_REGION"), err)
	}

	found.URI.Host = service + strings.TrimPrefix(found.URI.Host, "sts")
	return found.URI.String(), nil
}

// configuredEndpoint is where the environment or a configuration file says that a service is; empty if nowhere. The SDK's
// clients look in the same places in the same order.
func configuredEndpoint(cfg sdk.Config, id string) string {
	all := sdk.ToString(cfg.BaseEndpoint)
	_, forAll := os.LookupEnv("AWS_ENDPOINT_URL")
	_, forOne := os.LookupEnv("AWS_ENDPOINT_URL_" + strings.ToUpper(id))
	if forAll && !forOne {
		return all
	}

	for _, source := range cfg.ConfigSources {
		s, ok := source.(interface {
			GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
		})
		if !ok {
			continue
		}
		if ignore, found, err := s.GetIgnoreConfiguredEndpoints(context.Background()); found && err == nil {
			if ignore {
				return all
			}
			break
		}
	}

	for _, source := range cfg.ConfigSources {
		s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		if url, found, err := s.GetServiceBaseEndpoint(context.Background(), id); found && err == nil {
			return url
		}
	}

	return all
}

// Post sends a request to the service's root and returns the body of the answer. The answer of a call that failed is read
// by fault. Errors are such as the SDK's clients return, so that Do tells what they mean.
func (s *Signed) Post(ctx context.Context, header http.Header, body []byte, fault func(answer []byte) Fault) ([]byte, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	at, err := url.Parse(s.url)
	if err != nil {
		return nil, fmt.Errorf("parse endpoint: %w", err)
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.JoinPath("/").String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", "podgate")

	creds, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := s.signer.SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), s.service, s.cfg.Region, time.Now().UTC()); err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}

	resp, err := s.cfg.HTTPClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()

	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("it is longer than %d bytes", maxAnswer)
	}
	if resp.StatusCode/100 != 2 {
		return nil, refused(resp, fault(answer))
	}
	if err != nil {
		return nil, &smithy.DeserializationError{Err: err}
	}
	return answer, nil
}

// refused is the error of an answer that is no success.
func refused(resp *http.Response, f Fault) error {
	if f.Code == "" {
		f.Code = codeUnknown
	}
	if f.RequestID == "" {
		f.RequestID = resp.Header.Get("X-Amzn-Requestid")
	}
	return &awshttp.ResponseError{RequestID: f.RequestID, ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: resp},
		Err:      &smithy.GenericAPIError{Code: f.Code, Message: f.Message},
	}}
}
