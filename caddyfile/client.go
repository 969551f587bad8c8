// Package caddyfile turns Caddyfile directives and options into the JSON of
// Lamplighter's modules.
//
// It knows the Caddyfile's grammar and the modules' fields. It must not know
// what the settings do: their checks are in module/settings, and only get
// a file and line here.
package caddyfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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
//	    pushed_authorization_request_endpoint <url>
//	    method                     POST|GET
//	    params_in                  form|query|json
//	    grant_type                 <grant>
//	    client_id                  <id>
//	    client_secret              <secret>
//	    token_endpoint_auth_method client_secret_basic|client_secret_post|client_secret_jwt|private_key_jwt|tls_client_auth|self_signed_tls_client_auth|none
//	    basic_encoding             form|raw
//	    refresh_token              <token>
//	    private_key                <key>
//	    key_id                     <id>
//	    signing_alg                <algorithm>
//	    certificate                <certificate>
//	    upstream_certificate       on|off
//	    certificate_bound
//	    client_assertion           <assertion>
//	    client_assertion_type      jwt-bearer|jwt-spiffe|<uri>
//	    assertion_audience         issuer|token_endpoint
//	    dpop {
//	        key    <key>
//	        alg    ES256|EdDSA|Ed25519|PS256|RS256
//	        bearer allow
//	        htu    <base>
//	    }
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
//	    authorization_details      <json>
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
//	    reuse_grace                <duration>
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
//	    token_file                 <path> {
//	        format <format>
//	        mode   <mode>
//	        group  <group>
//	    }
//	    allow_print
//	    allow                      <origins...>
//	    allow_http
//	    proxy                      <url>|none|from_environment
//	    tls {
//	        <the tls_ options of the transport http, without tls_>
//	    }
//	    store <kind> {
//	        <options of the kind>
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
var repeatable = []string{"scope", "audience", "resource", "param", "header", "terminal_errors", "inject", "allow", "client_secret", "claim", "rejected", "token_file"}

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
	case "authorization_details":
		return p.details()
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
	case "token_file":
		return p.tokenFile()
	case "allow":
		return p.list(&c.Allow)
	}
	if block, ok := map[string]func() error{"dpop": p.dpop, "store": p.store, "tls": p.tls}[setting]; ok {
		return block()
	}
	if field, ok := p.texts()[setting]; ok {
		return p.text(field)
	}
	if field, ok := p.flags()[setting]; ok {
		return p.flag(field)
	}
	if field, ok := p.durations()[setting]; ok {
		return p.duration(field)
	}
	return p.unrecognized(setting)
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
		"client_assertion":           &c.ClientAssertion,
		"client_assertion_type":      &c.ClientAssertionType,
		"assertion_audience":         &c.AssertionAudience,
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

		"pushed_authorization_request_endpoint": &c.PushedAuthorizationRequestEndpoint,
	}
}

func (p *clientParser) durations() map[string]*caddy.Duration {
	c := p.client
	return map[string]*caddy.Duration{
		"default_expires_in":       &c.DefaultExpiresIn,
		"refresh_token_expires_in": &c.RefreshTokenExpiresIn,
		"quiesce":                  &c.Quiesce,
		"reuse_grace":              &c.ReuseGrace,
		"min_refresh_interval":     &c.MinRefreshInterval,
		"timeout":                  &c.Timeout,
		"wait":                     &c.Wait,
	}
}

// flags are set by their names alone.
func (p *clientParser) flags() map[string]*bool {
	c := p.client
	return map[string]*bool{"allow_http": &c.AllowHTTP, "allow_print": &c.AllowPrint, "certificate_bound": &c.CertificateBound}
}

// end makes sure that the line holds nothing more.
func (p *clientParser) end() error {
	if p.NextArg() {
		return p.ArgErr()
	}
	return nil
}
