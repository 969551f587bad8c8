package observe

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
)

// messages are the log messages of events, and how loud they are.
var messages = [...]struct {
	level   zapcore.Level
	message string
}{
	finding.TokenObtained:       {zapcore.InfoLevel, "token obtained"},
	finding.RefreshTokenRotated: {zapcore.DebugLevel, "refresh token rotated"},
	finding.TokenRestored:       {zapcore.InfoLevel, "token restored from its record"},
	finding.TokenRefreshFailed:  {zapcore.WarnLevel, "token request failed"},
	finding.GrantLost:           {zapcore.ErrorLevel, "grant lost"},
	finding.GrantEnds:           {zapcore.WarnLevel, "grant ends soon: a new log-in is needed"},
	finding.SeedRefused:         {zapcore.ErrorLevel, "new refresh token refused"},
	finding.RotationMissing:     {zapcore.WarnLevel, "refresh token was not rotated"},
	finding.LifetimeMissing:     {zapcore.WarnLevel, "token has no usable lifetime"},
	finding.AnswerRemarked:      {zapcore.WarnLevel, "answer is odd, and was kept"},
	finding.StoreFailed:         {zapcore.ErrorLevel, "record cannot be written"},
	finding.StoreRecovered:      {zapcore.InfoLevel, "record is written"},
	finding.RefreshOrdered:      {zapcore.InfoLevel, "refresh ordered"},
	finding.ImportOrdered:       {zapcore.InfoLevel, "import ordered"},
	finding.LoginOrdered:        {zapcore.InfoLevel, "log-in ordered"},
	finding.RevokeOrdered:       {zapcore.InfoLevel, "revocation ordered"},
	finding.OrderRefused:        {zapcore.WarnLevel, "order not carried out"},
	finding.Troubled:            {zapcore.ErrorLevel, "client is not able to work"},
	finding.TokenRejected:       {zapcore.WarnLevel, "an upstream rejects the token"},
}

// Event is what happened to a client, in words.
type Event struct {
	keeper.Event

	// Detail says what is wrong, in a sentence, and Remedy what to do; "" if all is well.
	Detail, Remedy string

	// BecauseOf is the status with which an upstream rejected the token, if that brought
	// the token request about; 0 if not.
	BecauseOf int
}

// InWords puts an event into words.
func InWords(e keeper.Event, about explain.About) Event {
	told := Event{Event: e}
	told.Detail, told.Remedy = explain.OfEvent(e.Kind, e.Trouble, about)
	told.Remedy = adminapi.WithFlags(told.Remedy, about.Flags)
	return told
}

// Equal errors that follow each other are logged at growing intervals.
const (
	repeatMin = time.Minute
	repeatMax = time.Hour
	rowsMax   = 32 // the server chooses its error codes
)

// Reporter logs what happens to a client. Its state is that of one client; calls
// never overlap.
type Reporter struct {
	// Logger is where the lines go.
	Logger *zap.Logger

	rows   map[trouble]*row // since the last success
	began  time.Time        // of the failures in them
	failed int

	// Attended says that somebody waits for the outcome, which says everything
	// but that the record cannot be written.
	Attended bool
}

// row is a row of equal errors. Others may come between them: in an outage a
// timeout often alternates with the 502 of a load balancer.
type row struct {
	pause  time.Duration
	quiet  time.Time // until when an equal error is only counted
	hushed int       // how many were
}

// trouble is what makes two errors equal: details may hold times and counters.
type trouble struct {
	kind   finding.Kind
	cause  string
	status int
}

// Report logs an event, unless it repeats an earlier one too soon. It reports
// whether it did.
func (r *Reporter) Report(e Event) bool {
	if r.Attended && e.Kind != finding.StoreFailed {
		return false
	}
	switch e.Kind {
	case finding.TokenRefreshFailed, finding.StoreFailed:
		return r.failure(e)
	case finding.TokenObtained:
		var more []zap.Field
		if r.failed > 0 {
			more = []zap.Field{zap.Int("after_failures", r.failed), zap.Duration("failing_for", e.At.Sub(r.began).Round(time.Second))}
		}
		r.rows, r.began, r.failed = nil, time.Time{}, 0 // and not the logger, which others use
		report(r.Logger, e, more...)
	default:
		report(r.Logger, e)
	}
	return true
}

func (r *Reporter) failure(e Event) bool {
	if r.failed++; r.failed == 1 {
		r.began = e.At
	}
	now := trouble{e.Kind, e.Trouble.Cause, e.Status}
	equal := r.rows[now]
	if equal == nil {
		if r.rows == nil || len(r.rows) == rowsMax {
			r.rows = make(map[trouble]*row)
		}
		equal = new(row)
		r.rows[now] = equal
	}
	hushed, ok := equal.due(e.At)
	if !ok {
		return false
	}
	var more []zap.Field
	if hushed > 0 {
		more = []zap.Field{zap.Int("not_logged", hushed)}
	}
	report(r.Logger, e, more...)
	return true
}

// due reports whether one more is told of, and how many were not.
func (r *row) due(at time.Time) (hushed int, ok bool) {
	if at.Before(r.quiet) {
		r.hushed++
		return 0, false
	}
	hushed, r.hushed = r.hushed, 0
	r.pause = min(max(2*r.pause, repeatMin), repeatMax)
	r.quiet = at.Add(r.pause)
	return hushed, true
}

// report logs what happened to a client.
func report(logger *zap.Logger, e Event, more ...zap.Field) {
	m := messages[e.Kind]
	entry := logger.Check(m.level, m.message)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("client", e.Client),
		zap.String("event", explain.Event(e.Kind)),
		zap.Uint64("generation", e.Generation),
	}
	add := func(when bool, f zap.Field) {
		if when {
			fields = append(fields, f)
		}
	}
	working := e.Kind == finding.TokenObtained || e.Kind == finding.TokenRestored
	add(working, zap.Duration("expires_in", time.Until(e.ExpiresAt).Round(time.Millisecond)))
	add(working && !e.NextRefresh.IsZero(), zap.Duration("next_refresh_in", time.Until(e.NextRefresh).Round(time.Millisecond)))
	add(e.Duration > 0, zap.Duration("duration", e.Duration))
	add(e.Status > 0, zap.Int("status", e.Status))
	add(e.BecauseOf > 0, zap.Int("because_of", e.BecauseOf))
	add(e.Trouble.Cause != "", zap.String("cause", e.Trouble.Cause))
	add(e.Detail != "", zap.String("detail", e.Detail))
	add(e.Remedy != "", zap.String("remedy", e.Remedy))
	add(e.Kind == finding.GrantEnds, zap.Duration("grant_ends_in", time.Until(e.GrantExpiresAt).Round(time.Second)))
	add(e.Kind == finding.TokenRefreshFailed && e.RetryIn > 0, zap.Duration("retry_in", e.RetryIn.Round(time.Millisecond)))
	entry.Write(append(fields, more...)...)
}
