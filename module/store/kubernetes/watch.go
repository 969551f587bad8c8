package kubernetes

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"lamplighter/module/store"
)

// longestEvent bounds one event: an object's metadata, or a Lease.
const longestEvent = 2 << 20

// briefest is how long a watch lasts that the API server ends in good order, which it
// does after half an hour or more. One that ends sooner, without having told anything,
// is not begun anew at once.
const briefest = time.Second

// stream is one watch: of all Secrets or Leases with our label, or of a single one.
type stream struct {
	e      *engine
	leases bool
	query  url.Values // its selector
	tell   func(news)
}

// news is what a stream tells: that it sees changes from now on, or an event.
type news struct {
	from  *stream
	fresh bool
	event event
}

// event is a change, as the API server tells it.
type event struct {
	Type   string `json:"type"`
	Object struct {
		leaseObject
		status // of an ERROR
	} `json:"object"`
}

// Watch tells of changes. With objects named, there are two streams for each name, on one
// connection.
func (e *engine) Watch(ctx context.Context, names []string, ready func(), changed func(name string)) error {
	e.know(names...)
	ctx, cancel := e.api.within(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	told, failed := make(chan news), make(chan error)
	streams := e.streams(names, func(n news) {
		select {
		case told <- n:
		case <-ctx.Done():
		}
	})
	for _, s := range streams {
		all.Go(func() {
			err := s.run(ctx)
			select {
			case failed <- err:
			case <-ctx.Done():
			}
		})
	}
	wanted, fresh := set(names), make(map[*stream]bool)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-failed:
			return e.failed(err)
		case n := <-told:
			if n.fresh {
				if fresh[n.from] = true; len(fresh) == len(streams) {
					ready()
				}
				continue
			}
			for _, name := range e.changedBy(&n, names) {
				if names == nil || wanted[name] {
					changed(name)
				}
			}
		}
	}
}

// streams are what a watch of these names needs.
func (e *engine) streams(names []string, tell func(news)) (all []*stream) {
	if !e.conf.named {
		for _, kind := range []string{kindObject, kindLease} {
			all = append(all, &stream{e: e, leases: kind == kindLease, query: url.Values{"labelSelector": {kindKey + "=" + kind}}, tell: tell})
		}
		return all
	}
	one := func(object string, leases bool) {
		all = append(all, &stream{e: e, leases: leases, query: url.Values{"fieldSelector": {"metadata.name=" + object}}, tell: tell})
	}
	one(e.conf.own(), false)
	for _, name := range names {
		if !e.shared(name) {
			one(e.conf.object(name), false)
			one(e.conf.object(name), true)
		}
	}
	return all
}

// changedBy are the names that an event is about. That a lease was taken or renewed is
// nothing that anybody waits for.
func (e *engine) changedBy(n *news, names []string) (changed []string) {
	m := &n.event.Object.Metadata
	switch {
	case n.from.leases && n.event.Object.holder() != "" && n.event.Type != "DELETED":
		return nil
	case m.Name == e.conf.own():
		for _, name := range names {
			if e.shared(name) {
				changed = append(changed, name) // which of them, the metadata do not say
			}
		}
		return changed
	}
	if name := m.Annotations[nameKey]; name != "" && e.conf.object(name) == m.Name {
		return []string{name}
	}
	return nil // an object of somebody else, or one that is still empty
}

// run watches until something fails, and goes on where the API server ended a watch in
// good order.
func (s *stream) run(ctx context.Context) error {
	for forgotten := false; ; {
		version, err := s.now(ctx)
		if err != nil {
			return err
		}
		told, err := s.from(ctx, version)
		switch {
		case !isGone(err):
			return err
		case forgotten && !told:
			return fmt.Errorf("%w: the API server forgets versions at once", store.ErrUnavailable)
		}
		forgotten = true
	}
}

// errGone says that changes since a version were forgotten.
var errGone = errors.New("that version is forgotten")

func isGone(err error) bool { return errors.Is(err, errGone) || answered(err) == http.StatusGone }

// call asks for the objects of a stream.
func (s *stream) call(accept string) *call {
	c := &call{method: http.MethodGet, of: ofSecrets, accept: accept, query: maps.Clone(s.query)}
	if s.leases { // which are small, and tell their holder
		c.of, c.accept = ofLeases, whole
	}
	return c
}

// now returns the version that the store has now.
func (s *stream) now(ctx context.Context) (string, error) {
	c := s.call(metaList)
	c.query.Set("limit", "1")
	list, before := new(secrets), s.e.epoch.newest()
	if _, err := s.e.api.do(ctx, c, list); err != nil {
		return "", err
	}
	s.e.saw(before, list.Metadata.ResourceVersion)
	return list.Metadata.ResourceVersion, nil
}

// from watches from a version on, through the orderly ends of watches. told reports
// whether there was any event.
func (s *stream) from(ctx context.Context, version string) (told bool, err error) {
	for first := true; ; first = false {
		began, before := time.Now(), version
		version, err = s.follow(ctx, version, first)
		told = told || version != before
		switch {
		case err != nil:
			return told, err
		case version == before && time.Since(began) < briefest:
			return told, fmt.Errorf("%w: the API server ends watches at once", store.ErrUnavailable)
		}
	}
}

// open begins to watch from a version on. One is always named: an API server may take
// seconds to find out which is the newest.
func (s *stream) open(ctx context.Context, version string) (*http.Response, error) {
	c := s.call(metadata)
	c.query.Set("watch", "true")
	c.query.Set("allowWatchBookmarks", "true")
	c.query.Set("resourceVersion", version)
	res, _, err := s.e.api.open(ctx, c)
	return res, err
}

// follow is one watch. It returns the version up to which it saw changes, and nil when
// the API server ended it in good order.
func (s *stream) follow(ctx context.Context, version string, first bool) (string, error) {
	res, err := s.open(ctx, version)
	if err != nil {
		return version, err
	}
	defer res.Body.Close()
	if first {
		s.tell(news{from: s, fresh: true})
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, longestEvent)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return version, fmt.Errorf("%w: an event cannot be read", store.ErrUnavailable)
		}
		switch {
		case e.Type == "ERROR" && e.Object.Code == http.StatusGone:
			return version, errGone
		case e.Type == "ERROR":
			return version, &refusal{status: e.Object.status, kind: store.ErrUnavailable}
		}
		if v := e.Object.Metadata.ResourceVersion; v != "" {
			version = v
		}
		if e.Type != "BOOKMARK" {
			s.tell(news{from: s, event: e})
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		return version, (&call{method: http.MethodGet}).lost(ctx, true, err)
	}
	return version, nil
}
