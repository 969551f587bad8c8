package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"sync"
	"time"

	"lamplighter/module/store"
)

// Place is the server of engines in memory: what they share.
type Place struct {
	mu      sync.Mutex
	count   int // of versions; a tag is never given twice, whatever was lost
	epoch   int
	objects map[string]version
	leases  map[string]store.Held
	watches map[*watch]bool
	sees    func(name string, data []byte) // writes
	now     func() time.Time
}

// version is an object as it is kept.
type version struct {
	data []byte
	tag  store.Tag
	at   time.Time
}

// NewPlace returns an empty place.
func NewPlace() *Place {
	return &Place{now: time.Now, objects: make(map[string]version), leases: make(map[string]store.Held), watches: make(map[*watch]bool)}
}

// Engine returns an engine for the place, which has no faults yet.
func (p *Place) Engine() *Memory { return &Memory{place: p, broken: make(chan struct{})} }

// OnPut has a function see each write that is carried out. It must not call the place.
func (p *Place) OnPut(see func(name string, data []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sees = see
}

// Clock is what the place tells ages by. Default: time.Now.
func (p *Place) Clock(now func() time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = now
}

// Snapshot returns a function that makes the place what it is now, as a restored backup
// does, or a failover to a replica that was behind. Leases are lost with the writes. The
// epoch tells of it only if that is wanted.
func (p *Place) Snapshot() (restore func(tell bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	objects, leases := maps.Clone(p.objects), maps.Clone(p.leases)
	return func(tell bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.objects, p.leases = maps.Clone(objects), maps.Clone(leases)
		if tell {
			p.epoch++
		}
	}
}

// Empty takes everything away.
func (p *Place) Empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.objects)
	clear(p.leases)
}

// Cut breaks the watches of all engines.
func (p *Place) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.watches {
		w.end()
	}
}

// Damage writes over an object as nobody does who knows the contract: with its tag left as
// it is, or with another one. It is not told.
func (p *Place) Damage(name string, data []byte, sameTag bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.objects[name]
	if v.data = data; !sameTag {
		v.tag = p.tag()
	}
	p.objects[name] = v
}

// tag returns a new one. Called with p.mu held.
func (p *Place) tag() store.Tag {
	p.count++
	return store.Tag(fmt.Sprintf("v%d", p.count))
}

func (p *Place) get(name string) (store.Object, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.objects[name]
	if !ok {
		return store.Object{}, fmt.Errorf("%q: %w", name, store.ErrNotFound)
	}
	return p.object(name, v), nil
}

// object is a version as it is handed out. Called with p.mu held.
func (p *Place) object(name string, v version) store.Object {
	return store.Object{Name: name, Data: bytes.Clone(v.data), Tag: v.tag, Age: p.now().Sub(v.at)}
}

func (p *Place) write(name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.objects[name].tag != ifTag {
		return "", fmt.Errorf("%q: %w", name, store.ErrConflict)
	}
	v := version{data: data, tag: p.tag(), at: p.now()}
	p.objects[name] = v
	if p.sees != nil {
		p.sees(name, data)
	}
	p.tell(name)
	return v.tag, nil
}

// all returns the objects of these names, or all.
func (p *Place) all(names []string) (found []store.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if names == nil {
		for name := range p.objects {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if v, ok := p.objects[name]; ok {
			found = append(found, p.object(name, v))
		}
	}
	return found
}

// acquire reports whether the holder has the lease now, and else who has.
func (p *Place) acquire(name, holder string, over store.Tag) (bool, store.Held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held := p.leases[name]; held.Tag != "" && held.Holder != holder && held.Tag != over {
		return false, held
	}
	p.leases[name] = store.Held{Holder: holder, Tag: p.tag()}
	return true, store.Held{}
}

func (p *Place) renew(name, holder string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leases[name].Holder != holder {
		return fmt.Errorf("lease of %q: %w", name, store.ErrConflict)
	}
	p.leases[name] = store.Held{Holder: holder, Tag: p.tag()}
	return nil
}

func (p *Place) release(name, holder string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leases[name].Holder == holder {
		delete(p.leases, name)
		p.tell(name)
	}
	return nil
}

func (p *Place) era() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("epoch %d", p.epoch)
}

// tell tells those who watch. Called with p.mu held.
func (p *Place) tell(name string) {
	for w := range p.watches {
		if w.names[name] {
			select {
			case w.news <- name:
			default: // a watch may miss changes
			}
		}
	}
}

// watch is one Watch under way.
type watch struct {
	names map[string]bool
	news  chan string
	ended chan struct{}
	once  sync.Once
}

func (w *watch) end() { w.once.Do(func() { close(w.ended) }) }

func (p *Place) watch(names []string) (w *watch, leave func()) {
	w = &watch{names: make(map[string]bool), news: make(chan string, 100), ended: make(chan struct{})}
	for _, name := range names {
		w.names[name] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches[w] = true
	return w, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watches, w)
	}
}
