package authserver

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/internal/tokenendpoint/discovery"
	"lamplighter/module/placeholder"
)

// Bounds of an issuer's metadata. What is known goes on to be used if it cannot
// be read anew, so that never takes the time of the token request.
const (
	metadataKept    = 24 * time.Hour  // how long it is believed
	metadataRetried = time.Hour       // after how long an attempt to read it anew is repeated
	metadataWaited  = 5 * time.Second // how long one may take at most
)

// discovered is the metadata of a client's issuer. Nothing is asked before the
// first token request.
type discovered struct {
	mu       sync.Mutex
	metadata discovery.Metadata
	readAt   time.Time
}

// issuerMetadata returns the metadata of the client's issuer, anew once a day. An older
// one is better than none.
func (c *Client) issuerMetadata(ctx context.Context) (discovery.Metadata, error) {
	d := c.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.readAt.IsZero() && time.Since(d.readAt) < metadataKept {
		return d.metadata, nil
	}
	known := !d.readAt.IsZero()
	if known {
		wait := metadataWaited
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end)/4)
		}
		bounded, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		ctx = bounded
	}
	m, err := c.askIssuer(ctx)
	switch {
	case err == nil:
		d.metadata, d.readAt = m, time.Now()
		c.binds.Store(bool(m.TLSClientCertificateBoundAccessTokens))
	case known:
		d.readAt = time.Now().Add(metadataRetried - metadataKept)
		return d.metadata, nil
	}
	return m, err
}

// askIssuer reads the metadata now.
func (c *Client) askIssuer(ctx context.Context) (discovery.Metadata, error) {
	m, err := discovery.Discover(ctx, c.cfg.Issuer, c.connection)
	if err != nil {
		return m, err
	}
	if c.cfg.MutualTLS() || c.cfg.CertificateBound {
		m = m.ForMutualTLS()
	}
	return m, c.checkMetadata(m)
}

// checkMetadata holds what the issuer names to the rules for what is configured.
func (c *Client) checkMetadata(m discovery.Metadata) error {
	for setting, endpoint := range map[string]string{
		"token_endpoint": m.TokenEndpoint, "authorization_endpoint": m.AuthorizationEndpoint,
		"device_authorization_endpoint": m.DeviceAuthorizationEndpoint, "revocation_endpoint": m.RevocationEndpoint,
		"pushed_authorization_request_endpoint": m.PushedAuthorizationRequestEndpoint,
	} {
		if endpoint == "" {
			continue
		}
		err := c.cfg.CheckEndpoint(setting, endpoint)
		if err == nil && setting != "authorization_endpoint" { // which the browser asks
			err = c.checkProxy(setting, endpoint)
		}
		if err != nil {
			return discovery.Misnamed(c.cfg.Issuer, err)
		}
	}
	return nil
}

// locate fills in the token endpoint, if it is the issuer's metadata that names it, and by
// what name assertions call the server.
func (c *Client) locate(ctx context.Context, ask *tokenendpoint.Request) error {
	if c.cfg.AudienceIsIssuer() {
		ask.AssertionAudience = c.cfg.Issuer
	}
	if ask.URL != "" {
		return nil
	}
	m, err := c.issuerMetadata(ctx)
	ask.URL, ask.Setting, ask.AuthMethodsSupported = m.TokenEndpoint, "issuer", m.TokenEndpointAuthMethodsSupported
	ask.ProofAlgs = m.DPoPSigningAlgValuesSupported
	return err
}

// Do makes one token request.
func (c *Client) Do(ctx context.Context, ask tokenendpoint.Request) tokenendpoint.Answer {
	if err := c.locate(ctx, &ask); err != nil {
		return notLocated(err)
	}
	if err := c.prove(&ask); err != nil {
		return unproven(err)
	}
	answer, again := c.authenticated(ctx, c.endpoint, ask)
	if again && c.cfg.PerCaller() { // no keeper asks again, and no refresh token is presented
		answer, _ = c.authenticated(ctx, c.endpoint, ask)
	}
	return answer
}

// notLocated is what comes of a token request for which no place is known.
func notLocated(err error) tokenendpoint.Answer {
	a := tokenendpoint.Answer{Outcome: tokenendpoint.NotSent, Cause: tokenendpoint.CauseUnreachable, Detail: redact.Text(err.Error())}
	if why, ok := errors.AsType[*discovery.Undiscovered](err); ok {
		a.Cause, a.Detail, a.Remedy, a.Passes = why.Cause, why.Detail, why.Remedy, why.Passes
	}
	return a
}

// unproven is what comes of a key that cannot be used.
func unproven(err error) tokenendpoint.Answer {
	why := cause.Of(tokenendpoint.CauseInvalidRequest)
	return tokenendpoint.Answer{Outcome: tokenendpoint.Misconfigured, Cause: why.Name, Detail: redact.Text("dpop: " + err.Error()), Remedy: why.Remedy}
}

// authenticated makes one request with the client secret that is in use, and
// reports whether it is worth another with the other one.
func (c *Client) authenticated(ctx context.Context, at *tokenendpoint.Client, ask tokenendpoint.Request) (a tokenendpoint.Answer, again bool) {
	next := c.secret.useNext()
	if next {
		ask.ClientSecret = ask.ClientSecretNext
	}
	a = at.Do(ctx, ask)
	c.assertion.judge(&a, ask.ReadyAssertion)
	if a.ClientRefused {
		a.Remedy = cause.Changed(a.Remedy, c.changed(a.Remedy))
	}
	return a, c.changeSecret(&a, next)
}

// changed says what makes another client_secret hold, or another client_id if the remedy
// is about that, by where it comes from.
func (c *Client) changed(remedy string) string {
	setting, written := "client_secret", c.id.ClientSecret
	if strings.Contains(remedy, ": the client_id ") && !strings.Contains(remedy, setting) {
		setting, written = "client_id", c.id.ClientID
	}
	switch {
	case strings.Contains(written, "{file.") && placeholder.IsCredential(written):
		return "then restart the service: systemd copies a credential when that starts"
	case strings.Contains(written, "{file."):
		return "the file of " + setting + " is read again by itself"
	case strings.Contains(written, "{env."):
		return "then restart: a running process keeps its environment"
	}
	return "then reload"
}

// changeSecret turns to the client's other secret when the server refuses this
// one. The refusal of the client says that nothing was consumed, so the keeper
// may ask again, soon and in its own order.
func (c *Client) changeSecret(a *tokenendpoint.Answer, next bool) (changed bool) {
	if c.cfg.ClientSecretNext == "" || !a.ClientRefused {
		c.secret.accepted(next)
		return false
	}
	if !c.secret.turn(next) {
		return false // both are refused
	}
	a.Outcome = tokenendpoint.Unavailable
	a.Remedy, a.Passes = cause.Code("transient").Remedy, true
	a.Detail += "; the other client_secret is tried"
	return true
}
