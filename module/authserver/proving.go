package authserver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/placeholder"
)

// proofs are what a client needs to prove that it holds a key.
type proofs struct {
	origins dpop.Origins

	mu   sync.Mutex
	made *dpop.Key // if neither settings nor grant have one
}

// ownKey reads the key of the settings, nil if there is none.
func (c *Client) ownKey(r *placeholder.Resolver) (*dpop.Key, error) {
	d := c.cfg.DPoP
	if d == nil || d.Key == "" {
		return nil, nil //nolint:nilnil // as said
	}
	text := r.Value("dpop key", d.Key)
	if r.Err != nil {
		return nil, r.Err
	}
	redact.Remember(text)
	key, err := dpop.Parse(text, d.Alg)
	if err != nil {
		return nil, fmt.Errorf("dpop: key: %w", err)
	}
	return key, nil
}

// proof is what the settings say of proofs, for who decides about the grant.
func (c *Client) proof(req *tokenendpoint.Request) record.Proof {
	p := record.Proof{Wanted: c.cfg.DPoP != nil, Bound: c.cfg.TokenEndpointAuthMethod == "none"}
	if !p.Wanted {
		return p
	}
	if req.ProofKey != nil {
		p.Key = record.FingerprintOf(req.ProofKey.Thumbprint())
		return p
	}
	p.Algs = dpop.Alike(c.cfg.DPoP.Alg)
	return p
}

// prove has a request prove a key: that of the grant, else that of the settings, else one that
// is made now.
func (c *Client) prove(ask *tokenendpoint.Request) error {
	d := c.cfg.DPoP
	if d == nil {
		return nil
	}
	key, err := c.keyFor(ask)
	if err != nil {
		return err
	}
	if key, err = key.For(cmp.Or(c.algOf(key), dpop.Choose(key.Algs(), ask.ProofAlgs))); err != nil {
		return err
	}
	if ask.Keyed != nil {
		ask.Keyed(key)
	}
	ask.Prover = &tokenendpoint.Prover{Key: key, Origins: &c.proofs.origins, BearerAllowed: d.Bearer == "allow", Refused: c.ProofRefused}
	return nil
}

// algOf is the algorithm that the settings want, "" if they do not say, or the key is one of
// before.
func (c *Client) algOf(key *dpop.Key) string {
	if alg := c.cfg.DPoP.Alg; slices.Contains(key.Algs(), alg) {
		return alg
	}
	return ""
}

func (c *Client) keyFor(ask *tokenendpoint.Request) (*dpop.Key, error) {
	switch {
	case ask.KnownKey != "":
		redact.Remember(ask.KnownKey)
		return dpop.Parse(ask.KnownKey, "")
	case ask.ProofKey != nil:
		return ask.ProofKey, nil
	}
	alg := cmp.Or(c.cfg.DPoP.Alg, dpop.Choose(dpop.Algs, ask.ProofAlgs))
	p := &c.proofs
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made != nil && slices.Contains(p.made.Algs(), alg) {
		return p.made, nil
	}
	key, err := dpop.Generate(alg)
	if err == nil {
		p.made = key
	}
	return key, err
}

// ProofWarnings are about what proofs cost.
func (c *Client) ProofWarnings() []string {
	d := c.cfg.DPoP
	if d == nil {
		return nil
	}
	alg := d.Alg
	if key, err := c.ownKey(new(placeholder.Resolver)); err == nil && key != nil {
		alg = key.Alg()
	}
	if !dpop.IsRSA(alg) {
		return nil
	}
	return []string{"dpop: each request costs a signature with " + alg + ", 0.8 ms of CPU, so that 1,200 requests a second take a whole core; ES256 and EdDSA cost 0.03 ms, if the server accepts them"}
}

// ProofThumbprint is that of the key that a log-in is to prove, for dpop_jkt of its request (RFC
// 9449 section 10); "" if none is wanted.
func (c *Client) ProofThumbprint(ctx context.Context, req *tokenendpoint.Request) (string, error) {
	ask := *req
	if c.cfg.DPoP == nil {
		return "", nil
	}
	if err := c.locate(ctx, &ask); err != nil {
		return "", err
	}
	if err := c.prove(&ask); err != nil {
		return "", err
	}
	return ask.Prover.Key.Thumbprint(), nil
}
