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

// StoreAway tells that a shared store does not answer.
func (m *Emitter) StoreAway(store string, err error) {
	m.tell("store_unavailable", zapcore.ErrorLevel, "store is away", map[string]any{"store": store, "detail": err.Error()})
}

// StoreBack tells that it answers again, which is no event for handlers.
func (m *Emitter) StoreBack(store string) {
	m.logger.Info("store is back", zap.String("store", store))
}

// StoreRolledBack tells that a shared store has lost writes.
func (m *Emitter) StoreRolledBack(store string) {
	m.tell("store_rolled_back", zapcore.ErrorLevel, "store has lost writes that it had acknowledged; nobody refreshes until everybody could write back what is missing", map[string]any{"store": store})
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
