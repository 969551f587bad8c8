// Package caddyfile turns Caddyfile directives and options into the JSON of
// Lamplighter's modules.
//
// It knows the Caddyfile's grammar and the modules' fields. It must not know
// what the settings do: their checks are in package module, and only get a file
// and line here.
package caddyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/dustin/go-humanize"

	"lamplighter/module/inject"
	"lamplighter/module/settings"
)

// parseClient reads the block of a client; the dispenser is at its name. Syntax:
//
//	<name> {
//	    provider                   <preset> [<base>]
//	    token_endpoint             <url>
//	    issuer                     <url>
//	    authorization_endpoint     <url>
//	    device_authorization_endpoint <url>
//	    revocation_endpoint        <url>
//	    method                     POST|GET
//	    params_in                  form|query|json
//	    grant_type                 <grant>
//	    client_id                  <id>
//	    client_secret              <secret>
//	    token_endpoint_auth_method client_secret_basic|client_secret_post|client_secret_jwt|private_key_jwt|tls_client_auth|none
//	    basic_encoding             form|raw
//	    refresh_token              <token>
//	    private_key                <key>
//	    key_id                     <id>
//	    signing_alg                <algorithm>
//	    certificate                <certificate>
//	    upstream_certificate       on|off
//	    claim                      <name> <value>
//	    assertion                  <jwt>
//	    subject_token              <token>
//	    subject_token_type         <type>
//	    actor_token                <token>
//	    actor_token_type           <type>
//	    requested_token_type       <type>
//	    max_entries                <count>
//	    username                   <name>
//	    password                   <password>
//	    scope                      <scopes...>
//	    audience                   <audiences...>
//	    resource                   <uris...>
//	    param                      <name> <value>
//	    header                     <name> <value>
//	    param_names {
//	        <canonical> <wire>
//	    }
//	    access_token_path          <path>
//	    refresh_token_path         <path>
//	    id_token_path              <path>
//	    expires_path               <path>
//	    issued_at_path             <path>
//	    refresh_token_expires_path <path>
//	    refresh_token_expires_in   <duration>
//	    error_path                 <path>
//	    expires_format             <format>
//	    default_expires_in         <duration>
//	    terminal_errors            [<status>] [<code> [<description>]]
//	    rotation                   optional|required|ignore
//	    rotation_overlap           until_expiry|none|<duration>
//	    quiesce                    <duration>
//	    refresh_window_ratio       <fraction>
//	    min_refresh_interval       <duration>
//	    timeout                    <duration>
//	    wait                       <duration>
//	    inject                     header|query|cookie <name> [<template>]
//	    replay_buffer              <size>
//	    rejected                   off
//	    rejected {
//	        status <codes...>
//	        header <field> [<value>]
//	        json   <path> [<value>]
//	    }
//	    allow                      <origins...>
//	    allow_http
//	    proxy                      <url>|none|from_environment
//	    tls {
//	        <the tls_ options of the transport http, without tls_>
//	    }
//	    store file {
//	        path           <dir>
//	        encryption_key <files...>
//	    }
//	}
func parseClient(d *caddyfile.Dispenser) (string, *settings.Client, error) {
	name := d.Val()
	if err := settings.CheckName(name); err != nil {
		return "", nil, d.WrapErr(err)
	}
	c := &settings.Client{DeclaredAt: position(d)}
	p := clientParser{Dispenser: d, client: c, seen: map[string]caddyfile.Dispenser{"": *d}}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.setting(); err != nil {
			return "", nil, fmt.Errorf("client %s: %w", name, err)
		}
	}
	c, err := withoutShorthand(c)
	if err != nil {
		return "", nil, d.WrapErr(err)
	}
	if err := c.Check(); err != nil {
		return "", nil, p.locate(fmt.Errorf("client %s: %w", name, err), err)
	}
	return name, c, nil
}

// position is where the dispenser is, as error messages name it.
func position(d *caddyfile.Dispenser) string {
	return fmt.Sprintf("%s:%d", d.File(), d.Line())
}

// clientParser reads settings into a client, and remembers where they stand.
type clientParser struct {
	*caddyfile.Dispenser
	client *settings.Client
	seen   map[string]caddyfile.Dispenser
}

// locate gives an error about the settings a file and line: those of the setting
// that it starts with, or else of the client.
func (p *clientParser) locate(err, about error) error {
	setting, _, _ := strings.Cut(about.Error(), " ")
	at, ok := p.seen[strings.TrimSuffix(setting, ":")]
	if !ok {
		at = p.seen[""]
	}
	return at.WrapErr(err)
}

// repeatable are the settings that may be given more than once.
var repeatable = []string{"scope", "audience", "resource", "param", "header", "terminal_errors", "inject", "allow", "client_secret", "claim", "rejected"}

