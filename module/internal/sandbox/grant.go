package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Token kinds. They stand in front of a token, so that one in the wrong place is
// recognised by eye.
const (
	accessToken  = "at"
	refreshToken = "rt"
)

var (
	errUnknownToken = errors.New("it was never issued here")
	errRevoked      = errors.New("its grant was revoked")
	errSpent        = errors.New("it is spent")
	errOtherKey     = errors.New("it is bound to another key")
)

// token makes the one token of a kind, grant and generation.
func (st *state) token(kind string, grant, generation int) string {
	id := fmt.Sprintf("%s-%d-%d", kind, grant, generation)
	return id + "-" + hex.EncodeToString(st.sign(id)[:16])
}

func (st *state) sign(text string) []byte {
	mac := hmac.New(sha256.New, st.Key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// find returns which grant and generation a token is of, if it was issued here.
func (st *state) find(kind, token string) (grant, generation int, ok bool) {
	parts := strings.Split(token, "-")
	if len(parts) != 4 {
		return 0, 0, false
	}
	grant, err := strconv.Atoi(parts[1])
	generation, err2 := strconv.Atoi(parts[2])
	if err != nil || err2 != nil || grant < 0 || grant >= len(st.Grants) {
		return 0, 0, false
	}
	return grant, generation, hmac.Equal([]byte(token), []byte(st.token(kind, grant, generation)))
}

// login issues a grant. Older ones live on.
func (st *state) login() {
	st.Grants = append(st.Grants, grant{Seed: st.Generation, Refresh: st.Generation})
}

// revoke kills every grant.
func (st *state) revoke() {
	for i := range st.Grants {
		st.Grants[i].Revoked = true
	}
}

// seed returns the first refresh token of the newest grant.
func (st *state) seed() string {
	newest := len(st.Grants) - 1
	return st.token(refreshToken, newest, st.Grants[newest].Seed)
}

// spendable returns the number of the grant whose refresh token this is. With
// errSpent it is the grant that the token belonged to.
func (st *state) spendable(token string) (grant int, err error) {
	grant, generation, ok := st.find(refreshToken, token)
	switch {
	case !ok:
		return 0, errUnknownToken
	case generation != st.Grants[grant].Refresh:
		return grant, errSpent
	case st.Grants[grant].Revoked:
		return grant, errRevoked
	}
	return grant, nil
}

// rotate issues the next generation of a grant's tokens, which kills the ones
// before: the access token, and the refresh token unless it is to be kept. The access token is
// bound to the key of that thumbprint, if there is one.
func (st *state) rotate(grant int, lifetime time.Duration, keepRefreshToken bool, thumbprint string) {
	st.Generation++
	g := &st.Grants[grant]
	g.Access, g.Thumbprint = st.Generation, thumbprint
	g.ExpiresAt = time.Now().Add(lifetime)
	if !keepRefreshToken {
		g.Refresh = st.Generation
	}
}

// accepts tells whether an access token is good now, with a proof by the key of that thumbprint,
// and its generation.
func (st *state) accepts(token, thumbprint string) (generation int, err error) {
	i, generation, ok := st.find(accessToken, token)
	if !ok {
		return 0, errUnknownToken
	}
	g := st.Grants[i]
	switch {
	case g.Revoked:
		return generation, errRevoked
	case generation != g.Access:
		return generation, fmt.Errorf("generation %d died when %d was issued", generation, g.Access)
	case !time.Now().Before(g.ExpiresAt):
		return generation, errors.New("it has expired")
	case g.Thumbprint != thumbprint:
		return generation, errOtherKey
	}
	return generation, nil
}
