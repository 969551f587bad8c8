package settings

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"lamplighter/module/internal/dpop"
)

// DPoP has access tokens bound to a private key of the client, so that whoever steals one cannot
// use it: a proof of the key goes with each token request, and with each request that carries the
// token (RFC 9449).
type DPoP struct {
	// The private key: PEM (PKCS #8, PKCS #1, SEC 1) or a JWK (RFC 7517), EC on P-256, Ed25519,
	// or RSA of 2048 bits and more. It is read again at each token request. A token goes on with the key
	// that it was obtained with; the refresh token of a public client is sent with no other.
	// Default: one is made, and kept in the client's record.
	Key string `json:"key,omitempty"`

	// The algorithm of proofs: `ES256`, `EdDSA`, `Ed25519`, `PS256` or `RS256`. Proofs of RSA
	// cost 0.8 ms of CPU for each request, the others 0.03. Default: the first of these that the key can have and
	// the issuer's metadata names.
	Alg string `json:"alg,omitempty"`

	// What becomes of an access token that the server did not bind to the key: with `allow`
	// it is sent as a bearer token, without a proof. Default: it is not sent at all.
	Bearer string `json:"bearer,omitempty"`

	// The base URL by which an API knows itself, if it is behind a gateway that rewrites: proofs
	// name it and the path of the request, in place of where that is sent. Default: the
	// upstream's scheme and Host.
	HTU string `json:"htu,omitempty"`
}

// checkDPoP checks what can be known of proofs before the key is read.
func (c *Client) checkDPoP() error {
	d := c.DPoP
	if d == nil {
		return nil
	}
	if d.Alg != "" && !slices.Contains(dpop.Algs, d.Alg) {
		return fmt.Errorf("dpop: alg %q is unknown: use %s", d.Alg, strings.Join(dpop.Algs, ", "))
	}
	if d.Bearer != "" && d.Bearer != "allow" {
		return fmt.Errorf("dpop: bearer %q is unknown: use allow, or leave it out", d.Bearer)
	}
	if d.HTU != "" {
		u, err := url.Parse(d.HTU)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("dpop: htu is not an absolute http(s) URL without user, query and fragment: write it as in https://api.example.com/v2")
		}
	}
	if c.AllowPrint {
		return fmt.Errorf("dpop: %w: remove allow_print, or dpop", c.WithoutProofs())
	}
	if len(c.TokenFile) > 0 {
		return fmt.Errorf("dpop: %w: remove token_file, or dpop", c.WithoutProofs())
	}
	return c.checkProvenPlaces()
}

// checkProvenPlaces checks that a token that is bound to a key goes where its proof belongs to it
// (RFC 9449 section 7.1), and nowhere else: sent as a bearer token it is refused, and whoever reads
// it there finds no proof beside it.
func (c *Client) checkProvenPlaces() error {
	proven := len(c.Inject) == 0
	for _, inj := range c.Inject {
		in, value := cmp.Or(inj.In, "header"), cmp.Or(inj.Value, "{access_token}")
		place := in + " " + inj.Name
		authorization := in == "header" && strings.EqualFold(inj.Name, "Authorization")
		switch {
		case authorization && strings.EqualFold(value, provenValue):
			proven = true
		case !c.holdsAccessToken(value):
		case authorization:
			return fmt.Errorf("inject %s %q sends a token that is bound to a key (dpop) as if it were not, and that is refused (RFC 9449 section 7.1): write inject header Authorization %q, or remove dpop",
				place, value, provenValue)
		default:
			return fmt.Errorf("inject %s puts a token that is bound to a key (dpop) elsewhere than into the header Authorization (RFC 9449 section 7.1): remove that line, or dpop", place)
		}
	}
	if !proven {
		return fmt.Errorf("dpop: no inject sends the access token that proofs are for (RFC 9449 section 7.1): add inject header Authorization %q, or remove dpop", provenValue)
	}
	return nil
}

const provenValue = "DPoP {access_token}"

// holdsAccessToken reports whether the value of an injection has the access token in it, by
// either of its names.
func (c *Client) holdsAccessToken(value string) bool {
	if strings.Contains(value, "{access_token}") {
		return true
	}
	for path := range strings.SplitSeq(cmp.Or(c.AccessTokenPath, "access_token"), "|") {
		if strings.Contains(value, "{response."+path+"}") {
			return true
		}
	}
	return false
}

// WithoutProofs returns an error if the client's tokens are of no use to whoever is given them,
// since requests with them need proofs: what hands them over, or injects them elsewhere than on
// the way to an HTTP upstream, is to refuse that.
func (c *Client) WithoutProofs() error {
	if c.DPoP == nil {
		return nil
	}
	return errors.New("its tokens are bound to a key (dpop), and each request with one needs a proof that only 'upstream_oauth' and 'transport oauth2' can make")
}
