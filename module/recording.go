package module

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// replayPatience is how long a second attempt waits until the first has let go
// of the request's body.
const replayPatience = 5 * time.Second

// recording keeps what was read of a request's body, up to a bound, so that the
// request can be sent again. It costs nothing for requests without a body.
type recording struct {
	source io.ReadCloser
	limit  int64
	turn   chan struct{} // holds one element: whoever took it may read the source
	closed chan struct{} // the first attempt has let go
	once   sync.Once

	kept *bytes.Buffer // guarded by turn; nil once the bound was passed
	err  error         // guarded by turn; the source's end, io.EOF if it is complete

	mu    sync.Mutex
	over  bool // the round trip has ended
	taken bool // a second attempt has the source
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// recordBody puts a recording in place of a request's body, in a copy of the
// request. The recording is nil if there is no body, or none that may be kept.
func recordBody(req *http.Request, limit int64) (*http.Request, *recording) {
	if !hasBody(req) || limit == 0 || req.ContentLength > limit {
		return req, nil
	}
	r := &recording{
		source: req.Body,
		limit:  limit,
		turn:   make(chan struct{}, 1),
		closed: make(chan struct{}),
		kept:   buffers.Get().(*bytes.Buffer),
	}
	r.kept.Reset()
	r.turn <- struct{}{}
	return withBody(req, r), r
}

func withBody(req *http.Request, body io.ReadCloser) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Body = body
	return out
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// Read reads from the source and keeps what it read.
func (r *recording) Read(p []byte) (int, error) {
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	select {
	case <-r.closed:
		return 0, http.ErrBodyReadAfterClose
	default:
	}
	n, err := r.source.Read(p)
	if r.kept != nil {
		if int64(r.kept.Len()+n) > r.limit {
			r.drop()
		} else {
			r.kept.Write(p[:n])
		}
	}
	if err != nil {
		r.err = err
	}
	return n, err
}

// Close says that the first attempt needs the body no more. The source stays
// open while a second attempt may want the rest of it.
func (r *recording) Close() error {
	r.once.Do(func() { close(r.closed) })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over && !r.taken {
		return r.source.Close()
	}
	return nil
}

// end says that there will be no second attempt any more.
func (r *recording) end() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.over = true
	taken := r.taken
	r.mu.Unlock()
	select {
	case <-r.closed:
	default:
		return // still being sent: Close does the rest
	}
	if !taken {
		_ = r.source.Close()
	}
	select {
	case <-r.turn:
		r.drop()
		r.turn <- struct{}{}
	default:
	}
}

// drop gives the buffer back. The caller holds the turn.
func (r *recording) drop() {
	if r.kept != nil {
		buffers.Put(r.kept)
		r.kept = nil
	}
}

// again returns the whole body for a second attempt: what was kept, and then
// the rest of the source. It waits until the first attempt has let go of it.
func (r *recording) again(ctx context.Context) (io.ReadCloser, bool) {
	patience := time.NewTimer(replayPatience)
	defer patience.Stop()
	for _, ready := range []<-chan struct{}{r.closed, r.turn} {
		select {
		case <-ready:
		case <-patience.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
	defer func() { r.turn <- struct{}{} }()
	if r.kept == nil || (r.err != nil && r.err != io.EOF) {
		return nil, false
	}
	r.mu.Lock()
	r.taken = true
	r.mu.Unlock()
	kept := bytes.NewReader(bytes.Clone(r.kept.Bytes()))
	if r.err == io.EOF {
		return struct {
			io.Reader
			io.Closer
		}{kept, r.source}, true
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(kept, r.source), r.source}, true
}
