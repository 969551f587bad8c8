package settings

import (
	"lamplighter/module/inject"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/rejection"
)

// Compiled is what effective settings say, in the form in which others use it.
type Compiled struct {
	Injections *inject.Injections      // where the token goes, and where a caller's own is
	Rejections *rejection.Rules        // which answers say that the token is dead
	Dialect    *tokenendpoint.Compiled // of the token endpoint
}

// Compile checks effective settings, and returns what they are compiled to.
func (c *Client) Compile() (*Compiled, error) {
	for _, check := range []func() error{
		c.checkEndpoints, c.checkProxySetting, c.checkCredentials, c.checkRotation, c.checkBounds, c.checkDetails,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	compiled := new(Compiled)
	var err error
	if compiled.Injections, err = c.injections(); err != nil {
		return nil, err
	}
	if compiled.Rejections, err = rejection.Compile(c.Rejected, c.RejectedOff); err != nil {
		return nil, err
	}
	if _, err := c.AllowRules(false); err != nil {
		return nil, err
	}
	compiled.Dialect, err = tokenendpoint.Compile(c.Dialect(compiled.Injections.ResponsePaths()))
	return compiled, err
}