func (p *clientParser) setting() error {
	setting := p.Val()
	if _, again := p.seen[setting]; again && !slices.Contains(repeatable, setting) {
		return p.Errf("%s already specified", setting)
	}
	p.seen[setting] = *p.Dispenser
	c := p.client
	switch setting {
	case "provider":
		return p.provider()
	case "scope":
		return p.list(&c.Scope)
	case "audience":
		return p.list(&c.Audience)
	case "resource":
		return p.list(&c.Resource)
	case "param":
		return p.pair(&c.Param)
	case "header":
		return p.pair(&c.Header)
	case "client_secret":
		return p.clientSecret()
	case "claim":
		return p.claim()
	case "max_entries":
		return p.count(&c.MaxEntries)
	case "param_names":
		return p.paramNames()
	case "terminal_errors":
		return p.terminalError()
	case "refresh_window_ratio":
		return p.ratio(&c.RefreshWindowRatio)
	case "inject":
		return p.injection()
	case "replay_buffer":
		return p.size(&c.ReplayBuffer)
	case "rejected":
		return p.rejected()
	case "allow":
		return p.list(&c.Allow)
	case "allow_http":
		c.AllowHTTP = true
		return p.end()
	case "tls":
		return p.tls()
	case "store":
		return p.store()
	}
	if field, ok := p.texts()[setting]; ok {
		return p.text(field)
	}
	if field, ok := p.durations()[setting]; ok {
		return p.duration(field)
	}
	return p.Errf("unrecognized subdirective: %s", setting)
}

func (p *clientParser) texts() map[string]*string {
	c := p.client
	return map[string]*string{
		"token_endpoint":             &c.TokenEndpoint,
		"method":                     &c.Method,
		"params_in":                  &c.ParamsIn,
		"grant_type":                 &c.GrantType,
		"client_id":                  &c.ClientID,
		"client_secret_next":         &c.ClientSecretNext,
		"private_key":                &c.PrivateKey,
		"key_id":                     &c.KeyID,
		"signing_alg":                &c.SigningAlg,
		"certificate":                &c.Certificate,
		"upstream_certificate":       &c.UpstreamCertificate,
		"assertion":                  &c.Assertion,
		"subject_token":              &c.SubjectToken,
		"subject_token_type":         &c.SubjectTokenType,
		"actor_token":                &c.ActorToken,
		"actor_token_type":           &c.ActorTokenType,
		"requested_token_type":       &c.RequestedTokenType,
		"issuer":                     &c.Issuer,
		"token_endpoint_auth_method": &c.TokenEndpointAuthMethod,
		"basic_encoding":             &c.BasicEncoding,
		"refresh_token":              &c.RefreshToken,
		"username":                   &c.Username,
		"password":                   &c.Password,
		"access_token_path":          &c.AccessTokenPath,
		"refresh_token_path":         &c.RefreshTokenPath,
		"id_token_path":              &c.IDTokenPath,
		"expires_path":               &c.ExpiresPath,
		"issued_at_path":             &c.IssuedAtPath,
		"refresh_token_expires_path": &c.RefreshTokenExpiresPath,
		"error_path":                 &c.ErrorPath,
		"expires_format":             &c.ExpiresFormat,
		"rotation":                   &c.Rotation,
		"rotation_overlap":           &c.RotationOverlap,
		"proxy":                      &c.Proxy,

		"authorization_endpoint":        &c.AuthorizationEndpoint,
		"device_authorization_endpoint": &c.DeviceAuthorizationEndpoint,
		"revocation_endpoint":           &c.RevocationEndpoint,
	}
}

func (p *clientParser) durations() map[string]*caddy.Duration {
	c := p.client
	return map[string]*caddy.Duration{
		"default_expires_in":       &c.DefaultExpiresIn,
		"refresh_token_expires_in": &c.RefreshTokenExpiresIn,
		"quiesce":                  &c.Quiesce,
		"min_refresh_interval":     &c.MinRefreshInterval,
		"timeout":                  &c.Timeout,
		"wait":                     &c.Wait,
	}
}

// end makes sure that the line holds nothing more.
func (p *clientParser) end() error {
	if p.NextArg() {
		return p.ArgErr()
	}
	return nil
}

func (p *clientParser) text(field *string) error {
	setting := p.Val()
	if !p.AllArgs(field) {
		return p.Errf("%s takes one value", setting)
	}
	if *field == "" {
		return p.Errf("%s is empty; if its value is an environment variable, that is not set", setting)
	}
	return nil
}

func (p *clientParser) duration(field *caddy.Duration) error {
	setting := p.Val()
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	dur, err := caddy.ParseDuration(value)
	if err != nil || dur <= 0 {
		return p.Errf("%s %q is not a duration such as 10s, 5m or 1h", setting, value)
	}
	*field = caddy.Duration(dur)
	return nil
}

func (p *clientParser) list(field *[]string) error {
	args := p.RemainingArgs()
	if len(args) == 0 {
		return p.ArgErr()
	}
	*field = append(*field, args...)
	return nil
}

