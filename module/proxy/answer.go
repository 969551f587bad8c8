package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/prover"
)

// brokenAnswer is the error of an answer that net/http reads and RFC 9110 does not know.
// Passed on, it would become a panic, or an empty 200, on the way to the caller.
type brokenAnswer struct{ what string }

// Error says what is wrong with the answer.
func (e *brokenAnswer) Error() string { return e.what }

// checkAnswer returns an error for an answer that is none, and closes it.
func checkAnswer(req *http.Request, res *http.Response) error {
	if res.StatusCode >= http.StatusOK && res.StatusCode <= 999 || switches(req, res) {
		return nil
	}
	_ = res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return &brokenAnswer{"the answer switches to a protocol that the request did not ask for"}
	}
	return &brokenAnswer{fmt.Sprintf("the answer has the status %d", res.StatusCode)}
}

// switches reports whether an answer switches protocols as the request asked for it (RFC
// 9110 section 7.8). reverse_proxy passes on no other.
func switches(req *http.Request, res *http.Response) bool {
	asked := upgradeOf(req.Header)
	return res.StatusCode == http.StatusSwitchingProtocols && asked != "" && strings.EqualFold(asked, upgradeOf(res.Header))
}

func upgradeOf(h http.Header) string {
	if len(h["Upgrade"]) == 0 || !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade") {
		return ""
	}
	return h["Upgrade"][0]
}

// breaksHTTP reports whether the error of a round trip is about an answer that came, and
// is no HTTP. net/http has no type for what it cannot read.
func breaksHTTP(err error) bool {
	if isA[*brokenAnswer](err) {
		return true
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isA[net.Error](err) {
		return false
	}
	if withheld, ok := errors.AsType[*withheldError](err); ok {
		err = withheld.error
	}
	text := err.Error()
	return strings.Contains(text, "HTTP/1.x transport connection broken") || strings.Contains(text, "server response headers exceeded")
}

// withheldError is an error of net/http that quotes the token: an upstream sent it back in place
// of an answer.
type withheldError struct{ error }

// Error says what is wrong without what came.
func (e *withheldError) Error() string { return "the answer cannot be read: " + redact.Withheld }

// Unwrap returns the error, for what it is.
func (e *withheldError) Unwrap() error { return e.error }

// withhold returns the error of a request with a token, fit for Caddy to log.
func withhold(err error, t *keeper.Token) error {
	var secrets redact.Secrets
	secrets.Add(t.AccessToken, t.IDToken)
	if err == io.EOF || !secrets.Reveals(err.Error()) { //nolint:errorlint // readers compare it
		return err
	}
	return &withheldError{err}
}

// answerBody is the body of an answer, with errors that are fit to log, and trailers that are for
// the caller.
type answerBody struct {
	io.ReadCloser
	transport *Transport
	res       *http.Response
	token     *keeper.Token
	proved    bool
}

// Read reads from the body.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		err = withhold(err, b.token)
	}
	if err == nil {
		return n, nil
	}
	b.transport.client.Injections().TakeBack(b.res.Trailer, b.token)
	if b.proved {
		prover.WithoutNonce(b.res.Trailer)
	}
	return n, err
}

// bodyOf returns the body of an answer to a request with a token. That of an upgrade is a
// connection, whose bytes nobody quotes.
func (t *Transport) bodyOf(res *http.Response, token *keeper.Token, proved bool) io.ReadCloser {
	if res.StatusCode == http.StatusSwitchingProtocols || res.Body == http.NoBody {
		return res.Body
	}
	return &answerBody{res.Body, t, res, token, proved}
}

// tlsAlert returns the alert with which an upstream ended the handshake, "" if it did not.
func tlsAlert(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}
