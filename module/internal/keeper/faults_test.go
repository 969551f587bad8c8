package keeper

import (
	"fmt"
	"time"

	"lamplighter/module/internal/tokenendpoint"
)

// fault is what goes wrong with a request; the zero value is nothing.
type fault struct {
	notSent bool          // no connection
	answer  *answer       // instead of the server's own
	commit  bool          // although answer is set, the server acted
	before  time.Duration // passes before the server acts
	after   time.Duration // passes before it answers
	during  func()        // called before it acts
	twice   int           // something on the way repeats the request; 1: the first answer comes back, 2: the second
	panics  bool          // reading the answer panics
	tamper  func(*answer)
}

func (s *server) script(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.tries + 1
	s.next = func(n int) fault {
		if n -= first; n < len(faults) {
			return faults[n]
		}
		return fault{}
	}
}

// always lets the same go wrong with every request.
func (s *server) always(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = func(int) fault { return f }
}

func (s *server) heal() { s.always(fault{}) }

func dropBefore() fault { a := answerUnanswered(); return fault{answer: &a} }
func dropAfter() fault  { a := answerUnanswered(); return fault{answer: &a, commit: true} }
func notSent() fault    { return fault{notSent: true} }

func truncated() fault {
	a := answerUnanswered()
	a.RefreshToken = "recovered"
	return fault{answer: &a, commit: true}
}

func unavailable(status int, retryAfter time.Duration) fault {
	return fault{answer: &answer{
		Outcome: tokenendpoint.Unavailable, Status: status, Cause: tokenendpoint.CauseServerError,
		Detail: fmt.Sprintf("status %d", status), RetryAfter: retryAfter,
	}}
}

func badGateway() fault {
	f := unavailable(502, 0)
	f.commit = true
	return f
}

func misconfigured() fault {
	return fault{answer: &answer{
		Outcome: tokenendpoint.Misconfigured, Status: 401, Cause: "invalid_client", Detail: "status 401, invalid_client",
	}}
}

func refuses() fault {
	return fault{answer: &answer{
		Outcome: tokenendpoint.Refused, Status: 400, Cause: "invalid_grant", Detail: "status 400, invalid_grant",
	}}
}

func answerNotSent(cause string) answer {
	return answer{Outcome: tokenendpoint.NotSent, Cause: cause, Detail: "nothing was sent"}
}

func answerUnanswered() answer {
	return answer{Outcome: tokenendpoint.Unanswered, Cause: tokenendpoint.CauseNoAnswer, Detail: "no answer"}
}
