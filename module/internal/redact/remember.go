package redact

import (
	"container/list"
	"sync"
)

// What the process remembers is bounded: of so many values, and bytes of them, the
// newest are kept.
const (
	maxRemembered      = 4096
	maxRememberedBytes = 1 << 20
)

var remembered memory

// memory keeps the secrets of the whole process, the newest first. It shares the
// strings with whoever holds them.
type memory struct {
	mu     sync.RWMutex
	places map[string]*list.Element
	values list.List // of string
	bytes  int
}

// Remember makes values secret for the whole process: those of all clients, of
// callers, and what is in flight. Words are none of them: of a client whose secret
// is "secret" or "client_secret" the errors of all others know nothing.
func Remember(values ...string) {
	for _, value := range values {
		for _, v := range parts(value) {
			if len(v) >= minSecret && !isWord(v) {
				remembered.add(v[:min(len(v), maxRememberedBytes/2)])
			}
		}
	}
}

func (m *memory) add(v string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if place := m.places[v]; place != nil {
		m.values.MoveToFront(place)
		return
	}
	if m.places == nil {
		m.places = map[string]*list.Element{}
	}
	m.places[v] = m.values.PushFront(v)
	m.bytes += len(v)
	for len(m.places) > maxRemembered || m.bytes > maxRememberedBytes {
		oldest := m.values.Remove(m.values.Back()).(string)
		delete(m.places, oldest)
		m.bytes -= len(oldest)
	}
}

func (m *memory) empty() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.places) == 0
}

func (m *memory) in(held *grams) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for e := m.values.Front(); e != nil; e = e.Next() {
		if held.part(e.Value.(string)) {
			return true
		}
	}
	return false
}
