package proxy

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/internal/keeper"
)

// What upstreams repeat of a token that goes into the query or a cookie is taken out of their
// answers here, before callers and logs see it: see inject.Injections.TakeBack.

// takeBack does so with the headers of an answer. If that is a redirect, its body goes as well: it
// is a note with the same URL (RFC 9110 section 15.4), for who follows no redirects.
func (t *Transport) takeBack(res *http.Response, token *keeper.Token) {
	if !t.client.Injections().TakeBack(res.Header, token) || !redirects(res.StatusCode) {
		return
	}
	_ = res.Body.Close()
	res.Body, res.ContentLength, res.TransferEncoding, res.Trailer = http.NoBody, 0, nil, nil
	withoutNote(res.Header)
}

// watchEarly returns a request of which answers before the answer are cleaned, before reverse_proxy
// passes them on.
func (t *Transport) watchEarly(out *http.Request, token *keeper.Token) *http.Request {
	early := func(_ int, header textproto.MIMEHeader) error {
		t.client.Injections().TakeBack(http.Header(header), token)
		return nil
	}
	return out.WithContext(httptrace.WithClientTrace(out.Context(), &httptrace.ClientTrace{Got1xxResponse: early}))
}

func redirects(status int) bool { return status/100 == 3 }

// withoutNote takes out of the headers of an answer what they say of its body.
func withoutNote(h http.Header) {
	for _, name := range []string{"Content-Encoding", "Content-Language", "Content-Length", "Content-Type"} {
		delete(h, name)
	}
}

// answerWatcher tells when the response headers are there, and takes back what they, and the
// trailers, repeat of the token.
type answerWatcher struct {
	*caddyhttp.ResponseWriterWrapper
	answered func()
	takeBack func(http.Header) bool
	begun    bool // the headers of the answer are written
	muted    bool // its body is not passed on
}

// WriteHeader passes a status on. Informational ones are no answer yet.
func (w *answerWatcher) WriteHeader(status int) {
	found := w.takeBack(w.Header())
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.answered()
		if !w.begun && found && redirects(status) {
			w.muted = true
			withoutNote(w.Header())
		}
		w.begun = true
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

// begin writes the status that is meant if nobody wrote one.
func (w *answerWatcher) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
}

// Write is an answer even if nobody wrote a status.
func (w *answerWatcher) Write(b []byte) (int, error) {
	if w.begin(); w.muted {
		return len(b), nil
	}
	return w.ResponseWriterWrapper.Write(b)
}

// ReadFrom is Write of all that a reader has.
func (w *answerWatcher) ReadFrom(r io.Reader) (int64, error) {
	if w.begin(); w.muted {
		return io.Copy(io.Discard, r)
	}
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError writes the headers, too.
func (w *answerWatcher) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}
