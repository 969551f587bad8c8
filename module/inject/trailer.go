package inject

import (
	"io"
	"net/http"
)

// withoutCredentialTrailers keeps callers from sending a credential behind the
// body, where some servers take it for a header. out is a copy of a request.
//
// Trailers come with the end of the body, announced or not, and Caddy puts them
// into the request's map then: the transport writes them right afterwards.
func (in *Injector) withoutCredentialTrailers(out *http.Request) {
	if out.Trailer == nil || out.Body == nil || out.Body == http.NoBody {
		return
	}
	in.cleanTrailer(out.Trailer)
	out.Body = &cleanTrailerBody{out.Body, out.Trailer, in}
}

type cleanTrailerBody struct {
	io.ReadCloser
	trailer http.Header
	in      *Injector
}

// Read reads the body, and cleans the trailers when they are there.
func (b *cleanTrailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.in.cleanTrailer(b.trailer)
	}
	return n, err
}

func (in *Injector) cleanTrailer(trailer http.Header) {
	for key := range trailer {
		if alikeHeader(key, "Authorization") || alikeHeader(key, "Proxy-Authorization") || alikeHeader(key, ProofHeader) || isOurs(key) {
			delete(trailer, key)
			continue
		}
		if in.subject.isHeader(key) {
			delete(trailer, key)
			continue
		}
		if alikeHeader(key, "Cookie") {
			in.cleanCookieTrailer(trailer, key)
		}
		for i := range in.places {
			if in.places[i].In == "header" && alikeHeader(key, in.places[i].Name) {
				delete(trailer, key)
			}
		}
	}
}

// cleanCookieTrailer takes out the cookies that a token goes into, or came by.
func (in *Injector) cleanCookieTrailer(trailer http.Header, key string) {
	lines := trailer[key]
	for i := range in.places {
		if in.places[i].In == "cookie" {
			lines = withoutCookies(lines, in.places[i].reading)
		}
	}
	lines = in.subject.withoutCookies(lines)
	if trailer[key] = lines; len(lines) == 0 {
		delete(trailer, key)
	}
}
