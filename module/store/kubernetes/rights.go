package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"lamplighter/module/store"
)

// Open proves the rights: with each request that will be made, but for writes that are
// only tried (dryRun). It reads the epoch, and makes the Secret of that if it may.
func (e *engine) Open(ctx context.Context) error {
	if err := e.settle(ctx); err != nil {
		return e.failed(err)
	}
	if e.conf.named {
		return e.failed(e.prove(ctx, ofSecrets, url.Values{"fieldSelector": {"metadata.name=" + e.conf.own()}}))
	}
	dry := url.Values{"dryRun": {"All"}, "fieldManager": {manager}}
	probe := meta{Name: e.conf.prefix + "claims.probe"}
	for of, body := range map[resource]any{
		ofSecrets: &secret{APIVersion: "v1", Kind: "Secret", Metadata: probe},
		ofLeases:  &leaseObject{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Metadata: probe},
	} {
		if _, err := e.api.do(ctx, &call{method: http.MethodPost, of: of, query: dry, body: body}, nil); err != nil {
			return e.failed(err)
		}
		if err := e.prove(ctx, of, url.Values{"labelSelector": {kindKey}}); err != nil {
			return e.failed(err)
		}
	}
	return nil
}

// prove tries list, watch, get and patch of Secrets or Leases.
func (e *engine) prove(ctx context.Context, of resource, selector url.Values) error {
	s := &stream{e: e, leases: of == ofLeases, query: selector}
	version, err := s.now(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := e.api.within(ctx)
	defer cancel()
	res, err := s.open(ctx, version)
	if err != nil {
		return err
	}
	res.Body.Close()
	if _, err := e.api.do(ctx, &call{method: http.MethodGet, of: of, object: e.conf.own(), accept: metadata}, nil); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	dry := url.Values{"dryRun": {"All"}, "fieldManager": {manager}}
	_, err = e.api.do(ctx, &call{method: http.MethodPatch, of: of, object: e.conf.own(), query: dry, typ: mergePatch, accept: metadata, body: struct{}{}}, nil)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it may be patched, and is not there: no Lease has that name
	}
	return err
}

// failed says what an error is about, and how rights are granted that are missing.
func (e *engine) failed(err error) error {
	if err == nil {
		return nil
	}
	if answered(err) == http.StatusForbidden && errors.Is(err, store.ErrRefused) {
		return fmt.Errorf("%w; what grants the rights, for kubectl apply -f -: %s", err, e.grant(err.Error()))
	}
	return err
}

// unmade is the error of what should have been made for us and was not.
func (e *engine) unmade(what ...manifest) error {
	return fmt.Errorf("%w: with objects named, somebody has to make it, by kubectl apply -f - of: %s", store.ErrRefused, list(what...))
}
