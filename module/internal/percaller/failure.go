package percaller

import (
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
)

// Failure says why there is no token. It holds no secret.
type Failure struct {
	// Refused says that it is the subject token that was refused, so that only
	// the caller can mend it.
	Refused bool

	// Misconfigured says that somebody must change the client's settings.
	Misconfigured bool

	Cause, Detail string
	At            time.Time
	RetryAfter    time.Duration

	told string // the remedy that the answer has itself, "" if the usual one is as good
}

// Remedy says what to do about it.
func (f *Failure) Remedy() string {
	switch {
	case f.Refused:
		return cause.Code("caller").Remedy
	case f.told != "":
		return f.told
	case f.Misconfigured:
		return cause.Code("exchange configuration").Remedy
	}
	switch f.Cause {
	case finding.CauseInternal, causeSlow, causeTooMany, causeExpired:
		return cause.Of(f.Cause).Remedy
	}
	return cause.Code("exchange").Remedy
}

// Trouble is the failure as that of the client.
func (f *Failure) Trouble() finding.Trouble {
	t := finding.Trouble{
		Condition: finding.Backoff, Cause: f.Cause, Case: explain.CaseSaid,
		Facts: &finding.Facts{Detail: f.Detail, Remedy: f.Remedy()}, At: f.At.UnixNano(),
	}
	if f.Misconfigured {
		t.Condition = finding.Misconfiguration
	}
	return t
}

// Error names the cause.
func (f *Failure) Error() string { return "no token for this caller: " + f.Cause }

// later is the failure as it is told to who comes later: with what is left of the
// time after which it is worth another request.
func (f *Failure) later(then, now time.Time) *Failure {
	left := *f
	left.RetryAfter = max(time.Second, then.Sub(now))
	return &left
}

// Causes that do not come from the token endpoint's answer.
const (
	causeSlow      = "slow"
	causeTooMany   = "too_many_exchanges"
	causeExpired   = "token_expired"
	causeMalformed = "subject_token_malformed"
)

// slow is why a request is not held any longer.
func slow() *Failure {
	return &Failure{
		Cause: causeSlow, Detail: cause.Of(causeSlow).Sentence,
		At: time.Now(), RetryAfter: time.Second,
	}
}

// tooMany is why an exchange gets no place in the line.
func tooMany(now time.Time) *Failure {
	return &Failure{
		Cause: causeTooMany, Detail: cause.Of(causeTooMany).Sentence,
		At: now.Round(0), RetryAfter: time.Second,
	}
}

// internal is why an exchange that ended in a panic brought nothing.
func internal(err error, now time.Time) *Failure {
	return &Failure{
		Cause: finding.CauseInternal, Detail: "the exchange ended in " + err.Error(),
		At: now.Round(0), RetryAfter: time.Second,
	}
}
