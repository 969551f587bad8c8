// Package proxies holds black-box tests with proxies that nobody here wrote, which ask the
// built binary for the token and put it into their requests themselves, while it is replaced
// again and again. Their configurations are those of docs/serving.md.
//
// Programs that are not here skip their tests, unless LAMPLIGHTER_REQUIRE=all.
package proxies
