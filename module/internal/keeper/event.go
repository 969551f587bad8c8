package keeper

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
)

// Event tells what happened to a client. It holds no secret.
type Event struct {
	Kind       finding.Kind
	Client     string
	At         time.Time
	Generation uint64

	// ExpiresAt and NextRefresh are set when there is a token.
	ExpiresAt   time.Time
	NextRefresh time.Time

	// GrantExpiresAt is when the grant ends by itself, zero if it does not.
	GrantExpiresAt time.Time

	// Duration is how long the token request took, 0 if none was sent.
	Duration time.Duration

	// Status is the HTTP status of the token endpoint's answer, 0 if none.
	Status int

	// Forced says that the token request came about because an upstream had rejected the
	// token.
	Forced bool

	// Trouble is what it is about, if it is no good news.
	Trouble finding.Trouble

	// RetryIn is when the next attempt is due, 0 if none is planned.
	RetryIn time.Duration
}

// eventOf puts into an event what the machine tells. Called with k.mu held.
func (k *Keeper) eventOf(t step.Tell) Event {
	now := k.now()
	rec := k.state.Record()
	e := Event{Kind: t.Kind, Client: k.name, At: now.Time(), Generation: rec.Generation, Trouble: t.Trouble}
	if token := rec.Newest(); token != nil && token.AccessToken != "" {
		e.ExpiresAt = token.ExpiresAt
	}
	e.GrantExpiresAt, _ = k.state.GrantEnds(now)
	if wait, ok := k.state.Planned(now); ok {
		e.NextRefresh, e.RetryIn = now.Time().Add(wait), wait
	}
	e.Forced = k.forced(t.Kind, rec.Generation)
	if t.Answered != nil && k.request != nil {
		e.Duration, e.Status = k.request.took, t.Answered.Status
	}
	return e
}

// forced reports whether what is told of a token request came about because an upstream
// had rejected the token. Called with k.mu held.
func (k *Keeper) forced(kind finding.Kind, generation uint64) bool {
	switch kind {
	case finding.TokenObtained:
		return generation > 0 && k.state.Forced(generation-1) || k.state.Demanded(generation) // which an answer may repeat
	case finding.TokenRefreshFailed, finding.GrantLost:
		return k.state.Demanded(generation)
	default: // nothing else is of a token request
		return false
	}
}
