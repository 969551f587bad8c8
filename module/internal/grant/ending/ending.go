// Package ending answers when a grant ends by itself: a refresh that is early enough may move
// that end, and one that cannot is told of in time.
//
// It knows refresh tokens with their times, as records have them. It must not know what is
// under way.
package ending

import (
	"time"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Again is the least time between two warnings of a grant's end.
const Again = 24 * time.Hour

// Of is when the grant ends after an answer, zero if it does not, or if nobody knows: as the
// answer says, as was known of a refresh token that it left as it was (nil if it brought a new
// one), or as the settings say of one that is new.
func Of(a *step.Answer, left *record.Token, set *step.Settings, sent time.Time) time.Time {
	switch {
	case a.RefreshExpiresIn > 0:
		return sent.Add(a.RefreshExpiresIn)
	case a.RefreshExpiresIn < 0:
		return time.Time{}
	case left != nil && !left.ExpiresAt.IsZero():
		return left.ExpiresAt
	case set.RefreshTokenExpiresIn > 0:
		return sent.Add(set.RefreshTokenExpiresIn)
	}
	return time.Time{}
}

// RefreshBy is when a refresh may still move the end: at two thirds of the refresh token's own
// life, or a little earlier, as draw (0 to 1) says. That is fixed by its answer: counted anew it
// would recede for ever. Where an answer did not move the end, refreshing early is of no use, and
// ok is false.
func RefreshBy(t *record.Token, draw float64) (by time.Time, ok bool) {
	if t == nil || t.Unmoved() || t.ExpiresAt.IsZero() || t.ObtainedAt.IsZero() {
		return time.Time{}, false
	}
	share := 2.0/3 - draw*when.Jitter
	return t.ObtainedAt.Add(time.Duration(float64(t.ExpiresAt.Sub(t.ObtainedAt)) * share)), true
}

// Soon reports whether no more than a tenth of the life of a grant remains.
func Soon(t *record.Token, now when.Now) bool { return now.Wall >= when.Wall(t.EndsSoon()) }

// Warning is how long it is until the end of a grant is to be told of, again if it was at a
// monotonic moment before, which is 0 if it was not; ok is false if it has ended.
func Warning(t *record.Token, warned int64, now when.Now) (wait time.Duration, ok bool) {
	if when.Wall(t.ExpiresAt) <= now.Wall {
		return 0, false
	}
	wait = time.Duration(when.Wall(t.EndsSoon()) - now.Wall)
	if warned != 0 {
		wait = max(wait, time.Duration(warned-now.Mono)+Again)
	}
	return max(0, wait), true
}

// Past returns when the grant of a refresh token that was presented ended by itself, zero if it
// did not. t is the current one of the record.
func Past(t *record.Token, presented string, now when.Now) time.Time {
	if t == nil || t.RefreshToken != presented || t.ExpiresAt.IsZero() || when.Wall(t.ExpiresAt) > now.Wall {
		return time.Time{}
	}
	return t.ExpiresAt
}
