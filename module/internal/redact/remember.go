package redact

import (
	"slices"
	"sync"
)

// What the process remembers is bounded: of so many values, and bytes of them, the
// newest are kept.
const (
	maxRemembered      = 4096
	maxRememberedBytes = 1 << 20
)

var remembered memory

// memory keeps the secrets of the whole process, oldest first. It shares the
// strings with whoever holds them.
type memory struct {
	mu     sync.Mutex
	values []string
	bytes  int
}

// Remember makes values secret for the whole process: those of all clients, of
// callers, and what is in flight.
func Remember(values ...string) { remembered.add(values) }

func (m *memory) add(values []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range values {
		if len(v) < minSecret || slices.Contains(m.values, v) {
			continue
		}
		m.values = append(m.values, v)
		m.bytes += len(v)
	}
	for len(m.values) > maxRemembered || m.bytes > maxRememberedBytes && len(m.values) > 1 {
		m.bytes -= len(m.values[0])
		m.values = m.values[1:]
	}
}

func (m *memory) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[:len(m.values):len(m.values)]
}
