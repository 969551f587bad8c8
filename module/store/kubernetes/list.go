package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"lamplighter/module/store"
)

// Sizes of a page of a list, with the data of objects and without.
const (
	pageWithData = 100
	page         = 500
)

// secrets is a page of a list.
type secrets struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	} `json:"metadata"`
	Items []secret `json:"items"`
}

// List lists objects. With objects named, "all" are those that were asked for so far,
// since a Role cannot grant a list of names.
func (e *engine) List(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	e.know(names...)
	err := e.list(ctx, names, data, yield)
	if err == nil && e.owes() {
		err = e.settle(ctx)
	}
	return e.failed(err)
}

func (e *engine) list(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	if e.conf.named {
		if names == nil {
			names = e.known()
		}
		return e.listEach(ctx, names, data, yield)
	}
	wanted := set(names)
	listed := make(map[string]bool)
	own := e.conf.own()
	return e.pages(ctx, kindKey+" in ("+kindObject+","+kindOwn+")", data, func(s *secret, o store.Object) bool {
		if s.Metadata.Name == own {
			e.heard(s)
		}
		if !e.ours(s, o.Name) || names != nil && !wanted[o.Name] || listed[o.Name] {
			return true
		}
		listed[o.Name] = true
		return yield(o)
	})
}

func set(names []string) map[string]bool {
	in := make(map[string]bool, len(names))
	for _, name := range names {
		in[name] = true
	}
	return in
}

// ours reports whether a listed Secret is that of an object. Others are of another
// prefix, or of no client.
func (e *engine) ours(s *secret, name string) bool {
	return s.written() && name != "" && s.Metadata.Name == e.conf.object(name)
}

// pages reads all Secrets with a label, until yield returns false. The list begins anew
// if it took so long that the rest of it is forgotten: what was read then comes twice.
func (e *engine) pages(ctx context.Context, label string, data bool, yield func(*secret, store.Object) bool) error {
	query := url.Values{"labelSelector": {label}}
	for restarted := false; ; {
		before := e.epoch.newest()
		first := !query.Has("continue")
		list, more, err := e.page(ctx, query, data, yield)
		switch {
		case answered(err) == http.StatusGone && !first && !restarted:
			restarted = true
			query.Del("continue")
			continue
		case err != nil:
			return err
		}
		if first {
			e.saw(before, list.Metadata.ResourceVersion)
		}
		switch next := list.Metadata.Continue; {
		case !more || next == "":
			return nil
		case next == query.Get("continue"):
			return fmt.Errorf("%w: the API server gives the same page again", store.ErrUnavailable)
		default:
			query.Set("continue", next)
		}
	}
}

// page reads one page, and reports whether more is wanted.
func (e *engine) page(ctx context.Context, query url.Values, data bool, yield func(*secret, store.Object) bool) (*secrets, bool, error) {
	c := &call{method: http.MethodGet, of: ofSecrets, query: query, accept: metaList}
	query.Set("limit", strconv.Itoa(page))
	if data {
		c.accept = whole
		query.Set("limit", strconv.Itoa(pageWithData))
	}
	list := new(secrets)
	date, err := e.api.do(ctx, c, list)
	if err != nil {
		return nil, false, err
	}
	for i := range list.Items {
		s := &list.Items[i]
		o := store.Object{Name: s.Metadata.Annotations[nameKey], Tag: tagOf(&s.Metadata), Age: s.Metadata.age(date)}
		if data {
			if o.Data = s.Data[dataKey]; len(o.Data) == 0 {
				o.Name = ""
			}
		}
		if !yield(s, o) {
			return list, false, nil
		}
	}
	return list, true, nil
}

// listEach asks for each object by its name, and for the claims once.
func (e *engine) listEach(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	own, err := e.readListed(ctx, e.conf.own())
	if err != nil {
		return err
	}
	e.heard(own)
	for _, name := range names {
		o, err := e.listOne(ctx, own, name, data)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		}
		if !yield(o) {
			return nil
		}
	}
	return nil
}

func (e *engine) listOne(ctx context.Context, own *secret, name string, data bool) (o store.Object, err error) {
	switch {
	case e.shared(name):
		o, err = part(own, name)
		if !data {
			o.Data = nil
		}
		return o, err
	case data:
		return e.Get(ctx, name)
	}
	s, date, err := e.read(ctx, e.conf.object(name), metadata)
	if err != nil {
		return o, err
	}
	if s.Metadata.Annotations[nameKey] != name || !s.written() {
		return o, store.ErrNotFound
	}
	return store.Object{Name: name, Tag: tagOf(&s.Metadata), Age: s.Metadata.age(date)}, nil
}

// readListed reads a Secret as a list of one, which has the version of the whole store
// too.
func (e *engine) readListed(ctx context.Context, object string) (*secret, error) {
	list, before := new(secrets), e.epoch.newest()
	query := url.Values{"fieldSelector": {"metadata.name=" + object}}
	if _, err := e.api.do(ctx, &call{method: http.MethodGet, of: ofSecrets, query: query}, list); err != nil {
		return nil, err
	}
	e.saw(before, list.Metadata.ResourceVersion)
	if len(list.Items) != 1 {
		return nil, e.unmade(e.conf.empty("Secret", e.conf.own()))
	}
	return &list.Items[0], nil
}
