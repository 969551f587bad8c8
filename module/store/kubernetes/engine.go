package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"lamplighter/module/store"
)

// engine is a store in one namespace of a cluster.
type engine struct {
	conf *config
	api  *api
	epoch

	mu    sync.Mutex
	asked map[string]bool // all names so far, for a Role that names them
}

func newEngine(conf config) *engine {
	e := &engine{conf: &conf, asked: make(map[string]bool)}
	e.api = newAPI(e.conf)
	return e
}

// know notes the names that are asked for.
func (e *engine) know(names ...string) {
	if !e.conf.named {
		return // a Role for all names needs none
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range names {
		e.asked[name] = true
	}
}

// known are the names that were asked for.
func (e *engine) known() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := make([]string, 0, len(e.asked))
	for name := range e.asked {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// shared reports whether an object is kept together with others.
func (e *engine) shared(name string) bool {
	_, claims := store.ClaimsPart(name)
	return claims && e.conf.named
}

// Get returns an object as etcd has it.
func (e *engine) Get(ctx context.Context, name string) (store.Object, error) {
	e.know(name)
	s, date, err := e.read(ctx, e.conf.object(name), whole)
	if err != nil {
		return store.Object{}, e.failed(err)
	}
	if e.shared(name) {
		return part(s, name)
	}
	switch err := e.whose(s, name); {
	case err != nil:
		return store.Object{}, err
	case !s.written() || len(s.Data[dataKey]) == 0:
		return store.Object{}, store.ErrNotFound
	}
	return store.Object{Name: name, Data: s.Data[dataKey], Tag: tagOf(&s.Metadata), Age: s.Metadata.age(date)}, nil
}

// read fetches a Secret: without a resourceVersion the newest one is returned.
func (e *engine) read(ctx context.Context, object, accept string) (*secret, time.Time, error) {
	s := new(secret)
	date, err := e.api.do(ctx, &call{method: http.MethodGet, of: ofSecrets, object: object, accept: accept}, s)
	return s, date, err
}

// whose returns an error if a Secret is not the one of that object.
func (e *engine) whose(s *secret, name string) error {
	other := s.Metadata.Annotations[nameKey]
	switch {
	case !s.written() && len(s.Data) > 0:
		return fmt.Errorf("%w: %s has data that lamplighter did not write: give the store another prefix, or remove it", store.ErrRefused, e.Describe(name))
	case s.written() && other != name:
		return fmt.Errorf("%w: %s is that of %.80q: give one of the two another name, or another prefix", store.ErrRefused, e.Describe(name), other)
	}
	return nil
}

// Put writes an object by a patch that names the version it is for. A proxy on the way
// never repeats that method, as it may a PUT.
func (e *engine) Put(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	e.know(name)
	if e.shared(name) {
		tag, err := e.putPart(ctx, name, data, ifTag)
		return tag, e.failed(err)
	}
	if ifTag == "" {
		tag, err := e.create(ctx, name, data)
		return tag, e.failed(err)
	}
	version, id, ok := split(ifTag)
	if !ok {
		return "", store.ErrConflict
	}
	type op map[string]any
	const idPath = "/metadata/annotations/lamplighter~1write"
	m, err := e.patch(ctx, name, jsonPatch, []op{
		{"op": "test", "path": idPath, "value": id},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": version},
		{"op": "replace", "path": idPath, "value": newID()},
		{"op": "add", "path": "/data/" + dataKey, "value": data},
	})
	switch answered(err) {
	case 0:
		if err != nil {
			return "", e.failed(err)
		}
		return tagOf(m), nil
	case http.StatusNotFound:
		err = store.ErrConflict
	case http.StatusUnprocessableEntity: // it is another version, or the write is not valid
		if o, readErr := e.Get(ctx, name); errors.Is(readErr, store.ErrNotFound) || readErr == nil && o.Tag != ifTag {
			err = store.ErrConflict
		}
	}
	return "", e.failed(err)
}

// create writes an object that does not exist.
func (e *engine) create(ctx context.Context, name string, data []byte) (store.Tag, error) {
	if e.conf.named {
		return e.adopt(ctx, name, data)
	}
	m, err := e.post(ctx, &secret{
		Metadata: e.marks(kindObject, name),
		Data:     map[string][]byte{dataKey: data},
	})
	if errors.Is(err, store.ErrConflict) {
		return e.adopt(ctx, name, data)
	}
	if err != nil {
		return "", err
	}
	return tagOf(m), nil
}

// adopt writes an object for the first time whose Secret was made for it.
func (e *engine) adopt(ctx context.Context, name string, data []byte) (store.Tag, error) {
	s, _, err := e.read(ctx, e.conf.object(name), whole)
	switch {
	case errors.Is(err, store.ErrNotFound) && e.conf.named:
		return "", e.unmade(e.conf.empty("Secret", e.conf.object(name)))
	case err != nil:
		return "", gone(err) // it was there a moment ago
	}
	if err := e.whose(s, name); err != nil {
		return "", err
	}
	if s.written() && len(s.Data[dataKey]) > 0 {
		return "", store.ErrConflict
	}
	marks := e.marks(kindObject, name)
	marks.Name, marks.ResourceVersion = "", s.Metadata.ResourceVersion
	m, err := e.patch(ctx, name, mergePatch, &secret{Metadata: marks, Data: map[string][]byte{dataKey: data}})
	if err != nil {
		return "", gone(err)
	}
	return tagOf(m), nil
}

// gone turns the error of a write to what is no longer there into a conflict.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return store.ErrConflict
	}
	return err
}

