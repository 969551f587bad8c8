// Package tokenformat answers in which form a program is handed an access token, or told
// that there is none: the formats of `token_file` and of `tokens print`.
//
// It knows the programs that read them. It must not know clients, files, or where a token
// comes from, and imports nothing of ours.
package tokenformat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Token is what formats show of an access token, as the admin API hands it out. It is secret.
type Token struct {
	// AccessToken is the token itself.
	AccessToken string `json:"access_token"`

	// TokenType is its type, as the authorization server calls it; "" for Bearer.
	TokenType string `json:"token_type"`

	// Scope is what the authorization server said of that. Only for what is printed.
	Scope string `json:"scope"`

	// ExpiresIn is how many seconds it lives. Only for what is printed.
	ExpiresIn int64 `json:"expires_in"`

	// Header are the header fields that carry it, in their order.
	Header []Field `json:"header"`

	// ExpiresAt is when it ends.
	ExpiresAt time.Time `json:"expires_at"`
}

// Field is a header field.
type Field struct {
	// Name is its name.
	Name string `json:"name"`

	// Value is its value, with the token in it.
	Value string `json:"value"`
}

// Format writes a token in the form that a program reads. For nil it writes that there
// is none, in a form that the program can read too. client names what the token is of.
type Format func(client string, t *Token) ([]byte, error)

// The formats.
const (
	Plain          = "plain"           // the token alone
	Header         = "header"          // header fields, as curl -H @file reads them
	Dotenv         = "dotenv"          // variables of an environment
	EnvoySDS       = "envoy_sds"       // a secret of Envoy
	ExecCredential = "exec_credential" // a credential of Kubernetes
)

var formats = map[string]Format{
	Plain: plain, Header: header, Dotenv: dotenv, EnvoySDS: envoySDS, ExecCredential: execCredential,
}

// Named returns the format of that name, nil if there is none.
func Named(name string) Format { return formats[name] }

// Names are those of all formats, in order.
func Names() []string { return slices.Sorted(maps.Keys(formats)) }

// NeedsHeader reports whether a format shows what goes into headers, and not the token
// alone.
func NeedsHeader(name string) bool { return name == Header || name == EnvoySDS }

// ErrUnfit is the error of a token that no line can hold.
var ErrUnfit = errors.New("the access token holds a line break or another control character, which no reader of a line would take for a part of it")

// CheckLine returns ErrUnfit for a text that is not one line.
func CheckLine(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ErrUnfit
	}
	return nil
}

func plain(_ string, t *Token) ([]byte, error) {
	if t == nil {
		return nil, nil
	}
	return []byte(t.AccessToken), CheckLine(t.AccessToken)
}

// unfitHeader is the error of a header field whose value is not one line.
func unfitHeader(f Field) error {
	return fmt.Errorf("what inject puts into the header %s holds a line break or another control character, which no reader of it would take for a part of it", f.Name)
}

func header(_ string, t *Token) ([]byte, error) {
	if t == nil {
		return nil, nil
	}
	var b strings.Builder
	for _, f := range t.Header {
		if CheckLine(f.Value) != nil {
			return nil, unfitHeader(f)
		}
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return []byte(b.String()), nil
}

func dotenv(_ string, t *Token) ([]byte, error) {
	if t == nil {
		return nil, nil
	}
	if err := CheckLine(t.AccessToken); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "ACCESS_TOKEN=%s\nEXPIRES_AT=%s\n", quoted(t.AccessToken), Stamp(t.ExpiresAt)), nil
}

// quoted is a value as a shell reads it. What RFC 6750 section 2.1 lets a token hold stays
// as it is, because not every reader of such files takes quotes away.
func quoted(value string) string {
	const plainly = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:@%,"
	if strings.Trim(value, plainly) == "" && !strings.HasPrefix(value, "~") {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// Stamp is a time as formats write it (RFC 3339, UTC, whole seconds).
func Stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// envoySDS is what Envoy's SDS reads from a file: JSON, which is YAML too, so that the name
// of the file may end in either. The scheme is part of the secret, because older versions of
// credential_injector add none.
func envoySDS(client string, t *Token) ([]byte, error) {
	secret := ""
	if t != nil && len(t.Header) > 0 {
		if secret = t.Header[0].Value; CheckLine(secret) != nil {
			return nil, unfitHeader(t.Header[0])
		}
	}
	return document(map[string]any{"resources": []any{map[string]any{
		"@type":          "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
		"name":           client,
		"generic_secret": map[string]any{"secret": map[string]any{"inline_string": secret}},
	}}}, nil)
}

// Versions of the ExecCredential of Kubernetes.
const (
	ExecCredentialV1      = "client.authentication.k8s.io/v1"
	ExecCredentialV1Beta1 = "client.authentication.k8s.io/v1beta1"
)

func execCredential(_ string, t *Token) ([]byte, error) { return Credential(ExecCredentialV1, t) }

// Credential is an ExecCredential of a version. Without a token it has no status.
func Credential(version string, t *Token) ([]byte, error) {
	credential := map[string]any{"apiVersion": version, "kind": "ExecCredential"}
	if t == nil {
		return document(credential, nil)
	}
	credential["status"] = map[string]any{"token": t.AccessToken, "expirationTimestamp": Stamp(t.ExpiresAt)}
	return document(credential, CheckLine(t.AccessToken))
}

// document is JSON in one line.
func document(v any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(v)
	return []byte(b.String()), err
}
