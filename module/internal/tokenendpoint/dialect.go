package tokenendpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
	"lamplighter/module/internal/tokenendpoint/signing"
	"lamplighter/module/nearest"
)

// Client asks one token endpoint in one dialect. It keeps nothing between
// requests and may be used by several goroutines.
type Client struct {
	*Compiled
	connection asking.Connection
	describe   func(*Answer, *reading.Reply, *redact.Secrets) // explain, but in a test
	now        func() time.Time
}

// Compiled is a dialect that was checked, with its defaults.
type Compiled struct {
	dialect  Dialect
	terminal []matcher
	// The lifetime of tokens was given, so that answers need not name it.
	knowsLifetime bool
}

// authMethods are the methods of client authentication, the default first.
var authMethods = []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "none"}

// New returns who asks in a dialect. now is the clock that SentAt is read from.
func New(dialect *Compiled, connection asking.Connection, now func() time.Time) *Client {
	c := &Client{Compiled: dialect, connection: connection, now: now}
	c.describe = c.explain
	return c
}

// Compile checks a dialect and fills in its defaults.
func Compile(d Dialect) (*Compiled, error) {
	if err := d.checkChoices(); err != nil {
		return nil, err
	}
	if urn, ok := grantTypes[d.GrantType]; ok {
		d.GrantType = urn
	}
	if err := d.checkSigning(); err != nil {
		return nil, err
	}
	if d.Method == "GET" && d.ParamsIn != "query" {
		return nil, fmt.Errorf("method GET has no body for params_in %s: add 'params_in query'", d.ParamsIn)
	}
	if d.DefaultExpiresIn < 0 {
		return nil, fmt.Errorf("default_expires_in %s is negative", d.DefaultExpiresIn)
	}
	known := d.DefaultExpiresIn != 0
	if !known {
		d.DefaultExpiresIn = time.Hour
	}
	if err := d.checkPaths(); err != nil {
		return nil, err
	}
	for canonical := range d.ParamNames {
		if !slices.Contains(canonicalParams, canonical) {
			return nil, fmt.Errorf("param_names: %q is no parameter of a token request%s: known are %s", canonical, nearest.Hint(canonical, canonicalParams...), strings.Join(canonicalParams, ", "))
		}
	}
	if d.TerminalErrors == nil {
		d.TerminalErrors = []string{"invalid_grant"}
	}
	c := &Compiled{dialect: d, knowsLifetime: known}
	for _, line := range d.TerminalErrors {
		m, err := parseMatcher(line)
		if err != nil {
			return nil, fmt.Errorf("terminal_errors: %w", err)
		}
		c.terminal = append(c.terminal, m)
	}
	return c, nil
}

// checkChoices fills in the settings that are one of several words, and returns an error
// for another one.
func (d *Dialect) checkChoices() error {
	for _, s := range []struct {
		setting string
		value   *string
		known   []string // the first is the default
	}{
		{"method", &d.Method, []string{"POST", "GET"}},
		{"params_in", &d.ParamsIn, []string{"form", "query", "json"}},
		{"token_endpoint_auth_method", &d.AuthMethod, authMethods},
		{"signing_alg", &d.SigningAlg, append([]string{""}, signing.Algs...)},
		{"basic_encoding", &d.BasicEncoding, []string{"form", "raw"}},
		{"expires_format", &d.ExpiresFormat, []string{"seconds", "milliseconds", "rfc3339", "unix", "unix_ms", "duration", "jwt", "none"}},
	} {
		if *s.value == "" {
			*s.value = s.known[0]
		}
		if !slices.Contains(s.known, *s.value) {
			return fmt.Errorf("%s %q is unknown%s: use %s", s.setting, *s.value, nearest.Hint(*s.value, s.known...), oneOf(slices.DeleteFunc(s.known, func(k string) bool { return k == "" })))
		}
	}
	return nil
}

// The grants whose names are too long to write.
const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
)

var grantTypes = map[string]string{"jwt_bearer": jwtBearer, "token_exchange": tokenExchange}

// checkSigning returns an error for an algorithm that the client's kind of key
// cannot have.
func (d *Dialect) checkSigning() error {
	isHMAC := slices.Contains(signing.HMACAlgs, d.SigningAlg)
	switch {
	case d.SigningAlg == "":
	case d.AuthMethod == "client_secret_jwt" && !isHMAC:
		return fmt.Errorf("signing_alg %s needs a private key, and client_secret_jwt has none: use %s", d.SigningAlg, oneOf(signing.HMACAlgs))
	case d.AuthMethod != "client_secret_jwt" && isHMAC:
		return fmt.Errorf("signing_alg %s is for token_endpoint_auth_method client_secret_jwt only", d.SigningAlg)
	}
	return nil
}

func oneOf(known []string) string {
	last := len(known) - 1
	return strings.Join(known[:last], ", ") + " or " + known[last]
}

// checkPaths fills in where an answer has what, and returns an error for a path that no
// answer can ever have.
func (d *Dialect) checkPaths() error {
	for _, p := range []struct {
		setting  string
		path     *string
		fallback string
	}{
		{"access_token_path", &d.AccessTokenPath, "access_token"},
		{"refresh_token_path", &d.RefreshTokenPath, "refresh_token"},
		{"id_token_path", &d.IDTokenPath, "id_token"},
		{"expires_path", &d.ExpiresPath, "expires_in"},
		{"refresh_token_expires_path", &d.RefreshTokenExpiresPath, "refresh_token_expires_in|refresh_expires_in|x_refresh_token_expires_in|refresh_token_expires_at"},
		{"error_path", &d.ErrorPath, "error"},
	} {
		*p.path = cmp.Or(*p.path, p.fallback)
		if err := reading.CheckPath(*p.path); err != nil {
			return fmt.Errorf("%s %q: %w", p.setting, *p.path, err)
		}
	}
	if d.IssuedAtPath != "" {
		if err := reading.CheckPath(d.IssuedAtPath); err != nil {
			return fmt.Errorf("issued_at_path %q: %w", d.IssuedAtPath, err)
		}
	}
	for _, path := range d.ResponsePaths {
		if err := reading.CheckPath(path); err != nil {
			return fmt.Errorf("inject: {response.%s}: %w", path, err)
		}
	}
	return nil
}
