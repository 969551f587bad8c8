// Package replay answers when a request is sent again whose token an upstream rejected, as
// with a 401, and with what body.
//
// It knows requests, their answers, and what the engine says to a rejection. It must not
// know clients, nor how a request is sent.
package replay

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/panics"
)

// keptAnswer is how much of a rejection's body is read before the request is sent
// again: its connection can be used again, and the answer is still there if the
// second attempt cannot be made.
const keptAnswer = 64 << 10

// replayPatience is how long the answer that may be replaced is waited for to its end.
const replayPatience = 5 * time.Second

// Pass is the permission that a request was sent with.
type Pass interface {
	// Wait is how long the request waits for another token.
	Wait() time.Duration

	// Rejected says what to do about the rejection of the token, which may be that there
	// is another one within wait.
	Rejected(wait time.Duration) keeper.Verdict
}

// AfterRejection decides whether a request whose token was rejected, by a 401 or
// what else counts as one, is sent again, and returns it anew if so; with more, it may have to be
// sent once more after that, for another reason.
func AfterRejection(req *http.Request, res *http.Response, p Pass, body *Body, more bool) (*http.Request, bool) {
	wait := p.Wait()
	if HasBody(req) && body == nil { // a rejection upgraded nothing
		wait = 0 // the token is refreshed for the next request
	}
	verdict := p.Rejected(wait)
	if verdict == keeper.Final || verdict == keeper.Renewed && !isIdempotent(req.Method) {
		return nil, false
	}
	return Anew(req, res, body, more)
}

// Anew returns a request that was answered as it is to be sent again, and once more
// after that if need be. It reports false, and leaves the answer as it was, if that
// cannot be.
func Anew(req *http.Request, res *http.Response, body *Body, more bool) (*http.Request, bool) {
	if HasBody(req) && body == nil || !setAside(res) {
		return nil, false
	}
	if body == nil {
		return req, true
	}
	whole, ok := body.again(more)
	if !ok {
		return nil, false
	}
	return body.carried(req, whole, more), true
}

// isIdempotent reports whether a method may be repeated even if the first
// request was acted on (RFC 9110 section 9.2.2).
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// setAside reads the answer that may be replaced and closes it, so that an
// upload it interrupted ends. It reports false, and leaves the answer as it was,
// if the answer is too long for that. Of one that does not end it keeps the
// beginning.
func setAside(res *http.Response) bool {
	var head []byte
	var err error
	read := make(chan struct{})
	go func() {
		defer close(read)
		if bug := panics.Contain(func() { head, err = io.ReadAll(io.LimitReader(res.Body, keptAnswer+1)) }); bug != nil {
			err = bug
		}
	}()
	patience := time.NewTimer(replayPatience)
	defer patience.Stop()
	select {
	case <-read:
	case <-patience.C:
		_ = res.Body.Close() // which ends the reading
		<-read
		head, err = head[:min(len(head), keptAnswer)], nil
		res.ContentLength = int64(len(head))
		res.Header.Set("Content-Length", strconv.Itoa(len(head)))
	}
	if err != nil || len(head) > keptAnswer {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), res.Body), res.Body}
		return false
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(head))
	return true
}
