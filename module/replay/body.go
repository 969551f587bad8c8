package replay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
)

// Body keeps what was read of a request's body, up to a bound, so that the
// request can be sent again, even while its caller still sends it. It costs nothing
// for requests without a body.
type Body struct {
	source io.ReadCloser
	limit  int64
	first  attempt

	mu      sync.Mutex
	changed sync.Cond     // a read of the source has ended, or the current attempt is another
	current *attempt      // the one that may read, nil if it has let go
	reading bool          // somebody reads the source, and nobody else may
	kept    *bytes.Buffer // what was read and may be wanted; nil when nobody wants it
	err     error         // with which the source ended, io.EOF if it is complete
	last    bool          // no other attempt follows
	closed  bool          // the source
}

// attempt is the body of one of the attempts to send a request.
type attempt struct {
	*Body
	at int // how much of what was kept it has read
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Record keeps so many bytes of a request's body at most, in a copy of the request. The
// body is nil if there is none, or none that may be kept.
func Record(req *http.Request, limit int64) (*http.Request, *Body) {
	if !HasBody(req) || limit == 0 || req.ContentLength > limit {
		return req, nil
	}
	r := &Body{source: req.Body, limit: limit, kept: buffers.Get().(*bytes.Buffer)}
	r.kept.Reset()
	r.changed.L = &r.mu
	r.first.Body = r
	r.current = &r.first
	return r.carried(req, &r.first, true), r
}

var errNotKept = errors.New("the body of the request is not kept, so that it cannot be sent again")

// carried returns a copy of a request with the body of an attempt. With more, net/http may begin
// another: it sends a request again by itself if nothing of it was written, or if the server says
// that it has not looked at it (RFC 9113 section 8.7).
func (r *Body) carried(req *http.Request, by *attempt, more bool) *http.Request {
	out := WithBody(req, by)
	out.GetBody = nil
	if more {
		out.GetBody = func() (io.ReadCloser, error) {
			whole, ok := r.again(true)
			if !ok {
				return nil, errNotKept
			}
			return whole, nil
		}
	}
	return out
}

// WithBody returns a copy of a request with another body.
func WithBody(req *http.Request, body io.ReadCloser) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Body = body
	return out
}

// HasBody reports whether a request has a body.
func HasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// again returns the whole body for a further attempt, after which there may be more:
// what was kept, and then the rest of the source. The attempt before reads no more
// from here on. A read of its that is under way feeds the new one when it ends: the
// source can be neither interrupted nor read by two.
func (r *Body) again(more bool) (*attempt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last || r.kept == nil || r.err != nil && r.err != io.EOF {
		return nil, false
	}
	next := &attempt{Body: r}
	r.current, r.last = next, !more
	return next, true
}

// End says that there will be no further attempt.
func (r *Body) End() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.last = true
	_ = r.unlockAndClose()
}

// Read reads what was kept, and then the source.
func (a *attempt) Read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.current == a && !a.behind() && a.err == nil && a.reading {
		a.changed.Wait()
	}
	switch {
	case a.current != a:
		return 0, http.ErrBodyReadAfterClose
	case a.behind():
		n := copy(p, a.kept.Bytes()[a.at:])
		a.at += n
		return n, nil
	case a.err != nil:
		return 0, a.err
	}
	if a.last {
		a.drop() // nobody else wants it, and this attempt has it
	}
	n, err := a.read(p)
	if a.current != a {
		return 0, http.ErrBodyReadAfterClose
	}
	a.at += n
	return n, err
}

// behind reports whether something was kept that the attempt has not read.
func (a *attempt) behind() bool { return a.kept != nil && a.at < a.kept.Len() }

// Close says that the attempt needs the body no more. The source stays open while
// another may want the rest of it.
func (a *attempt) Close() error {
	a.mu.Lock()
	if a.current == a {
		a.current = nil
		a.changed.Broadcast()
	}
	return a.unlockAndClose()
}

// read reads the source, unlocked meanwhile, and keeps what it read: of another
// attempt that has come meanwhile too. One byte more than may be kept tells whether
// the bound is passed.
func (r *Body) read(p []byte) (n int, err error) {
	if r.kept != nil {
		p = p[:min(int64(len(p)), r.limit-int64(r.kept.Len())+1)]
	}
	r.reading = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.reading, r.err = false, err
		r.changed.Broadcast()
		if r.kept == nil {
			return
		}
		r.kept.Write(p[:n])
		r.last = r.last || int64(r.kept.Len()) > r.limit // and what the present attempt has not read stays
	}()
	return r.source.Read(p)
}

// unlockAndClose closes the source when nobody needs it any more.
func (r *Body) unlockAndClose() error {
	over := r.current == nil && r.last && !r.closed
	if over {
		r.closed = true
		r.drop()
	}
	r.mu.Unlock()
	if !over {
		return nil
	}
	return r.source.Close() // which may wait for a read that is under way
}

// drop gives the buffer back.
func (r *Body) drop() {
	if r.kept != nil {
		buffers.Put(r.kept)
		r.kept = nil
	}
}