// marks is what tells our objects, with the ID of a new write.
func (e *engine) marks(kind, name string) meta {
	return meta{
		Name:        e.conf.object(name),
		Labels:      map[string]string{kindKey: kind},
		Annotations: map[string]string{nameKey: name, writeKey: newID()},
	}
}

var asManager = url.Values{"fieldManager": {manager}}

// patch changes the Secret of an object. The body says which version it is for.
func (e *engine) patch(ctx context.Context, name, typ string, body any) (*meta, error) {
	return e.write(ctx, &call{method: http.MethodPatch, object: e.conf.object(name), typ: typ, body: body})
}

// post makes a Secret.
func (e *engine) post(ctx context.Context, s *secret) (*meta, error) {
	s.APIVersion, s.Kind, s.Type = "v1", "Secret", "Opaque"
	m, err := e.write(ctx, &call{method: http.MethodPost, body: s})
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: the namespace does not exist", store.ErrRefused)
	}
	return m, err
}

// write carries out a write of a Secret, and judges the version that it got.
func (e *engine) write(ctx context.Context, c *call) (*meta, error) {
	c.of, c.query, c.accept = ofSecrets, asManager, metadata
	var s secret
	before := e.epoch.newest()
	if _, err := e.api.do(ctx, c, &s); err != nil {
		return nil, err
	}
	if s.Metadata.ResourceVersion == "" {
		return nil, fmt.Errorf("%w: the answer names no version", store.ErrUnknown)
	}
	e.saw(before, s.Metadata.ResourceVersion)
	return &s.Metadata, nil
}

// Describe names the Secret of an object.
func (e *engine) Describe(name string) string {
	namespace, err := e.conf.space()
	if err != nil {
		namespace = "?"
	}
	place := fmt.Sprintf("Secret %s in namespace %s", e.conf.object(name), namespace)
	if e.shared(name) {
		p, _ := store.ClaimsPart(name)
		place = "key " + p + " of " + place
	}
	if server, err := e.conf.server(); err == nil {
		place += " of " + server.Host
	}
	return place
}

// Close ends all calls.
func (e *engine) Close() error {
	e.api.end()
	e.api.http.CloseIdleConnections()
	return nil
}

// Interface guard
var _ store.Engine = (*engine)(nil)
