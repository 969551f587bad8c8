// Package ledger remembers, on this machine, whose refresh tokens were spent that a
// configuration may still name, whatever store their records are in: a record knows
// that of its own, and a change of the store leaves the record behind.
//
// It is a small file of lines, for as many processes as there are, and a memory of
// this one. It is best effort: what cannot be written is known to this process only,
// and the oldest is forgotten. It holds no secret.
package ledger

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"lamplighter/module/internal/record"
)

// Said is what became of a refresh token.
type Said string

// What may become of one.
const (
	Consumed Said = "consumed" // an answer brought another one in its place
	Refused  Said = "refused"  // by the server of its binding
	Free     Said = "free"     // it turned out to be neither
)

// Entry is what is known of a refresh token.
type Entry struct {
	Token   record.Fingerprint `json:"token"`
	Said    Said               `json:"said"`
	Binding record.Fingerprint `json:"binding"`
	Client  string             `json:"client"`
	Place   string             `json:"place"` // of the client's record, for people
	Store   string             `json:"store"` // it is in, in the words of a command

	// Key is the file of the key that the records of that store are encrypted with, ""
	// if there is none, or if Store says so itself.
	Key string `json:"key,omitempty"`
}

// kept is how many entries are kept, the newest.
const kept = 16384

// Ledger is one file of entries. The zero value is not fit for use.
type Ledger struct {
	path string

	mu    sync.Mutex
	known map[record.Fingerprint]fact
	keys  map[string]string // by store
	store string            // of the last entry
	next  int32             // number of the last entry
	read  int64             // bytes of the file that are known
	file  fs.FileInfo       // of the file that was read
	lines int               // in it
	fault error             // of the last attempt to write
}

// fact is an entry as it is remembered. There may be very many.
type fact struct {
	number  int32
	said    uint8 // its place in words
	binding record.Fingerprint
	client  string
	place   string // "" for that of a file
	store   string
}

var words = []Said{Consumed, Refused, Free}

func (f fact) entry(token record.Fingerprint) Entry {
	e := Entry{Token: token, Said: words[f.said], Binding: f.binding, Client: f.client, Place: f.place, Store: f.store}
	if e.Place == "" {
		e.Place = fileOf(e)
	}
	return e
}

// fileOf is the place of a client's record in a directory.
func fileOf(e Entry) string { return filepath.Join(e.Store, e.Client+".json") }

// New returns the ledger in a file, which is made when there is something to write.
func New(path string) *Ledger {
	return &Ledger{path: path, known: make(map[record.Fingerprint]fact), keys: make(map[string]string)}
}

// Of returns what is known of a refresh token, of other processes too.
func (l *Ledger) Of(token record.Fingerprint) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.readNew() // what cannot be read is not known
	f, ok := l.known[token]
	if !ok {
		return Entry{}, false
	}
	e := l.entry(token, f)
	return e, e.Said != Free
}

// entry is what is remembered of a token. Called with l.mu held.
func (l *Ledger) entry(token record.Fingerprint, f fact) Entry {
	e := f.entry(token)
	e.Key = l.keys[e.Store]
	return e
}

// KeyOf returns the file of the key that the records of a store are encrypted with, "" if
// nobody knows.
func (l *Ledger) KeyOf(store string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.readNew() // what cannot be read is not known
	return l.keys[store]
}

// Clients returns of each client the last entry of a refresh token that was consumed.
func (l *Ledger) Clients() map[string]*Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.readNew() // what cannot be read is not known
	last := make(map[string]*Entry)
	for _, e := range l.inOrder() {
		if e.Said == Consumed {
			last[e.Client] = &e
		}
	}
	return last
}

// Note adds an entry, unless it is the last one of its token. Of a token that nobody
// knows anything of, old ones are not added when the ledger is full, nor that it is
// free.
func (l *Ledger) Note(e Entry, old bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.known[e.Token]
	if !ok && l.read == 0 {
		_ = l.readNew()
		last, ok = l.known[e.Token]
	}
	if ok && l.entry(e.Token, last) == e || !ok && (e.Said == Free || old && len(l.known) >= kept) {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		err = l.append(append(line, '\n'))
	}
	l.fault = err
	l.remember(e)
}

// Fault returns why the last entry could not be written, nil if it could.
func (l *Ledger) Fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// Usable returns why nothing can be added, nil if it can. It adds nothing, and what is not there
// yet is made when it is needed.
func (l *Ledger) Usable() error {
	for _, name := range []string{l.path, l.path + ".lock"} {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
		if err == nil {
			_ = file.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	probe, err := os.CreateTemp(filepath.Dir(l.path), "probe-*")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// remember takes over an entry, and forgets the oldest ones. Called with l.mu held.
func (l *Ledger) remember(e Entry) {
	said := max(0, slices.Index(words, e.Said)) // a later version's word speaks against it, too
	if e.Place == fileOf(e) {
		e.Place = ""
	}
	if e.Store == l.store {
		e.Store = l.store // which takes no memory
	}
	l.store = e.Store
	if delete(l.keys, e.Store); e.Key != "" {
		l.keys[e.Store] = e.Key
	}
	l.next++
	l.known[e.Token] = fact{number: l.next, said: uint8(said), binding: e.Binding, client: e.Client, place: e.Place, store: e.Store} //nolint:gosec // it is one of three
	if len(l.known) <= kept+kept/8 {
		return
	}
	for _, old := range l.inOrder()[:len(l.known)-kept] {
		delete(l.known, old.Token)
	}
}

// inOrder returns the entries, the newest last.
func (l *Ledger) inOrder() []Entry {
	tokens := slices.SortedFunc(maps.Keys(l.known), func(a, b record.Fingerprint) int { return cmp.Compare(l.known[a].number, l.known[b].number) })
	all := make([]Entry, len(tokens))
	for i, token := range tokens {
		all[i] = l.entry(token, l.known[token])
	}
	return all
}

// readNew reads what was added to the file since. Called with l.mu held.
func (l *Ledger) readNew() error {
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fs.ErrInvalid)
	}
	if l.file == nil || !os.SameFile(l.file, info) || info.Size() < l.read {
		l.read, l.lines = 0, 0 // another one, written anew
	}
	l.file = info
	if info.Size() == l.read {
		return nil
	}
	if _, err := file.Seek(l.read, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // a line that has no end yet is read the next time
		}
		l.read += int64(len(line))
		l.lines++
		var e Entry
		if json.Unmarshal(bytes.TrimSpace(line), &e) == nil && e.Token != 0 {
			l.remember(e)
		}
	}
}

// Who waits for the lock waits for another process to write a line.
const (
	lockWait = time.Second
	lockPoll = 5 * time.Millisecond
)

// append adds a line, under the lock of all processes. Called with l.mu held.
func (l *Ledger) append(line []byte) error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	lock := flock.New(l.path+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }()
	_ = l.readNew()
	if l.lines >= 2*kept {
		if err := l.compact(); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(line)
	return errors.Join(err, file.Close())
}

// compact writes the file anew with what is known. Called with the lock.
func (l *Ledger) compact() error {
	var all bytes.Buffer
	for _, e := range l.inOrder() {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		all.Write(append(line, '\n'))
	}
	temp := l.path + ".tmp"
	if err := os.WriteFile(temp, all.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(temp, l.path); err != nil {
		return err
	}
	l.file, l.read, l.lines = nil, 0, 0
	return nil
}
