package adminapi

import "context"

// Verdicts of a step of an examination.
const (
	VerdictOK      = "ok"
	VerdictWarning = "warning" // it works, and may not for long
	VerdictFailed  = "failed"  // it does not work, or will not
	VerdictSkipped = "skipped" // it was not looked at
)

// DoctorRequest asks for an examination.
type DoctorRequest struct {
	// Client is whom to examine. Default: all clients.
	Client string `json:"client,omitempty"`

	// Ask has clients make a real token request whose grant presents no refresh token.
	Ask bool `json:"ask,omitempty"`

	// Stranger says that who examines is another one than who is to serve: its rights, its
	// variables and its directories say nothing of the other's. No instance is one.
	Stranger bool `json:"-"`
}

// DoctorAnswer is what came of it.
type DoctorAnswer struct {
	// Checks are the steps, in the order in which a request for a token, and then one
	// with it, depends on them.
	Checks []Check `json:"checks"`

	// File is what the instance was started with, empty if that is not known.
	File string `json:"file,omitempty"`
}

// Check is one step of an examination.
type Check struct {
	// Client is whom it is about, empty for what concerns all.
	Client string `json:"client"`

	// Step is what was looked at: configuration, secrets, name_resolution, route, tls,
	// clock, discovery, token_request, store, record, ledger, token, ports or upstream.
	Step string `json:"step"`

	// Verdict is ok, warning, failed or skipped.
	Verdict string `json:"verdict"`

	// Detail says what was found.
	Detail string `json:"detail"`

	// Remedy says what to do about it, empty if nothing is.
	Remedy string `json:"remedy"`
}

// Examiner is an app that examines its clients: one that an instance runs, or one of a
// command that found none.
type Examiner interface {
	// Examine takes all steps. It spends no refresh token, and writes nothing but what a
	// store writes when it is opened. Its error is that there is no such client.
	Examine(ctx context.Context, req DoctorRequest) (*DoctorAnswer, error)
}
