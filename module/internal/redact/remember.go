package redact

import "sync"

// What the process remembers is bounded: of so many values, and bytes of them, the
// newest are kept.
const (
	maxRemembered      = 4096
	maxRememberedBytes = 1 << 20
)

var remembered memory

// memory keeps the secrets of the whole process. It shares the strings with whoever
// holds them.
type memory struct {
	mu     sync.Mutex
	values []string // oldest first; never written to
	known  map[string]struct{}
	bytes  int
}

// Remember makes values secret for the whole process: those of all clients, of
// callers, and what is in flight.
func Remember(values ...string) { remembered.add(values) }

func (m *memory) add(values []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[string]struct{})
	}
	for _, v := range values {
		if _, known := m.known[v]; known || len(v) < minSecret {
			continue
		}
		m.values = append(m.values, v)
		m.known[v] = struct{}{}
		m.bytes += len(v)
	}
	for len(m.values) > maxRemembered || m.bytes > maxRememberedBytes && len(m.values) > 1 {
		m.bytes -= len(m.values[0])
		delete(m.known, m.values[0])
		m.values = m.values[1:]
	}
}

func (m *memory) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[:len(m.values):len(m.values)]
}
