// Package clients holds black-box tests with clients and upstreams that nobody
// here wrote: what applications really call with, and what they really call. Each
// does its job through the built binary while the access token is replaced every
// second or two, and must not notice.
//
// Programs that are not here skip their tests, unless LAMPLIGHTER_REQUIRE=all.
package clients
