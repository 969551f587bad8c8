package tokenendpoint

import (
	"fmt"
	"strings"
	"time"

	"lamplighter/module/internal/tokenendpoint/reading"
)

// hold returns what an answer holds: the tokens first, and then how long they
// live. It is complete before anybody describes the answer, so that no odd word in
// it costs a token. own are the values of the request, which are no new tokens.
func (c *Client) hold(r *reading.Reply, sentAt time.Time, own map[string]bool) Answer {
	a := Answer{
		Status: r.Status, SentAt: sentAt, RetryAfter: c.retryAfter(r.Header),
		Outcome: Unanswered, Cause: CauseInternal, Detail: "the answer could not be described",
	}
	if !r.Succeeded() && !c.issued(r) {
		return a
	}
	c.findTokens(&a, r, own)
	c.holdEnd(&a, r)
	// An answer that was cut off is good enough if what counts had arrived.
	if a.AccessToken == "" || r.Err != nil && a.RefreshToken == "" && !c.dialect.IgnoreRefreshToken {
		a.AccessToken, a.IDToken = "", ""
		return a
	}
	c.holdAccessToken(&a, r)
	return a
}

// issued reports whether an answer that is no success by its status holds tokens
// all the same, and no error. One of them alone may be part of a message about
// what was wrong with the request.
func (c *Client) issued(r *reading.Reply) bool {
	return r.Whole() && !c.dialect.IgnoreRefreshToken && answerErrorOf(r, c.dialect.ErrorPath).code == "" &&
		r.FindToken(c.dialect.RefreshTokenPath) != "" && r.FindToken(c.dialect.AccessTokenPath) != ""
}

// findTokens finds them where the dialect says, or else where they may be hidden.
func (c *Client) findTokens(a *Answer, r *reading.Reply, own map[string]bool) {
	d := &c.dialect
	a.AccessToken, a.IDToken = r.FindToken(d.AccessTokenPath), r.FindToken(d.IDTokenPath)
	if !d.IgnoreRefreshToken {
		a.RefreshToken = r.FindToken(d.RefreshTokenPath)
		if twin := r.Twin(d.RefreshTokenPath, own); twin != "" && own[a.RefreshToken] {
			a.RefreshToken = twin
			a.remark("the answer holds two refresh tokens under one name; the one that was not presented is used", oneRefreshToken)
		}
		if member := r.FindToken(refreshTokenMember); a.RefreshToken == "" && member != "" && !own[member] {
			a.RefreshToken = member
			a.remark(fmt.Sprintf("refresh_token_path %s yields nothing; the member %s is used", d.RefreshTokenPath, refreshTokenMember), correctThePath)
		}
		if member, token := r.BesideAccessToken(d.AccessTokenPath, d.RefreshTokenPath+"|"+refreshTokenMember); a.RefreshToken == "" && token != "" && !own[token] {
			a.RefreshToken = token
			a.remark(fmt.Sprintf("refresh_token_path %s yields nothing; the member %s is used", d.RefreshTokenPath, member), correctThePath)
		}
	}
	// A whole answer that has its access token where it should be hides nothing.
	if r.Whole() && (d.IgnoreRefreshToken || a.RefreshToken != "" || a.AccessToken != "") {
		return
	}
	h := r.Hidden(c.places(), own)
	if h.RefreshToken != "" {
		a.RefreshToken = h.RefreshToken
	}
	if h.OtherRotation {
		a.remark("the answer holds more than one refresh token; the last that came with an access token is used", oneRefreshToken)
	}
	if !r.Whole() && h.AccessToken != "" && (h.RefreshToken != "" || a.AccessToken == "") {
		a.AccessToken = h.AccessToken
		r.Tree, r.Err = h.In, nil
		a.IDToken = r.FindToken(d.IDTokenPath)
	}
}

// places are where the dialect has what an answer holds.
func (c *Client) places() reading.Places {
	d := &c.dialect
	return reading.Places{
		AccessToken: d.AccessTokenPath, RefreshToken: d.RefreshTokenPath, IDToken: d.IDTokenPath, Expires: d.ExpiresPath,
		NoRefreshToken: d.IgnoreRefreshToken,
	}
}

const refreshTokenMember = "refresh_token" // RFC 6749 section 5.1

// holdAccessToken fills in what came with an access token.
func (c *Client) holdAccessToken(a *Answer, r *reading.Reply) {
	a.Outcome, a.Cause, a.Detail = Granted, "", ""
	a.ExpiresIn, a.ExpiresDefaulted = c.lifetime(a, r)
	a.TokenType, a.Scope = r.Text("token_type"), r.Text("scope")
	switch {
	case !fitsHeader(a.AccessToken):
		a.Unusable = "it holds characters that no header may hold"
	case !c.dialect.AnyTokenType && !isBearer(a.TokenType):
		a.Unusable = "its token_type is not Bearer"
	}
	for _, path := range c.dialect.ResponsePaths {
		value := r.Find(path)
		if path == DetailsMember {
			value = granted(a, r)
		}
		if value != "" {
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
