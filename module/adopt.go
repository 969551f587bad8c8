package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/carry"
	"lamplighter/module/internal/store"
	"lamplighter/module/settings"
)

// carryPatience is how long a grant that is to be carried over may be in use.
const carryPatience = 10 * time.Second

// adopt carries another record's grant over to the client.
func (a adminAPI) adopt(w http.ResponseWriter, r *http.Request, c *Client) error {
	var req adminapi.AdoptRequest
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	if err == nil {
		err = json.Unmarshal(b, &req)
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(`the body is not of the form {"client": "…", "store": "…"}`)}
	}
	result, err := c.adopt(r.Context(), req)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: printableErr(err)}
	}
	return writeJSON(w, http.StatusOK, result)
}

// adopt carries the grant of another record over to the client, which goes on with
// it at once.
func (c *Client) adopt(ctx context.Context, req adminapi.AdoptRequest) (*adminapi.AdoptResult, error) {
	if !c.cfg.Rotating() {
		return nil, fmt.Errorf("client %s keeps no refresh token of its own", c.name)
	}
	from := carry.End{Client: req.Client, Store: c.use.store}
	to := carry.End{Client: c.name, Store: c.use.store}
	if from.Client == "" {
		from.Client = c.name
	}
	if err := settings.CheckName(from.Client); err != nil {
		return nil, err
	}
	dir := c.use.dir
	if req.Store != "" {
		other, err := c.useOther(req.Store)
		if err != nil {
			return nil, err
		}
		defer other.close()
		if dir = other.dir; dir != c.use.dir {
			from.Store, from.Name, to.Name = other.store, dir, c.use.dir
		}
	}
	for _, other := range c.set.list() {
		if other.name != from.Client || other.use.dir != dir {
			continue
		}
		if other == c {
			return nil, fmt.Errorf("the grant of client %s is in that record already", c.name)
		}
		return nil, fmt.Errorf("client %s is one of the configuration, and would lose its grant: take it away from there first", other.name)
	}
	if err := carried(ctx, from, to); err != nil {
		return nil, err
	}
	c.keeper.Recheck()
	return &adminapi.AdoptResult{Client: c.name, From: from.Store.Describe(from.Client), Record: to.Store.Describe(to.Client)}, nil
}

// moveTo carries the client's grant over to another store.
func (c *Client) moveTo(ctx context.Context, named string) (*adminapi.AdoptResult, error) {
	other, err := c.useOther(named)
	if err != nil {
		return nil, err
	}
	defer other.close()
	if other.dir == c.use.dir {
		return nil, fmt.Errorf("the grant of client %s is there already", c.name)
	}
	from := carry.End{Store: c.use.store, Client: c.name, Name: c.use.dir}
	to := carry.End{Store: other.store, Client: c.name, Name: other.dir}
	if err := carried(ctx, from, to); err != nil {
		return nil, err
	}
	return &adminapi.AdoptResult{Client: c.name, From: from.Store.Describe(c.name), Record: to.Store.Describe(c.name)}, nil
}

func carried(ctx context.Context, from, to carry.End) error {
	ctx, cancel := context.WithTimeout(ctx, carryPatience)
	defer cancel()
	return carry.Over(ctx, from, to)
}

// useOther finds a store that a command names: the JSON of one, or the directory of
// one that is encrypted as the client's.
func (c *Client) useOther(named string) (*storeUse, error) {
	cfg := &settings.StoreConfig{Path: named}
	keys := c.keys
	if strings.HasPrefix(named, "{") {
		cfg = new(settings.StoreConfig)
		if err := caddy.StrictUnmarshalJSON([]byte(named), cfg); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if cfg.Kind != "" && cfg.Kind != "file" {
			return nil, fmt.Errorf("store: there is no kind %q; there is: file", cfg.Kind)
		}
		var err error
		if keys, err = encryptionKeys(cfg); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	dir, err := storeDir(cfg)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("store: there is no directory %s", dir)
	}
	c.set.mu.Lock()
	if known := c.set.storeUses[dir]; known != nil { // all records of one place have the same keys
		keys = known.keys
	}
	c.set.mu.Unlock()
	st, err := sharedStore(dir)
	if err != nil {
		return nil, err
	}
	u := &storeUse{store: st, dir: dir, keys: keys}
	done := func() {}
	if file, ok := st.(printableStore).Store.(*store.File); ok {
		done = file.Encrypt(keys)
	}
	u.close = func() {
		done()
		_, _ = stores.Delete(dir)
	}
	return u, nil
}
