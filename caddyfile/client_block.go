package caddyfile

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/inject"
	"lamplighter/module/store/guest"
)

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

// details reads JSON as it is, or what stands for it.
func (p *clientParser) details() error {
	var text string
	if err := p.text(&text); err != nil {
		return err
	}
	var compact bytes.Buffer
	if strings.HasPrefix(text, "{") && !strings.ContainsAny(text, "\" ") {
		quoted, err := json.Marshal(text)
		p.client.AuthorizationDetails = quoted
		return err
	}
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return p.Errf("authorization_details is no JSON: write it between backquotes, or {file./path/to/it}")
	}
	p.client.AuthorizationDetails = compact.Bytes()
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

func (p *clientParser) store() (err error) {
	p.client.Store, err = parseStore(p.Dispenser)
	return err
}

// parseStore reads the kind of a store and its block, whose lines are the kind's own.
func parseStore(d *caddyfile.Dispenser) (json.RawMessage, error) {
	here := *d
	if !d.NextArg() {
		return nil, d.Errf("%s takes a kind: '%s file { path <dir> }'", here.Val(), here.Val())
	}
	kind := d.Val()
	if _, err := caddy.GetModule(guest.Namespace + "." + kind); err != nil {
		return nil, d.WrapErr(guest.Unknown(kind))
	}
	store, err := caddyfile.UnmarshalModule(d, guest.Namespace+"."+kind)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(store, "kind", kind, nil), nil
}

// tls reads TLS options as Caddy's own HTTP transport does: each is one of its
// tls_ options.
func (p *clientParser) tls() (err error) {
	p.client.TLS, err = guest.UnmarshalTLS(p.Dispenser)
	return err
}

// with returns a token of another text at the same place.
func with(at caddyfile.Token, text string) caddyfile.Token {
	at.Text = text
	return at
}
