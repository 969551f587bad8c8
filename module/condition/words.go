package condition

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"lamplighter/module/adminapi"
)

// Seconds is a duration of so many seconds, to the second.
func Seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// Roughly is how long something still lasts, as people say it: 3d, 5h, 12m, 7s. What is
// over lasts 0s.
func Roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", max(0, d/time.Second))
}

// Requests says what became of the requests that wanted a token.
func Requests(n adminapi.RequestCounts) string {
	said := []string{fmt.Sprintf("%d sent", n.Sent+n.Replayed)}
	for _, part := range []struct {
		n   uint64
		how string
	}{{n.Replayed, "of them twice"}, {n.Unavailable, "without a token"}, {n.Refused, "refused"}} {
		if part.n > 0 {
			said = append(said, fmt.Sprintf("%d %s", part.n, part.how))
		}
	}
	return strings.Join(said, ", ")
}

// Rejection says how an upstream rejected a token.
func Rejection(x *adminapi.Rejection) string {
	said := fmt.Sprintf("%s answered %d", x.Upstream, x.Status)
	if x.Error != "" {
		said += " " + x.Error
	}
	said += fmt.Sprintf(" to generation %d, at %s", x.Generation, x.At.Local().Format(time.DateTime))
	if x.InARow > 1 {
		said += fmt.Sprintf(" (%d in a row)", x.InARow)
	}
	return said
}

// Store says how the store of a client is that replicas share, "-" if they share none.
func Store(s adminapi.ClientStatus) string {
	switch {
	case s.StoreUp == nil:
		return "-"
	case *s.StoreUp:
		return "there"
	}
	return "away"
}

// Holder says who refreshes a client, of the replicas that share a store; "-" if they
// share none.
func Holder(s adminapi.ClientStatus) string {
	switch {
	case s.StoreUp == nil:
		return "-"
	case s.LeaseHeld:
		return "this process"
	}
	return cmp.Or(s.LeaseHolder, "nobody")
}

// Lease says the same in a sentence.
func Lease(s adminapi.ClientStatus) string {
	switch {
	case s.LeaseHeld:
		return "held by this process"
	case s.LeaseHolder != "":
		return "held by " + s.LeaseHolder + "; this process follows"
	}
	return "free, as far as is known"
}
