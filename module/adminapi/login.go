package adminapi

// LoginRequest is a step of a log-in. The instance that has the client does all
// that needs secrets; the command only leads the browser.
//
// The first step is either {"redirect_uri": …} (authorization code with PKCE, RFC
// 6749 section 4.1 and RFC 7636) or {"device": true} (RFC 8628). The second one
// repeats its state, and has the code, or the error, if there is one.
type LoginRequest struct {
	// RedirectURI is where the browser comes back: a loopback address (RFC 8252
	// section 7.3).
	RedirectURI string `json:"redirect_uri,omitempty"`

	// Device begins a log-in on another device.
	Device bool `json:"device,omitempty"`

	// State names the log-in that is continued.
	State string `json:"state,omitempty"`

	// Code is the authorization code that the browser brought.
	Code string `json:"code,omitempty"`

	// Issuer is who the browser says that the answer is of (RFC 9207).
	Issuer string `json:"iss,omitempty"`

	// Error is what it brought in its place (RFC 6749 section 4.1.2.1). The instance
	// knows what must not be printed of it.
	Error string `json:"error,omitempty"`

	// ErrorDescription is what it said of that.
	ErrorDescription string `json:"error_description,omitempty"`
}

// LoginAnswer is what comes of a step.
type LoginAnswer struct {
	// State names the log-in. The browser must bring it back.
	State string `json:"state,omitempty"`

	// AuthorizationURL is where the browser begins.
	AuthorizationURL string `json:"authorization_url,omitempty"`

	// OpenWithin is how many seconds that address may be opened, if that is less than
	// ExpiresIn (RFC 9126 section 2.2).
	OpenWithin float64 `json:"open_within,omitempty"`

	// Warning says what is not as it should be, and does not stop the log-in.
	Warning string `json:"warning,omitempty"`

	// UserCode is what the user enters at VerificationURI.
	UserCode string `json:"user_code,omitempty"`

	// VerificationURI is where.
	VerificationURI string `json:"verification_uri,omitempty"`

	// VerificationURIComplete is the same with the code in it, if the server has
	// that.
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`

	// ExpiresIn is how many seconds the user has.
	ExpiresIn float64 `json:"expires_in,omitempty"`

	// Interval is after how many seconds to ask again; the log-in is not complete
	// as long as it is there.
	Interval float64 `json:"interval,omitempty"`

	// Result is what became of the new refresh token.
	Result *OrderResult `json:"result,omitempty"`
}
