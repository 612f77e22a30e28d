// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

func (e *env) acm() *acm.Client {
	return acm.NewFromConfig(e.config("AKIATEST"), func(o *acm.Options) { o.BaseEndpoint = aws.String("http://awssim.invalid") })
}

// acmErrors are codes that every operation may answer.
var acmErrors = []string{
	"AccessDeniedException", "ThrottlingException", "ValidationException", "UnknownOperationException", "SerializationException",
	"MissingAuthenticationTokenException", "InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException",
}

// checkACMAnswer says how an answer deviates from the service model.
func checkACMAnswer(target string, answer *httptest.ResponseRecorder) []string {
	operation := strings.TrimPrefix(target, acmTarget)
	raw, err := os.ReadFile(filepath.Join("testdata", "models", "acm.json"))
	if err != nil {
		return []string{err.Error()}
	}
	var m model
	if err := json.Unmarshal(raw, &m); err != nil {
		return []string{err.Error()}
	}

	var body map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Header().Get("Content-Type") != "application/x-amz-json-1.1" {
		return []string{fmt.Sprintf("not an answer of the protocol: %v, %v", err, answer.Header())}
	}
	op := m.Operations[operation]
	if answer.Code != 200 {
		code, _ := body["__type"].(string)
		known := slices.ContainsFunc(op.Errors, func(e struct{ Shape string }) bool { return e.Shape == code })
		if _, says := body["message"]; answer.Code < 500 && (answer.Code != 400 || !says || !known && !slices.Contains(acmErrors, code)) {
			return []string{fmt.Sprintf("error %q with status %d is not one of %s's", code, answer.Code, operation)}
		}
		return nil
	}
	return m.checkJSON(op.Output.Shape, body, operation)
}

// checkJSON walks a value along its shape.
func (m *model) checkJSON(name string, v any, path string) []string {
	s := m.Shapes[name]
	var problems []string
	switch value := v.(type) {
	case map[string]any:
		for key, inside := range value {
			member, known := s.Members[key]
			if !known {
				problems = append(problems, path+"."+key+" is unknown")
				continue
			}
			problems = append(problems, m.checkJSON(member.Shape, inside, path+"."+key)...)
		}
		for _, r := range s.Required {
			if _, there := value[r]; !there {
				problems = append(problems, path+"."+r+" is missing")
			}
		}
		return problems
	case []any:
		for _, inside := range value {
			problems = append(problems, m.checkJSON(s.Member.Shape, inside, path+"[]")...)
		}
		return problems
	case float64:
		if s.Type != "timestamp" && s.Type != "integer" {
			problems = append(problems, path+" is a number")
		}
		return problems
	case bool:
		if s.Type != "boolean" {
			problems = append(problems, path+" is a boolean")
		}
		return problems
	}
	s.Pattern = "" // some are written in a way that Go does not read
	return checkScalar(s, fmt.Sprint(v), path)
}

