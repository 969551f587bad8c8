package authserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/discovery"
)

// Way is how far a request got that asks an authorization server for nothing.
type Way struct {
	// Host is the server's, with its port if that is not the usual one, and Proxy the
	// forward proxy's, "" if there was none.
	Host, Proxy string

	// Addresses are those of the name that was looked up, and Remote the one that was
	// connected to; of the proxy, if there is one.
	Addresses []string
	Remote    string

	// TLS is the connection as it was agreed on, nil without TLS or if none came about.
	TLS *tls.ConnectionState

	// Sent are the certificates that the server sent, if they are not trusted.
	Sent []*x509.Certificate

	// Status is that of the answer, 0 if there was none, and Ahead how far the clock of
	// this machine is ahead of the server's. Dated says that this is known.
	Status int
	Ahead  time.Duration
	Dated  bool

	// Trouble is why there was no answer, as a row of the table, with Detail as its
	// sentence. Asked says that the request was written all the same.
	Trouble cause.Cause
	Detail  string
	Asked   bool
}

// Way asks the server of an endpoint, which a setting names, whether it is there: with
// HEAD /, without credentials, on a connection as that of a token request. The endpoint
// itself is left alone: it may count what it is asked.
func (c *Client) Way(ctx context.Context, setting, endpoint string) (w Way) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return Way{Detail: setting + " is no URL that can be asked", Trouble: cause.Of("invalid_settings").With()}
	}
	w.Host = u.Host
	u = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	var met met
	defer func() { w.Addresses, w.Remote = met.all() }()
	req, err := http.NewRequestWithContext(met.trace(ctx), http.MethodHead, u.String(), nil)
	if err != nil {
		return Way{Detail: setting + " is no URL that can be asked", Trouble: cause.Of("invalid_settings").With()}
	}
	req.Header.Set("User-Agent", "lamplighter")
	if proxy, err := permittedProxy(c.cfg, req); err == nil && proxy != nil {
		w.Proxy = redact.Word(proxy.Host)
	}
	x := asking.New(setting, nil, time.Now)
	began := time.Now()
	res, err := x.RoundTrip(req, c.probing())
	if err != nil {
		w.end(x, err)
		return w
	}
	_ = res.Body.Close()
	w.TLS, w.Status = res.TLS, res.StatusCode
	if why, ok := x.Misdirected(res.StatusCode, nil); ok {
		w.Trouble, w.Detail = why, why.Sentence
		return w
	}
	// What a cache answers has the date of the first answer.
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil && res.Header.Get("Age") == "" {
		ended := time.Now()
		middle := began.Add(ended.Sub(began) / 2)
		w.Ahead, w.Dated = middle.Sub(date.Add(500*time.Millisecond)), true // a date has no fractions of a second
	}
	return w
}

// met are the addresses that a request came by. Of one that was given up, dials may go on.
type met struct {
	mu        sync.Mutex
	addresses []string
	remote    string
}

func (m *met) all() (addresses []string, remote string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.addresses), m.remote
}

// trace notes the addresses.
func (m *met) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, address := range info.Addrs {
				m.addresses = append(m.addresses, address.String())
			}
		},
		ConnectDone: func(_, address string, err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if err == nil {
				m.remote = address
			}
		},
	})
}

// probing is the connection of a token request, with the client's certificate.
func (c *Client) probing() asking.Connection {
	how := c.connection
	if !c.cfg.MutualTLS() || c.pair == nil {
		return how
	}
	how.TLS = how.TLS.Clone()
	if how.TLS == nil {
		how.TLS = new(tls.Config)
	}
	how.TLS.GetClientCertificate = c.Certificate
	return how
}

// end says where the request ended.
func (w *Way) end(x *asking.Exchange, err error) {
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		w.Sent = untrusted.UnverifiedCertificates
	}
	if x.Seal() {
		w.Asked, w.Trouble = true, x.Unanswered(err)
		w.Detail = w.Trouble.Sentence + ": " + redact.Text(asking.Reason(err)) + x.Afterwards()
		return
	}
	w.Trouble, w.Detail = x.Ended(err, nil)
}

// Discover reads the metadata of the client's issuer now, whatever is known of it, and
// returns the token endpoint that it names. Its error, in words, is the Detail of a Way.
func (c *Client) Discover(ctx context.Context) (tokenEndpoint string, trouble cause.Cause, detail string) {
	m, err := c.askIssuer(ctx)
	if err == nil {
		return m.TokenEndpoint, cause.Cause{}, ""
	}
	if why, ok := errors.AsType[*discovery.Undiscovered](err); ok {
		return "", cause.Cause{Name: why.Cause, Remedy: why.Remedy, Passes: why.Passes}, why.Detail
	}
	return "", cause.Of("metadata_invalid").With("issuer", c.cfg.Issuer), redact.Text(err.Error())
}
