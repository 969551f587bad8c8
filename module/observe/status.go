package observe

import (
	"math"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/keeper"
)

// Status is how a client is, as operators see it at a time.
func Status(st keeper.Status, about explain.About, now time.Time) adminapi.ClientStatus {
	s := adminapi.ClientStatus{
		Client:     st.Client,
		Token:      st.Token,
		State:      string(st.State),
		Generation: st.Generation,
		ObtainedAt: st.ObtainedAt,
		ExpiresAt:  st.ExpiresAt,
		Cause:      st.Trouble.Cause,
		Unsaved:    st.Unsaved,
		Record:     st.Record,
	}
	s.GrantExpiresAt = st.GrantExpiresAt
	s.Detail, s.Remedy = explain.Of(st.Trouble, about)
	if st.Token == "valid" {
		s.ExpiresIn = math.Round(st.ExpiresAt.Sub(now).Seconds()*1000) / 1000
	}
	if st.Trouble.At != 0 {
		s.Since = time.Unix(0, st.Trouble.At).UTC()
	}
	if st.Planned {
		s.NextRefreshIn = seconds(st.NextAttempt)
	}
	if st.Looks {
		s.NextLookIn = seconds(st.NextLook)
	}
	return s
}

// seconds are those of a duration, to the millisecond.
func seconds(d time.Duration) *float64 {
	s := math.Round(d.Seconds()*1000) / 1000
	return &s
}