// selfSigned is a certificate for names, with its key, in PEM.
func selfSigned(t *testing.T, days int, names ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: time.Now().AddDate(0, 0, -10), NotAfter: time.Now().AddDate(0, 0, days)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func acmConfig() Config {
	return Config{
		DataPath: DataPath{EphemeralPorts: true}, Throttle: ThrottleOff,
		ACM: ACM{Certificates: []Certificate{
			{ID: "web", Domains: []string{"example.com", "www.example.com"}},
			{ID: "any", Domains: []string{"*.example.com"}, KeyAlgorithm: "EC_prime256v1"},
			{ID: "old", Domains: []string{"old.example.org"}, ValidDays: -1},
			{ID: "failed", Status: "FAILED"},
			{ID: "private", Type: "PRIVATE"},
		}},
	}
}

func acmARN(id string) *string { return certificates(id)[0].CertificateArn }

func TestACMLists(t *testing.T) {
	e := start(t, acmConfig())
	all := &acmtypes.Filters{KeyTypes: []acmtypes.KeyAlgorithm{acmtypes.KeyAlgorithmRsa2048, acmtypes.KeyAlgorithmEcPrime256v1}}
	issued := []acmtypes.CertificateStatus{acmtypes.CertificateStatusIssued}

	for name, tc := range map[string]struct {
		reason string
		in     acm.ListCertificatesInput
		want   []string
	}{
		"Default": {reason: "without key types only those with RSA", want: []string{"web", "old", "failed", "private"}},
		"All":     {reason: "all key types", in: acm.ListCertificatesInput{Includes: all}, want: []string{"web", "any", "old", "failed", "private"}},
		"Issued":  {reason: "one that is over is not issued", in: acm.ListCertificatesInput{Includes: all, CertificateStatuses: issued}, want: []string{"web", "any", "private"}},
		"Expired": {reason: "it is expired", in: acm.ListCertificatesInput{CertificateStatuses: []acmtypes.CertificateStatus{acmtypes.CertificateStatusExpired}}, want: []string{"old"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			tc.in.MaxItems = aws.Int32(2)
			pages := acm.NewListCertificatesPaginator(e.acm(), &tc.in)
			for pages.HasMorePages() {
				out, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range out.CertificateSummaryList {
					got = append(got, (*c.CertificateArn)[strings.LastIndex(*c.CertificateArn, "/")+1:])
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}

	out, err := e.acm().ListCertificates(t.Context(), &acm.ListCertificatesInput{})
	if err != nil {
		t.Fatal(err)
	}
	web := out.CertificateSummaryList[0]
	if *web.DomainName != "example.com" || !cmp.Equal(web.SubjectAlternativeNameSummaries, []string{"example.com", "www.example.com"}) ||
		*web.HasAdditionalSubjectAlternativeNames || web.Type != acmtypes.CertificateTypeAmazonIssued || *web.InUse || !web.NotAfter.After(time.Now()) {
		t.Errorf("summary %+v", web)
	}
}

func TestACMRefuses(t *testing.T) {
	cfg := acmConfig()
	cfg.ACM.Quota = 6
	e := start(t, cfg)
	request := func(name string, edit ...func(*acm.RequestCertificateInput)) error {
		in := &acm.RequestCertificateInput{DomainName: &name, ValidationMethod: acmtypes.ValidationMethodDns}
		for _, f := range edit {
			f(in)
		}
		return second(e.acm().RequestCertificate(t.Context(), in))
	}
	describe := func(arn string) error {
		return second(e.acm().DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: &arn}))
	}
	certificate, key := selfSigned(t, 1, "mine.example.com")
	_, other := selfSigned(t, 1, "mine.example.com")
	over, overKey := selfSigned(t, -1, "mine.example.com")
	take := func(certificate, key []byte) error {
		return second(e.acm().ImportCertificate(t.Context(), &acm.ImportCertificateInput{Certificate: certificate, PrivateKey: key}))
	}

	e.listen(e.balancer("app", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, fixed())
	secure := &elbv2.CreateListenerInput{Protocol: types.ProtocolEnumHttps, DefaultActions: []types.Action{fixed()}}
	all, err := e.elb.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{})
	if err != nil {
		t.Fatal(err)
	}
	listen := func(id string, port int32) error {
		in := *secure
		in.Port = &port
		in.LoadBalancerArn, in.Certificates = all.LoadBalancers[0].LoadBalancerArn, certificates(id)
		return second(e.elb.CreateListener(t.Context(), &in))
	}
	if err := listen("web", 443); err != nil {
		t.Fatal(err)
	}
	if err := request("six.example.com"); err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		reason string
		err    error
		code   string
	}{
		"NotAnARN":  {"an ARN has a form", describe("web"), "InvalidArnException"},
		"Gone":      {"a certificate that is not there", describe(*acmARN("gone")), "ResourceNotFoundException"},
		"Foreign":   {"one of another account", describe("arn:aws:acm:eu-west-1:999999999999:certificate/web"), "ResourceNotFoundException"},
		"InUse":     {"one that a listener has stays", second(e.acm().DeleteCertificate(t.Context(), &acm.DeleteCertificateInput{CertificateArn: acmARN("web")})), "ResourceInUseException"},
		"Domain":    {"a domain name has a form", request("not a name"), "InvalidDomainValidationOptionsException"},
		"Quota":     {"an account has its limit", request("seven.example.com"), "LimitExceededException"},
		"Algorithm": {"what is not modelled", request("x.example.com", func(in *acm.RequestCertificateInput) { in.KeyAlgorithm = acmtypes.KeyAlgorithmEcSecp521r1 }), "InvalidParameterException"},
		"Tag":       {"tags of AWS", request("x.example.com", func(in *acm.RequestCertificateInput) { in.Tags = []acmtypes.Tag{{Key: aws.String("aws:x")}} }), "InvalidTagException"},
		"OtherKey":  {"a key of another certificate", take(certificate, other), "ValidationException"},
		"Over":      {"an expired certificate", take(over, overKey), "ValidationException"},
		"TooMany":   {"the limit holds for imports", take(certificate, key), "LimitExceededException"},
		"Pages":     {"a page has at most 1,000", second(e.acm().ListCertificates(t.Context(), &acm.ListCertificatesInput{MaxItems: aws.Int32(1001)})), "ValidationException"},
		"NotIssued": {"a certificate that is not issued has nothing to show", second(e.acm().GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: acmARN("failed")})), "RequestInProgressException"},
		"Operation": {"what is not modelled", second(e.acm().RenewCertificate(t.Context(), &acm.RenewCertificateInput{CertificateArn: acmARN("web")})), "UnknownOperationException"},

		"ListenGone":   {"a listener wants a certificate that is there", listen("gone", 8443), "CertificateNotFound"},
		"ListenFailed": {"and issued", listen("failed", 8443), "UnsupportedCertificate"},
		"AddGone": {"so do additions", second(e.elb.AddListenerCertificates(t.Context(), &elbv2.AddListenerCertificatesInput{
			ListenerArn: e.tlsListener(*all.LoadBalancers[0].LoadBalancerArn), Certificates: certificates("gone"),
		})), "CertificateNotFound"},
	} {
		if got := codeOf(tc.err); got != tc.code {
			t.Errorf("%s: %s: %v, want %s", name, tc.reason, tc.err, tc.code)
		}
	}
}

