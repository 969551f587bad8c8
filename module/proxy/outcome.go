package proxy

import (
	"net/http"

	"lamplighter/module/client"
	"lamplighter/module/observe"
	"lamplighter/module/problem"
)

// outcome is what becomes of a request, for metrics and access logs.
type outcome struct {
	is         observe.Outcome
	cause      string // why it was not sent
	generation uint64 // of the token that it was sent with
	ofProof    bool   // its answer is about the proof that went along, and says nothing of the token
}

// sent says that the request goes to its upstream.
func (o *outcome) sent(generation uint64) {
	if o.is = observe.Sent; o.generation != 0 {
		o.is = observe.Replayed
	}
	o.generation = generation
}

// unsent says that it is answered with a problem in its place.
func (o *outcome) unsent(p *problem.Problem) {
	o.is, o.cause, o.generation = observe.Refused, p.Cause, 0
	if p.Status == http.StatusServiceUnavailable {
		o.is = observe.Unavailable
	}
}

// tell counts the request, and sets its placeholders.
func (o *outcome) tell(c *client.Client, values *observe.Placeholders, req *http.Request) {
	c.Count(o.is, o.cause)
	values.Set(req.Context(), o.is, o.generation)
}
