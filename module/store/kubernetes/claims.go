package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"lamplighter/module/store"
)

// With objects named, all claims are in one Secret: each part is one key of its data, the
// ID of its last write in the first line and its bytes after that. A part has a version
// of its own, so a write of another part is no conflict.

// partTries bounds how often a write of one part is tried while others are written.
const partTries = 16

func partOf(s *secret, name string) (id string, data []byte) {
	key, _ := store.ClaimsPart(name)
	line, data, _ := bytes.Cut(s.Data[key], []byte{'\n'})
	return string(line), data
}

// part returns one part of the claims.
func part(s *secret, name string) (store.Object, error) {
	id, data := partOf(s, name)
	if len(data) == 0 {
		return store.Object{}, fmt.Errorf("%q: %w", name, store.ErrNotFound)
	}
	return store.Object{Name: name, Data: data, Tag: store.Tag(id), Age: store.UnknownAge}, nil
}

// putPart writes one part of the claims.
func (e *engine) putPart(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	key, _ := store.ClaimsPart(name)
	for range partTries {
		s, _, err := e.read(ctx, e.conf.own(), whole)
		if err != nil {
			return "", err
		}
		id, old := partOf(s, name)
		if len(old) == 0 {
			id = ""
		}
		if store.Tag(id) != ifTag {
			return "", store.ErrConflict
		}
		next := newID()
		_, err = e.patch(ctx, name, mergePatch, &secret{
			Metadata: meta{ResourceVersion: s.Metadata.ResourceVersion},
			Data:     map[string][]byte{key: slices.Concat([]byte(next+"\n"), data)},
		})
		if err == nil {
			return store.Tag(next), nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return "", gone(err)
		}
	}
	return "", fmt.Errorf("%w: others write claims all the time", store.ErrUnavailable)
}
