package tokenendpoint

import (
	"fmt"
	"strings"
	"time"
)

// hold returns what an answer holds: the tokens first, and then how long they
// live. It is complete before anybody describes the answer, so that no odd word in
// it costs a token. own are the values of the request, which are no new tokens.
func (c *Client) hold(r *reply, sentAt time.Time, own map[string]bool) Answer {
	a := Answer{
		Status: r.status, SentAt: sentAt, RetryAfter: c.retryAfter(r.header),
		Outcome: Unanswered, Cause: CauseInternal, Detail: "the answer could not be described",
	}
	if !r.succeeded() && !c.issued(r) {
		return a
	}
	c.findTokens(&a, r, own)
	c.holdEnd(&a, r)
	// An answer that was cut off is good enough if what counts had arrived.
	if a.AccessToken == "" || r.err != nil && a.RefreshToken == "" && !c.dialect.IgnoreRefreshToken {
		a.AccessToken, a.IDToken = "", ""
		return a
	}
	c.holdAccessToken(&a, r)
	return a
}

// issued reports whether an answer that is no success by its status holds tokens
// all the same, and no error. One of them alone may be part of a message about
// what was wrong with the request.
func (c *Client) issued(r *reply) bool {
	return r.whole() && !c.dialect.IgnoreRefreshToken && r.answerError(c.dialect.ErrorPath).code == "" &&
		r.findToken(c.dialect.RefreshTokenPath) != "" && r.findToken(c.dialect.AccessTokenPath) != ""
}

// findTokens finds them where the dialect says, or else where they may be hidden.
func (c *Client) findTokens(a *Answer, r *reply, own map[string]bool) {
	d := &c.dialect
	a.AccessToken, a.IDToken = r.findToken(d.AccessTokenPath), r.findToken(d.IDTokenPath)
	if !d.IgnoreRefreshToken {
		a.RefreshToken = r.findToken(d.RefreshTokenPath)
		if twin := r.twin(d.RefreshTokenPath, own); twin != "" && own[a.RefreshToken] {
			a.RefreshToken = twin
			a.remark("the answer holds two refresh tokens under one name; the one that was not presented is used", oneRefreshToken)
		}
		if member := r.findToken(refreshTokenMember); a.RefreshToken == "" && member != "" && !own[member] {
			a.RefreshToken = member
			a.remark(fmt.Sprintf("refresh_token_path %s yields nothing; the member %s is used", d.RefreshTokenPath, refreshTokenMember), correctThePath)
		}
		if member, token := r.besideAccessToken(d.AccessTokenPath, d.RefreshTokenPath); a.RefreshToken == "" && token != "" && !own[token] {
			a.RefreshToken = token
			a.remark(fmt.Sprintf("refresh_token_path %s yields nothing; the member %s is used", d.RefreshTokenPath, member), correctThePath)
		}
	}
	// A whole answer that has its access token where it should be hides nothing.
	if r.whole() && (d.IgnoreRefreshToken || a.RefreshToken != "" || a.AccessToken != "") {
		return
	}
	h := c.hidden(r, own)
	if h.refreshToken != "" {
		a.RefreshToken = h.refreshToken
	}
	if h.otherRotation {
		a.remark("the answer holds more than one refresh token; the last that came with an access token is used", oneRefreshToken)
	}
	if !r.whole() && h.accessToken != "" && (h.refreshToken != "" || a.AccessToken == "") {
		a.AccessToken = h.accessToken
		r.tree, r.err = h.in, nil
		a.IDToken = r.findToken(d.IDTokenPath)
	}
}

// twin returns a token that stood under a name that a later member repeats.
func (r *reply) twin(path string, own map[string]bool) string {
	for name := range strings.SplitSeq(lastNames(path), "|") {
		for _, value := range r.twins[name] {
			if token := tokenOf(value); token != "" && !own[token] {
				return token
			}
		}
	}
	return ""
}

const refreshTokenMember = "refresh_token" // RFC 6749 section 5.1

// holdAccessToken fills in what came with an access token.
func (c *Client) holdAccessToken(a *Answer, r *reply) {
	a.Outcome, a.Cause, a.Detail = Granted, "", ""
	a.ExpiresIn, a.ExpiresDefaulted = c.lifetime(a, r)
	a.TokenType, a.Scope = r.text("token_type"), r.text("scope")
	switch {
	case !fitsHeader(a.AccessToken):
		a.Unusable = "it holds characters that no header may hold"
	case !c.dialect.AnyTokenType && !isBearer(a.TokenType):
		a.Unusable = "its token_type is not Bearer"
	}
	for _, path := range c.dialect.ResponsePaths {
		if value := r.find(path); value != "" {
			if a.Response == nil {
				a.Response = map[string]string{}
			}
			a.Response[path] = value
		}
	}
}

func fitsHeader(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isBearer recognises the type of RFC 6750 however servers write it, such as
// Apigee's BearerToken. A missing one counts too.
func isBearer(tokenType string) bool {
	letters := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(tokenType))
	return tokenType == "" || letters == "bearer" || letters == "bearertoken"
}
