package sandbox

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault makes token requests go wrong. "Nothing is consumed" means that the
// refresh token is as good as before.
type Fault struct {
	// Kind is one of:
	//
	//	status            answers a JSON error; Status is 500 unless given
	//	html              answers a page, as a gateway does; Status is 502 unless given
	//	redirect          answers 302 to Location
	//	body              answers Body of ContentType; Status is 200 unless given
	//	retry_after       answers 429, or Status, with RetryAfter seconds
	//	cut_before        closes the connection; nothing is consumed
	//	cut_after         exchanges the refresh token, then closes the connection
	//	truncate          exchanges it, then closes the connection amid the answer
	//	delay             waits MS, then goes on as usual
	//	delay_answer      exchanges the refresh token, then waits MS before it answers
	//	no_refresh_token  issues an access token, and keeps the refresh token
	Kind string `json:"kind"`

	// Times is to how many token requests it happens: 1 unless given, -1 for ever.
	Times int `json:"times,omitempty"`

	// Consume makes a kind that answers something of its own exchange the refresh
	// token before, as when a gateway gives up on a server that does not.
	Consume bool `json:"consume,omitempty"`

	Status      int    `json:"status,omitempty"`
	Location    string `json:"location,omitempty"`
	Body        string `json:"body,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	RetryAfter  int    `json:"retry_after,omitempty"` // seconds
	MS          int    `json:"ms,omitempty"`
}

const (
	faultStatus         = "status"
	faultPage           = "html"
	faultRedirect       = "redirect"
	faultBody           = "body"
	faultRetryAfter     = "retry_after"
	faultCutBefore      = "cut_before"
	faultCutAfter       = "cut_after"
	faultTruncate       = "truncate"
	faultDelay          = "delay"
	faultDelayAnswer    = "delay_answer"
	faultNoRefreshToken = "no_refresh_token"
)

// effects says what each kind does to the refresh token, for spectators.
var effects = map[string]string{
	faultStatus:         "answered with an error",
	faultPage:           "answered with a page",
	faultRedirect:       "answered with a redirect",
	faultBody:           "answered with another body",
	faultRetryAfter:     "asked to come back later",
	faultCutBefore:      "closed the connection, nothing is consumed",
	faultCutAfter:       "the answer is lost, and the old refresh token spent",
	faultTruncate:       "the answer is cut, and the old refresh token spent",
	faultDelay:          "waits before it looks at the request",
	faultDelayAnswer:    "waits before it answers",
	faultNoRefreshToken: "answered without a refresh token",
}

// statuses has the kinds that answer something of their own, and their usual
// status.
var statuses = map[string]int{
	faultStatus:     http.StatusInternalServerError,
	faultPage:       http.StatusBadGateway,
	faultRedirect:   http.StatusFound,
	faultBody:       http.StatusOK,
	faultRetryAfter: http.StatusTooManyRequests,
}

// prepare fills in what was not given, and refuses what makes no sense.
func (f *Fault) prepare() error {
	if _, known := effects[f.Kind]; !known {
		return fmt.Errorf("no fault of kind %q; there are: %s", f.Kind, strings.Join(slices.Sorted(maps.Keys(effects)), ", "))
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Times < -1 {
		return fmt.Errorf("times must be positive, or -1 for ever: %d", f.Times)
	}
	usual, answers := statuses[f.Kind]
	if f.Status == 0 {
		f.Status = usual
	}
	if answers && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("no status of an answer: %d", f.Status)
	}
	if f.MS <= 0 && (f.Kind == faultDelay || f.Kind == faultDelayAnswer) {
		return fmt.Errorf("a %s needs ms", f.Kind)
	}
	return nil
}

// nextFault takes the fault of the next token request. Without one it is zero,
// which changes nothing.
func (s *Server) nextFault() Fault {
	s.mu.Lock()
	if len(s.faults) == 0 {
		s.mu.Unlock()
		return Fault{}
	}
	fault := s.faults[0]
	if fault.Times > 0 {
		s.faults[0].Times--
	}
	if s.faults[0].Times == 0 {
		s.faults = s.faults[1:]
	}
	s.state.Faults++
	generation := s.state.Generation
	s.mu.Unlock()
	s.report(EventFault, generation, "%s: %s", fault.Kind, effects[fault.Kind])
	return fault
}

// processes tells whether the request is processed, whatever is answered.
func (f Fault) processes() bool {
	if _, answers := statuses[f.Kind]; answers {
		return f.Consume
	}
	return f.Kind != faultCutBefore
}

// pause waits. A caller that hangs up ends that, and its request is processed
// all the same: servers do not notice.
func (f Fault) pause(ctx context.Context) {
	select {
	case <-time.After(time.Duration(f.MS) * time.Millisecond):
	case <-ctx.Done():
	}
}

// deliver answers, or does not.
func (f Fault) deliver(w http.ResponseWriter, processed answer) {
	switch f.Kind {
	case faultCutBefore, faultCutAfter:
		panic(http.ErrAbortHandler)
	case faultTruncate:
		processed.writeTruncated(w)
	case faultStatus, faultPage, faultRedirect, faultBody, faultRetryAfter:
		f.answer().write(w)
	default:
		processed.write(w)
	}
}

// answer is what the kinds that do not process a request say.
func (f Fault) answer() answer {
	out := refusal{f.Status, "server_error", "a fault was asked for"}.answer()
	switch f.Kind {
	case faultPage:
		out.header["Content-Type"] = "text/html"
		out.body = []byte("<html><head><title>" + strconv.Itoa(f.Status) + "</title></head><body>the gateway has no answer</body></html>\n")
	case faultRedirect:
		out.header["Location"] = f.Location
	case faultBody:
		out.header["Content-Type"] = f.ContentType
		out.body = []byte(f.Body)
	case faultRetryAfter:
		out.header["Retry-After"] = strconv.Itoa(f.RetryAfter)
	}
	return out
}
