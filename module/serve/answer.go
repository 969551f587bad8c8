package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/keeper"
)

// rendered is what an answer says of a token, whoever asks.
type rendered struct {
	token      *keeper.Token
	generation string
	header     http.Header
}

// of returns what is said of a token.
func (t *Token) of(token *keeper.Token) *rendered {
	if r := t.rendered.Load(); r != nil && r.token == token {
		return r
	}
	r := &rendered{token: token, generation: token.Mark(), header: make(http.Header)}
	r.header.Set(headerGeneration, r.generation)
	r.header.Set("Vary", "Accept, "+t.Vary())
	t.client.Injections().HandOut(r.header, token)
	t.rendered.Store(r)
	return r
}

// body is an answer of RFC 6749 section 5.1.
type body struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
	IDToken     string `json:"id_token,omitempty"`
}

// answer writes the token. retry is when another one may be forced in its place, if that was
// asked for.
func (t *Token) answer(w http.ResponseWriter, token *keeper.Token, asJSON bool, retry time.Duration) {
	left := time.Until(token.ExpiresAt)
	h := w.Header()
	maps.Copy(h, t.of(token).header)
	h.Set("Cache-Control", t.cacheControl(left))
	if retry > 0 {
		h.Set(headerForced, fmt.Sprintf("no; retry=%d", int(math.Ceil(retry.Seconds()))))
	}
	var text bytes.Buffer
	if asJSON {
		b := body{AccessToken: token.AccessToken, TokenType: token.TokenType, ExpiresIn: int64(max(0, left) / time.Second), Scope: token.Scope}
		if b.TokenType == "" {
			b.TokenType = "Bearer"
		}
		if t.idToken {
			b.IDToken = token.IDToken
		}
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(b) // of strings and a number
		h.Set("Content-Type", "application/json")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	h.Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text.Bytes())
}

// cacheControl says how long an answer may be kept: at most until the next refresh, but for a
// second, for an answer that is kept no longer than that is of no use.
func (t *Token) cacheControl(left time.Duration) string {
	if t.Cache == nil || left < 2*time.Second {
		return "no-store"
	}
	age := min(time.Duration(t.Cache.Max), left)
	if next, planned := t.client.NextRefresh(); planned {
		age = min(age, next)
	}
	return fmt.Sprintf("max-age=%d", max(1, int(age/time.Second)))
}

// wantsJSON reports whether a request asks for JSON by name.
func wantsJSON(h http.Header) bool {
	for _, value := range h.Values("Accept") {
		for part := range strings.SplitSeq(value, ",") {
			media, parameters, err := mime.ParseMediaType(part)
			if err != nil || media != "application/json" {
				continue
			}
			if q, err := strconv.ParseFloat(parameters["q"], 64); err != nil || q > 0 {
				return true
			}
		}
	}
	return false
}

// leaveBody answers without the body of a request, which may never come: proxies ask with the
// headers of their callers. What does come is not taken for a request.
func leaveBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ProtoMajor != 1 {
		return
	}
	if http.NewResponseController(w).EnableFullDuplex() == nil {
		w.Header().Set("Connection", "close")
	}
}
