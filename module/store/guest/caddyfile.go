package guest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/nearest"
)

// UnmarshalBlock reads the block of a store, at whose kind d begins, with a function for
// the line where d then stands. An option that is given twice is an error, unless it is
// encryption_key or one of lists, which take more values each time.
func UnmarshalBlock(d *caddyfile.Dispenser, line func() error, lists ...string) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] && option != "encryption_key" && !slices.Contains(lists, option) {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := line(); err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalOption reads the line of a Caddyfile where d stands if it is one of the
// options that all stores have, and reports whether it is. An engine's
// UnmarshalCaddyfile calls it for the lines that it does not know itself.
func (o *Options) UnmarshalOption(d *caddyfile.Dispenser) (known bool, err error) {
	switch d.Val() {
	case "encryption_key":
		err = UnmarshalTexts(d, &o.EncryptionKeys)
	case "lease":
		err = unmarshalDuration(d, &o.Lease)
	case "op_timeout":
		err = unmarshalDuration(d, &o.OpTimeout)
	case "poll":
		err = unmarshalDuration(d, &o.Poll)
	case "allow_plaintext":
		if d.NextArg() {
			return true, d.ArgErr()
		}
		o.AllowPlaintext = true
	default:
		return false, nil
	}
	return true, err
}

// UnknownOption is the error of the line where d stands, in a store that has these options
// beside those that all stores have.
func UnknownOption(d *caddyfile.Dispenser, own ...string) error {
	known := append(slices.Clone(own), "encryption_key", "lease", "op_timeout", "poll")
	return d.Errf("unrecognized subdirective: %s%s: this store has %s and allow_plaintext", d.Val(), nearest.Hint(d.Val(), append(known, "allow_plaintext")...), strings.Join(known, ", "))
}

func unmarshalDuration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	setting := d.Val()
	var text string
	if err := UnmarshalText(d, &text); err != nil {
		return err
	}
	value, err := caddy.ParseDuration(text)
	if err != nil {
		return d.Errf("%s: %v", setting, err)
	}
	if value <= 0 {
		return d.Errf("%s must be more than 0", setting)
	}
	*to = caddy.Duration(value)
	return nil
}

// UnmarshalText reads the only argument of an option. One that is empty is an error:
// it would mean the default.
func UnmarshalText(d *caddyfile.Dispenser, to *string) error {
	setting := d.Val()
	if !d.AllArgs(to) {
		return d.ArgErr()
	}
	if *to == "" {
		return d.Errf("%s is empty", setting)
	}
	return nil
}

// UnmarshalTexts adds the arguments of an option, of which there is one at least, and none
// is empty.
func UnmarshalTexts(d *caddyfile.Dispenser, to *[]string) error {
	setting, args := d.Val(), d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.ArgErr()
	case slices.Contains(args, ""):
		return d.Errf("%s is empty", setting)
	}
	*to = append(*to, args...)
	return nil
}

// UnmarshalTLS reads the block of the option tls, where d stands. Each line in it is one
// of the tls_ options of Caddy's own HTTP transport, without that prefix. Without a block
// it is TLS as the system has it.
func UnmarshalTLS(d *caddyfile.Dispenser) (*reverseproxy.TLSConfig, error) {
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	open := d.Token()
	tokens, hint := []caddyfile.Token{open, with(open, "{")}, ""
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		segment := d.NextSegment()
		if word := segment[0].Text; hint == "" && !slices.Contains(tlsOptions, word) {
			hint = nearest.Hint(word, tlsOptions...)
		}
		segment[0].Text = "tls_" + segment[0].Text
		tokens = append(tokens, segment...)
	}
	tokens = append(tokens, with(d.Token(), "}"))
	transport := reverseproxy.HTTPTransport{TLS: new(reverseproxy.TLSConfig)}
	if err := transport.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
		return nil, fmt.Errorf("%w%s", err, hint)
	}
	return transport.TLS, nil
}

// tlsOptions are those that Caddy has, for a hint: what it has besides is read as well.
var tlsOptions = []string{"client_auth", "curves", "except_ports", "insecure_skip_verify", "renegotiation", "server_name", "timeout", "trust_pool", "trusted_ca_certs"}

// with returns a token of another text at the same place.
func with(at caddyfile.Token, text string) caddyfile.Token {
	at.Text = text
	return at
}
