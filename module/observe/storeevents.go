package observe

import (
	"maps"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LeaseTakenOver tells that a client's lease was taken from a holder that did not renew it.
func (m *Emitter) LeaseTakenOver(client, from string) {
	m.tell("lease_taken", zapcore.WarnLevel, "lease taken over from a replica that did not renew it", map[string]any{"client": client, "from": from})
}

// LeaseLost tells that this process lost a client's lease without giving it back.
func (m *Emitter) LeaseLost(client string, err error) {
	m.tell("lease_lost", zapcore.WarnLevel, "lease lost", map[string]any{"client": client, "detail": err.Error()})
}

// StoreAway tells that a shared store does not answer, denies access or is not safe.
func (m *Emitter) StoreAway(store string, err error) {
	m.tell("store_unavailable", zapcore.ErrorLevel, "store cannot be used", map[string]any{"store": store, "detail": err.Error()})
}

// StoreBack tells that it can be used again, which is no event for handlers.
func (m *Emitter) StoreBack(store string) {
	m.logger.Info("store can be used again", zap.String("store", store))
}

// StoreUnheard tells that a shared store cannot tell of changes, which is no event for
// handlers.
func (m *Emitter) StoreUnheard(store string, err error) {
	m.logger.Warn("store does not tell of changes: versions are compared every second", zap.String("store", store), zap.String("detail", err.Error()))
}

// StoreRolledBack tells that a shared store may have lost writes: it was restarted, or
// another server took its place. If seen is true, one is gone.
func (m *Emitter) StoreRolledBack(store string, seen bool) {
	level, message := zapcore.WarnLevel, "store was restarted or replaced and may have lost writes; nobody refreshes for the length of a lease, in which everybody reads what it has"
	if seen {
		level, message = zapcore.ErrorLevel, "store has lost writes that it had acknowledged; nobody refreshes until everybody could write back what is missing"
	}
	m.tell("store_rolled_back", level, message, map[string]any{"store": store, "seen": seen})
}

// tell logs what happened in a shared store, and queues it for handlers. The data holds no
// secret.
func (m *Emitter) tell(event string, level zapcore.Level, message string, data map[string]any) {
	fields := make([]zap.Field, 0, len(data)+1)
	for _, name := range slices.Sorted(maps.Keys(data)) {
		fields = append(fields, zap.Any(name, data[name]))
	}
	m.logger.Log(level, message, append(fields, zap.String("event", event))...)
	if m.events.ShouldEmit(event) {
		m.queueUp(named{event, data})
	}
}