func (p *clientParser) pair(field *map[string][]string) error {
	var name, value string
	if !p.AllArgs(&name, &value) {
		return p.ArgErr()
	}
	if *field == nil {
		*field = make(map[string][]string)
	}
	(*field)[name] = append((*field)[name], value)
	return nil
}

// clientSecret reads one of up to two secrets.
func (p *clientParser) clientSecret() error {
	switch {
	case p.client.ClientSecret == "":
		return p.text(&p.client.ClientSecret)
	case p.client.ClientSecretNext == "":
		return p.text(&p.client.ClientSecretNext)
	}
	return p.Errf("client_secret is given three times: the old one and the new one are all there can be")
}

func (p *clientParser) claim() error {
	var name, value string
	if !p.AllArgs(&name, &value) {
		return p.ArgErr()
	}
	if p.client.Claim == nil {
		p.client.Claim = make(map[string]string)
	}
	if _, again := p.client.Claim[name]; again {
		return p.Errf("claim %s already specified", name)
	}
	p.client.Claim[name] = value
	return nil
}

func (p *clientParser) count(field *int) error {
	setting := p.Val()
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return p.Errf("%s %q is not a number of at least 1", setting, value)
	}
	*field = n
	return nil
}

func (p *clientParser) provider() error {
	args := p.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return p.ArgErr()
	}
	p.client.Provider = args[0]
	if len(args) == 2 {
		p.client.ProviderBase = args[1]
	}
	return nil
}

func (p *clientParser) paramNames() error {
	if err := p.end(); err != nil {
		return err
	}
	p.client.ParamNames = make(map[string]string)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		canonical := p.Val()
		var wire string
		if !p.AllArgs(&wire) {
			return p.ArgErr()
		}
		p.client.ParamNames[canonical] = wire
	}
	return nil
}

func (p *clientParser) terminalError() error {
	args := p.RemainingArgs()
	if len(args) == 0 {
		return p.ArgErr()
	}
	code := 0
	if status, err := strconv.Atoi(args[0]); args[0] == "*" || err == nil && len(args[0]) == 3 && status >= 400 && status < 600 {
		code = 1
	}
	if code < len(args) && (args[code] == "" || strings.ContainsAny(args[code], " \t\"")) {
		args[code] = strconv.Quote(args[code]) // one word all the same, if there are blanks in it
	}
	p.client.TerminalErrors = append(p.client.TerminalErrors, strings.Join(args, " "))
	return nil
}

func (p *clientParser) ratio(field *float64) error {
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	above, below, isFraction := strings.Cut(value, "/")
	n, err := strconv.ParseFloat(above, 64)
	if err == nil && isFraction {
		var divisor float64
		divisor, err = strconv.ParseFloat(below, 64)
		n /= divisor
	}
	if err != nil || !(n > 0 && n < 1) {
		return p.Errf("refresh_window_ratio %q is not a fraction between 0 and 1 such as 1/3 or 0.25", value)
	}
	*field = n
	return nil
}

func (p *clientParser) injection() error {
	args := p.RemainingArgs()
	if len(args) < 2 || len(args) > 3 {
		return p.Errf("inject takes a place, a name and a template: 'inject header Authorization \"Bearer {access_token}\"'")
	}
	inj := inject.Injection{In: args[0], Name: args[1]}
	if len(args) == 3 {
		inj.Value = args[2]
	}
	p.client.Inject = append(p.client.Inject, inj)
	return nil
}

func (p *clientParser) size(field **int64) error {
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	bytes, err := humanize.ParseBytes(value)
	if err != nil || bytes > 1<<40 {
		return p.Errf("replay_buffer %q is not a size such as 64KiB", value)
	}
	size := int64(bytes)
	*field = &size
	return nil
}

func (p *clientParser) store() error {
	cfg := new(settings.StoreConfig)
	if !p.AllArgs(&cfg.Kind) {
		return p.Errf("store takes a kind: 'store file { path <dir> }'")
	}
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		var err error
		switch p.Val() {
		case "path":
			err = p.text(&cfg.Path)
		case "encryption_key":
			err = p.list(&cfg.EncryptionKey)
		default:
			err = p.Errf("unrecognized subdirective: %s", p.Val())
		}
		if err != nil {
			return err
		}
	}
	p.client.Store = cfg
	return nil
}

// tls reads TLS options as Caddy's own HTTP transport does: each is one of its
// tls_ options.
func (p *clientParser) tls() error {
	if err := p.end(); err != nil {
		return err
	}
	open := p.Token()
	tokens := []caddyfile.Token{open, with(open, "{")}
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		segment := p.NextSegment()
		segment[0].Text = "tls_" + segment[0].Text
		tokens = append(tokens, segment...)
	}
	tokens = append(tokens, p.Token())
	transport := reverseproxy.HTTPTransport{TLS: new(reverseproxy.TLSConfig)}
	if err := transport.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
		return err
	}
	p.client.TLS = transport.TLS
	return nil
}

// with returns a token of another text at the same place.
func with(at caddyfile.Token, text string) caddyfile.Token {
	at.Text = text
	return at
}