// tlsListener is the listener of a load balancer on port 443.
func (e *env) tlsListener(balancer string) *string {
	e.Helper()
	out, err := e.elb.DescribeListeners(e.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: &balancer})
	if err != nil {
		e.Fatal(err)
	}
	for _, l := range out.Listeners {
		if *l.Port == 443 {
			return l.ListenerArn
		}
	}
	e.Fatal("no listener on port 443")
	return nil
}

// TestACMCertificate goes through the life of one that is requested, and of one that is imported.
func TestACMCertificate(t *testing.T) {
	cfg := acmConfig()
	cfg.ACM.IssueDelay = time.Minute
	inBubble(t, cfg, func(e *env) {
		client := e.acm()
		in := &acm.RequestCertificateInput{DomainName: aws.String("New.example.com"), SubjectAlternativeNames: []string{"new.example.com", "b.example.com"}, IdempotencyToken: aws.String("t"), Tags: []acmtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
		made, err := client.RequestCertificate(e.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		arn := made.CertificateArn
		again, err := client.RequestCertificate(e.Context(), in)
		if err != nil || *again.CertificateArn != *arn {
			t.Errorf("the same request makes another: %v", err)
		}
		state := func() string {
			t.Helper()
			out, err := client.DescribeCertificate(e.Context(), &acm.DescribeCertificateInput{CertificateArn: arn})
			if err != nil {
				t.Fatal(err)
			}
			return string(out.Certificate.Status) + " " + strings.Join(out.Certificate.SubjectAlternativeNames, " ")
		}

		if got := state(); got != "PENDING_VALIDATION new.example.com b.example.com" {
			t.Errorf("at once it is %s", got)
		}
		time.Sleep(61 * time.Second)
		if got := state(); got != "ISSUED new.example.com b.example.com" {
			t.Errorf("a minute later it is %s", got)
		}

		e.fault(Fault{Service: "acm", Operation: "RequestCertificate", FailLater: true, Count: 1})
		in.IdempotencyToken = nil
		if made, err = client.RequestCertificate(e.Context(), in); err != nil {
			t.Fatal(err)
		}
		arn = made.CertificateArn
		time.Sleep(61 * time.Second)
		if got := state(); !strings.HasPrefix(got, "FAILED ") {
			t.Errorf("one that fails is %s", got)
		}

		if err := second(client.AddTagsToCertificate(e.Context(), &acm.AddTagsToCertificateInput{CertificateArn: arn, Tags: []acmtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})); err != nil {
			t.Fatal(err)
		}
		if err := second(client.RemoveTagsFromCertificate(e.Context(), &acm.RemoveTagsFromCertificateInput{CertificateArn: arn, Tags: []acmtypes.Tag{{Key: aws.String("k")}, {Key: aws.String("a"), Value: aws.String("other")}}})); err != nil {
			t.Fatal(err)
		}
		tags, err := client.ListTagsForCertificate(e.Context(), &acm.ListTagsForCertificateInput{CertificateArn: arn})
		if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" {
			t.Errorf("tags %+v, %v", tags, err)
		}

		if err := second(client.DeleteCertificate(e.Context(), &acm.DeleteCertificateInput{CertificateArn: arn})); err != nil {
			t.Fatal(err)
		}
		if err := second(client.DescribeCertificate(e.Context(), &acm.DescribeCertificateInput{CertificateArn: arn})); codeOf(err) != "ResourceNotFoundException" {
			t.Errorf("after deletion: %v", err)
		}

		certificate, key := selfSigned(t, 3, "mine.example.com", "other.example.com")
		imported, err := client.ImportCertificate(e.Context(), &acm.ImportCertificateInput{Certificate: certificate, PrivateKey: key})
		if err != nil {
			t.Fatal(err)
		}
		arn = imported.CertificateArn
		if got := state(); got != "ISSUED mine.example.com other.example.com" {
			t.Errorf("what is imported is %s", got)
		}
		time.Sleep(4 * 24 * time.Hour)
		if got := state(); !strings.HasPrefix(got, "EXPIRED ") {
			t.Errorf("four days later it is %s", got)
		}
		certificate, key = selfSigned(t, 3, "mine.example.com")
		if _, err := client.ImportCertificate(e.Context(), &acm.ImportCertificateInput{CertificateArn: arn, Certificate: certificate, PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != "ISSUED mine.example.com" {
			t.Errorf("imported again it is %s", got)
		}
	})
}

func TestACMLagsAndThrottles(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		client := e.acm()
		made, err := client.RequestCertificate(e.Context(), &acm.RequestCertificateInput{DomainName: aws.String("new.example.com")})
		if err != nil {
			t.Fatal(err)
		}
		e.fault(Fault{Service: "acm", Operation: "DescribeCertificate", LagSeconds: 5, Count: 1})
		describe := func() string {
			return codeOf(second(client.DescribeCertificate(e.Context(), &acm.DescribeCertificateInput{CertificateArn: made.CertificateArn})))
		}
		if got := []string{describe(), describe()}; !cmp.Equal(got, []string{"ResourceNotFoundException", ""}) {
			t.Errorf("with one late answer: %q", got)
		}

		refused := 0
		for range 10 {
			if describe() == "ThrottlingException" {
				refused++
			}
		}
		if refused != 2 {
			t.Errorf("%d of 12 calls in one moment are throttled, want 2", refused)
		}

		time.Sleep(time.Minute)
		e.fault(Fault{Service: "acm", Error: &APIError{Code: "AccessDenied"}})
		err = second(client.ListCertificates(e.Context(), &acm.ListCertificatesInput{}))
		if codeOf(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "acm:ListCertificates") {
			t.Errorf("%v", err)
		}
	})
}

// TestListenersPresentTheirCertificates, which clients can verify: by server name, or else the default one.
func TestListenersPresentTheirCertificates(t *testing.T) {
	e := start(t, acmConfig())
	ca, err := e.sim.CA()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(ca) {
		t.Fatal("the authority cannot be read")
	}

	app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
	made, err := e.elb.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: &app, Protocol: types.ProtocolEnumHttps, Port: aws.Int32(443), Certificates: certificates("web"), DefaultActions: []types.Action{fixed()},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := made.Listeners[0].ListenerArn
	if err := second(e.elb.AddListenerCertificates(t.Context(), &elbv2.AddListenerCertificatesInput{ListenerArn: listener, Certificates: certificates("any")})); err != nil {
		t.Fatal(err)
	}
	certificate, key := selfSigned(t, 3, "mine.example.org")
	imported, err := e.acm().ImportCertificate(t.Context(), &acm.ImportCertificateInput{Certificate: certificate, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := second(e.elb.AddListenerCertificates(t.Context(), &elbv2.AddListenerCertificatesInput{ListenerArn: listener, Certificates: []types.Certificate{{CertificateArn: imported.CertificateArn}}})); err != nil {
		t.Fatal(err)
	}

	shown := func(serverName string) string {
		t.Helper()
		dialer := &tls.Dialer{Config: &tls.Config{ServerName: serverName, InsecureSkipVerify: true}}
		conn, err := dialer.DialContext(t.Context(), "tcp", e.sim.ListenerAddress(*listener))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	for name, want := range map[string]string{
		"www.example.com": "example.com", "API.example.com": "*.example.com", "mine.example.org": "mine.example.org",
		"a.b.example.com": "example.com", "elsewhere.org": "example.com", "": "example.com",
	} {
		if got := shown(name); got != want {
			t.Errorf("for %q it presents %s, want %s", name, got, want)
		}
	}

	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: "www.example.com"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+e.sim.ListenerAddress(*listener)+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("a client that trusts the authority: %v", err)
	}
	_ = response.Body.Close()

	got, err := e.acm().GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: acmARN("web")})
	if err != nil || !bytes.Equal([]byte(*got.CertificateChain), ca) {
		t.Errorf("its chain is not the authority: %v", err)
	}
	in, err := e.acm().DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: acmARN("any")})
	if err != nil || !cmp.Equal(in.Certificate.InUseBy, []string{app}) {
		t.Errorf("the wildcard is in use by %v, %v", in.Certificate.InUseBy, err)
	}

	// What has expired is presented still, and no client accepts it.
	if code := e.controlled("POST", "acm/expired", fmt.Sprintf(`{"certificateArn":%q}`, *acmARN("any")), new(map[string]any)); code != http.StatusOK {
		t.Fatalf("it does not expire: %d", code)
	}
	in, err = e.acm().DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: acmARN("any")})
	if err != nil || in.Certificate.Status != acmtypes.CertificateStatusExpired || !in.Certificate.NotBefore.Before(*in.Certificate.NotAfter) {
		t.Errorf("the wildcard is %+v, %v", in.Certificate, err)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: trusted, ServerName: "api.example.com"}
	response, err = transport.RoundTrip(r)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("a client that checks a certificate that has expired: %v", err)
	}
	if got := shown("api.example.com"); got != "*.example.com" {
		t.Errorf("it presents %s", got)
	}
}
