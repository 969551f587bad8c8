package sharedstore

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// keptVersions is how many versions of an object somebody may still want to write over.
// There is one keeper of a client, and now and then an order beside it.
const keptVersions = 4

// version is an object of one tag. Its revision is this process's: revisions in a store
// repeat after it lost writes, tags do not. So two versions never have one revision
// here, and what was read as one is never written over as another.
type version struct {
	revision uint64
	tag      store.Tag
}

// entry is what is known of a client.
type entry struct {
	mu       sync.Mutex
	versions []version // the newest is the last
	top      uint64    // the highest revision of all versions ever
	changes  int       // counts what follows here, so that a late reader knows that it is one

	// newest is the version that was read or written last, as the store counts.
	newest struct {
		tag      store.Tag
		revision uint64
	}
	own     store.Tag // of the last write of this process that was acknowledged
	damaged store.Tag // of what could not be read, and may be written over

	last    *record.Record // what the newest version says, as long as somebody watches
	lastTag store.Tag

	watchers []*recordstore.Watching
	failed   bool // a call for it failed, because the store was away

	lease *lease    // held or being taken by this process
	holds bool      // it is held
	given []string  // holders whose leases this process does not want any more
	seen  sighting  // of another's lease
	asked time.Time // when it was seen last
	shown bool      // nothing was told since: it may have been given back
}

// tagOf returns the tag of a version that is about to be written over.
func (e *entry) tagOf(revision uint64) (store.Tag, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var tag store.Tag
	found := revision == 0
	for _, v := range e.versions {
		switch v.revision {
		case revision:
			tag, found = v.tag, true
		case revision + 1:
			return "", false // it was written over already
		}
	}
	return tag, found
}

// add notes a version. Called with e.mu held.
func (e *entry) add(revision uint64, tag store.Tag) {
	e.versions = append(e.versions, version{revision, tag})
	if n := len(e.versions) - keptVersions; n > 0 {
		e.versions = append(e.versions[:0], e.versions[n:]...)
	}
	e.top = max(e.top, revision)
}

// revisionOf returns the revision of a version that was read. One that others followed is
// there again because those are lost, and gets a new revision: it may be written over, by
// who has read it since. Called with e.mu held.
func (e *entry) revisionOf(tag store.Tag, stored uint64) uint64 {
	for i, v := range e.versions {
		if v.tag != tag {
			continue
		}
		if v.revision == e.top {
			return v.revision
		}
		e.versions = slices.Delete(e.versions, i, i+1)
		break
	}
	revision := max(stored, e.top+1)
	e.add(revision, tag)
	return revision
}

// wrote notes a write that was acknowledged.
func (e *entry) wrote(rec *record.Record, revision uint64, tag store.Tag) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(revision, tag)
	e.changes++
	e.newest.tag, e.newest.revision = tag, revision
	e.own, e.damaged = tag, ""
	e.remember(rec, tag)
}

// remember keeps what a version says: a refresh reads it three times. Called with e.mu
// held.
func (e *entry) remember(rec *record.Record, tag store.Tag) {
	e.last, e.lastTag = nil, ""
	if len(e.watchers) > 0 {
		e.last, e.lastTag = rec, tag
	}
}

// recall returns what a version says, nil if that is not known.
func (e *entry) recall(name string, tag store.Tag) *record.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil || e.lastTag != tag {
		return nil
	}
	return copyOf(e.last, name, e.revisionOf(tag, 0))
}

// begin returns what finish has to be given once a read is done.
func (e *entry) begin() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changes
}

// met takes over a version that was read, and returns its revision. Something is lost if
// the store counts fewer writes than there were, or as many that ended otherwise. A
// reader that began before the last change tells nothing of that.
func (e *entry) met(rec *record.Record, tag store.Tag, begun int) (revision uint64, lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	revision = e.revisionOf(tag, rec.Revision)
	if e.changes != begun {
		return revision, false
	}
	e.remember(rec, tag)
	if e.newest.tag == tag {
		return revision, false
	}
	n := &e.newest
	lost = n.tag != "" && rec.Revision <= n.revision
	e.changes++
	n.tag, n.revision = tag, rec.Revision
	e.damaged = ""
	return revision, lost
}

// missed notes that the object does not exist. Something is lost if it did.
func (e *entry) missed(begun int) (lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changes != begun {
		return false
	}
	lost = e.newest.tag != ""
	e.changes++
	e.newest.tag, e.newest.revision = "", 0
	e.versions, e.own, e.damaged, e.last = nil, "", "", nil
	return lost
}

// unread notes a version that cannot be read because it is damaged. It may be written
// over only if it is the one that this process wrote: otherwise nobody here knows what
// was in it.
func (e *entry) unread(tag store.Tag, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.damaged = ""; e.own != "" && e.own == tag {
		e.damaged = tag
		return err
	}
	return fmt.Errorf("%w: %w; another process wrote it, and what was in it is not known here", recordstore.ErrForeign, err)
}
