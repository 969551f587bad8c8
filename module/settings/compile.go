package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"lamplighter/module/inject"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/rejection"
	"lamplighter/module/tokenfile"
)

// Compiled is what effective settings say, in the form in which others use it.
type Compiled struct {
	Injections *inject.Injections      // where the token goes, and where a caller's own is
	Rejections *rejection.Rules        // which answers say that the token is dead
	Dialect    *tokenendpoint.Compiled // of the token endpoint
	Files      []*tokenfile.Compiled   // that the token is kept in
}

// Compile checks effective settings, and returns what they are compiled to.
func (c *Client) Compile() (*Compiled, error) {
	for _, check := range []func() error{
		c.checkEndpoints, c.checkProxySetting, c.checkCredentials, c.checkDPoP, c.checkRotation, c.checkBounds, c.checkDetails,
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
	if compiled.Files, err = c.files(compiled.Injections); err != nil {
		return nil, err
	}
	paths := append(slices.Clone(compiled.Injections.ResponsePaths()), tokenfile.ResponsePaths(compiled.Files)...)
	compiled.Dialect, err = tokenendpoint.Compile(c.Dialect(paths))
	return compiled, err
}

// files are those that the token is kept in.
func (c *Client) files(in *inject.Injections) ([]*tokenfile.Compiled, error) {
	if len(c.TokenFile) > 0 && c.PerCaller() {
		return nil, errors.New("token_file is of no use: each caller has a token of its own, and the client none: remove it")
	}
	if c.AllowPrint && c.PerCaller() {
		return nil, errors.New("allow_print is of no use: each caller has a token of its own, and the client none: remove it")
	}
	files, err := tokenfile.Compile(c.TokenFile, in)
	for _, f := range files {
		if c.reads(f.Path) {
			return nil, fmt.Errorf("token_file %s: the client's own settings read that file, and the token would be written over what is in it: choose another path", f.Path)
		}
	}
	return files, err
}

// reads reports whether settings name a file: by its path, or as {file.<path>}.
func (c *Client) reads(path string) bool {
	others := *c
	others.TokenFile = nil
	text, err := json.Marshal(&others)
	if err != nil {
		return false
	}
	name, err := json.Marshal(path)
	if err != nil {
		return false
	}
	return bytes.Contains(text, name) || bytes.Contains(text, fmt.Appendf(nil, "{file.%s}", name[1:len(name)-1]))
}
