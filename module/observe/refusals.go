// Package observe tells operators what happens: log lines, metrics, events and traces.
//
// It is given events and states, as the engine tells them. It must not know clients,
// requests, or what follows.
package observe

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Bounds of what callers can make us log: so many lines at once, and one each
// refusalPause from then on, for each cause.
const (
	refusalBurst = 10
	refusalPause = time.Second
)

// Refusals logs the requests that are refused. Anybody may cause very many of them,
// so that only some get a line, and it says how many had none before it.
type Refusals struct {
	logger *zap.Logger

	mu     sync.Mutex
	causes map[string]*refusedBefore
}

// refusedBefore is a token bucket.
type refusedBefore struct {
	spent    int       // lines since the bucket was full
	at       time.Time // when it last regained one
	unlogged int
}

// NewRefusals returns one that writes to logger.
func NewRefusals(logger *zap.Logger) *Refusals {
	return &Refusals{logger: logger, causes: make(map[string]*refusedBefore)}
}

// Log writes a line, unless there were too many with this cause.
func (r *Refusals) Log(level zapcore.Level, cause, message string, fields ...zap.Field) {
	unlogged, ok := r.take(cause, time.Now())
	if !ok {
		return
	}
	fields = append(fields, zap.String("cause", cause))
	if unlogged > 0 {
		fields = append(fields, zap.Int("not_logged", unlogged))
	}
	r.logger.Log(level, message, fields...)
}

// take reports whether there may be a line now, and how many there were none for.
func (r *Refusals) take(cause string, now time.Time) (unlogged int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.causes[cause]
	if before == nil {
		before = &refusedBefore{at: now}
		r.causes[cause] = before
	}
	if regained := int(now.Sub(before.at) / refusalPause); regained > 0 {
		before.spent = max(0, before.spent-regained)
		before.at = before.at.Add(time.Duration(regained) * refusalPause)
	}
	if before.spent == 0 {
		before.at = now
	}
	if before.spent >= refusalBurst {
		before.unlogged++
		return 0, false
	}
	before.spent++
	unlogged, before.unlogged = before.unlogged, 0
	return unlogged, true
}
