package observe

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
)

// causeTokenRejected is why callers get a 401 although there is a token.
const causeTokenRejected = adminapi.CauseTokenRejected

// rejectedInARow is how many answers of an upstream, one after the other, say that it
// will reject the next token, too.
const rejectedInARow = 10

// Rejections are the answers with which upstreams rejected tokens of a client, and which
// callers got. The zero value is ready, and costs little: most clients have none.
type Rejections struct {
	some atomic.Bool // there is a row that an acceptance would end

	mu   sync.Mutex
	last *adminapi.Rejection
	rows map[rejecting]*row
	runs map[string]int // in a row, by host
}

// rejecting is what makes two rejections equal. The error code is the server's to choose.
type rejecting struct {
	upstream string
	status   int
}

// most bounds what callers can make us remember, if they choose the upstream.
const mostRejecting = 32

// Accepted says that an upstream answered a token without rejecting it.
func (r *Rejections) Accepted(host string) {
	if !r.some.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, host)
	r.some.Store(len(r.runs) > 0)
}

// add notes a rejection. It reports whether operators are to be told of it, and how many
// they were not told of.
func (r *Rejections) add(host string, x adminapi.Rejection) (inARow, hushed int, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows, r.runs = make(map[rejecting]*row), make(map[string]int)
	}
	if _, known := r.runs[host]; known || len(r.runs) < mostRejecting {
		r.runs[host]++
	}
	r.some.Store(true)
	x.InARow = max(1, r.runs[host])
	r.last = &x
	kind := rejecting{x.Upstream, x.Status}
	if r.rows[kind] == nil && len(r.rows) >= mostRejecting {
		kind = rejecting{}
	}
	if r.rows[kind] == nil {
		r.rows[kind] = new(row)
	}
	hushed, tell = r.rows[kind].due(x.At)
	return x.InARow, hushed, tell
}

// Last is the last one, nil if there was none; lasting says that the last ten answers of
// an upstream rejected the token.
func (r *Rejections) Last() (last *adminapi.Rejection, lasting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return nil, false
	}
	x := *r.last
	for _, n := range r.runs {
		lasting = lasting || n >= rejectedInARow
	}
	return &x, lasting
}

// Because is the status of the rejection that brought about what an event tells, 0 if
// none did.
func (r *Rejections) Because(e keeper.Event) int {
	if !e.Forced {
		return 0
	}
	if last, _ := r.Last(); last != nil {
		return last.Status
	}
	return http.StatusUnauthorized
}

// longest is how many answers of one upstream in a row rejected the token.
func (r *Rejections) longest() (most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.runs {
		most = max(most, n)
	}
	return most
}

// OfRejection is what is said of a rejection: in the log, in the history and where it lasts.
func OfRejection(client string, x *adminapi.Rejection) cause.Cause {
	answer := strings.TrimSpace(strconv.Itoa(x.Status) + " " + x.Error)
	return cause.Of(causeTokenRejected, "upstream").With("client", client, "origin", x.Upstream, "status", answer)
}

// Rejected tells operators that an upstream rejected a token of a client, not too often.
// All that is in it is fit to print, which the host may not be.
func (n *Counts) Rejected(logger *zap.Logger, events *Emitter, client, host string, x adminapi.Rejection) {
	x.At = time.Now()
	inARow, hushed, tell := n.Rejections.add(host, x)
	if !tell {
		return
	}
	why := OfRejection(client, &x)
	e := Event{
		Event: keeper.Event{
			Kind: finding.TokenRejected, Client: client, At: x.At, Generation: x.Generation, Status: x.Status,
			Trouble: finding.Trouble{Cause: causeTokenRejected, Facts: &finding.Facts{Detail: why.Sentence, Remedy: why.Remedy}},
		},
		Detail: why.Sentence, Remedy: why.Remedy,
	}
	n.History.Add(e)
	more := []zap.Field{zap.String("upstream", x.Upstream), zap.Int("in_a_row", inARow)}
	if x.Error != "" {
		more = append(more, zap.String("error", x.Error))
	}
	if hushed > 0 {
		more = append(more, zap.Int("not_logged", hushed))
	}
	report(logger, e, more...)
	events.Emit(e)
}
