package adminapi

import (
	"fmt"
	"time"
)

// TokenRequest asks for a client's access token. All of it may be absent.
type TokenRequest struct {
	// For is the origin that the token is for, such as https://git.example.com: the answer
	// is 403 unless the client's `allow` names it.
	For string `json:"for,omitempty"`

	// Rejected is the access token, or its generation, that a server has rejected. If it is
	// the current one, the answer waits for another.
	Rejected string `json:"rejected,omitempty"`

	// Format is what the audit line says of who asks.
	Format string `json:"format,omitempty"`
}

// Token is a client's access token, as RFC 6749 section 5.1 has it, and a little more. It
// is secret.
type Token struct {
	// AccessToken is the token.
	AccessToken string `json:"access_token"`

	// TokenType is its type.
	TokenType string `json:"token_type"`

	// ExpiresIn is how many whole seconds it lives.
	ExpiresIn int64 `json:"expires_in"`

	// Scope is what the authorization server said of that.
	Scope string `json:"scope,omitempty"`

	// ExpiresAt is when it ends.
	ExpiresAt time.Time `json:"expires_at"`

	// Generation stands for the token, and says nothing of it.
	Generation string `json:"generation"`

	// Header are the header fields that carry it, as `inject` has them.
	Header []HeaderField `json:"header,omitempty"`

	// ForcedIn is after how many seconds another token may be forced; absent unless one was
	// asked for in the place of a rejected one, and did not come.
	ForcedIn int64 `json:"forced_in,omitempty"`
}

// HeaderField is a header field that carries a token.
type HeaderField struct {
	// Name is its name.
	Name string `json:"name"`

	// Value is its value, with the token in it.
	Value string `json:"value"`
}

// String says in a line what the file holds.
func (f TokenFile) String() string {
	switch {
	case f.Cause != "":
		return f.Path + ": " + f.Cause + ": " + f.Detail
	case f.WrittenAt.IsZero():
		return f.Path + ": not written yet"
	case f.Generation == 0:
		return f.Path + ": says that there is no token"
	}
	return fmt.Sprintf("%s: generation %d, as %s", f.Path, f.Generation, f.Format)
}
