// Package authservers lets the binary live with authorization servers that nobody
// here wrote: a log-in, rotations under load, a kill amid a token request, a
// revocation at the server, a wrong secret, and what is said of a dead grant.
//
// Two of them want what FAPI 2.0 wants: pushed requests, a signature of the client, and a
// certificate or a key that its tokens are bound to.
//
// Each server keeps its grants in memory and rotates refresh tokens. All but
// oidc-provider end the old access token with them, as the strictest do. It needs what .ci/run installs; what
// is missing is said when a test is skipped.
package authservers
