// Package cause answers what went wrong, in words: for each cause one sentence,
// one instruction, and whether it passes by itself. The log, answers of our own,
// the admin API, the status page and the documentation take their words from its
// table.
//
// It knows words. It must not know when a cause holds: HTTP, tokens, records and
// clients are for others, who hand in the facts of the case, fit to print. It
// imports nothing of ours, and nothing of Caddy.
package cause

import "strings"

// Cause is a row of the table.
type Cause struct {
	// Name is the word for it in the log, the admin API and answers of our own.
	Name string

	// Case tells rows of one name apart, "" for the usual one.
	Case string

	// Source is who it is about.
	Source Source

	// Passes says that it may pass without anybody's help.
	Passes bool

	// Sentence says what is wrong. It and Remedy may name facts, as {client}.
	Sentence string

	// Remedy says what to do about it.
	Remedy string
}

// Source is who a cause is about, and so who can do something about it.
type Source string

// The sources of causes.
const (
	Grant         Source = "grant"
	Configuration Source = "configuration"
	TokenEndpoint Source = "token endpoint"
	Proxy         Source = "proxy"
	Metadata      Source = "metadata"
	Record        Source = "record"
	Upstream      Source = "upstream"
	Caller        Source = "caller"
	Order         Source = "order"
	TokenFile     Source = "token file"
	Engine        Source = "engine"
)

// Causes returns the whole table.
func Causes() []Cause { return append([]Cause(nil), table...) }

// known are the names that are in the table.
var known = func() map[string]bool {
	names := make(map[string]bool, len(table))
	for _, c := range table {
		names[c.Name] = c.Name != ""
	}
	return names
}()

// Known reports whether there is a row of that name, so that it is no error code that
// some server has chosen.
func Known(name string) bool { return known[name] }

// Of returns the row of that name, in one of the cases of it if one is named. A
// name that is in no row is an error code of the token endpoint's own.
func Of(name string, cases ...string) Cause {
	which := strings.Join(cases, " ")
	for _, c := range table {
		if c.Name == name && c.Case == which {
			return c
		}
	}
	if which != "" {
		return Of(name)
	}
	code := Code("configuration")
	code.Name = name
	return code
}

// Code returns a row for error codes of the token endpoint's own.
func Code(which string) Cause {
	for _, c := range table {
		if c.Name == "" && c.Case == which {
			return c
		}
	}
	return Cause{}
}

// standing begins the remedies of causes that are met again and again, because
// the token request goes on being repeated, and that nobody else will mend.
const standing = "it does not pass by itself: "

// With returns the row with the facts of the case in the place of their names:
// With("client", "erp", "place", path). A fact that is not known, or empty, is
// told in general words.
func (c Cause) With(facts ...string) Cause {
	pairs := make([]string, 0, len(facts)+2*len(unknown))
	for i := 0; i+1 < len(facts); i += 2 {
		if facts[i+1] != "" {
			pairs = append(pairs, "{"+facts[i]+"}", facts[i+1])
		}
	}
	for fact, words := range unknown { // of two that are equal, the first counts
		pairs = append(pairs, "{"+fact+"}", words)
	}
	fill := strings.NewReplacer(pairs...)
	c.Sentence = fill.Replace(c.Sentence)
	c.Remedy = fill.Replace(c.Remedy)
	if c.lasts() {
		c.Remedy = standing + c.Remedy
	}
	return c
}

// lasts reports whether a row must say that it does not pass by itself.
func (c Cause) lasts() bool {
	return !c.Passes && c.Name != "" && (c.Source == TokenEndpoint || c.Source == Proxy || c.Source == Metadata)
}

// changed is what makes a changed setting hold, where it is not known from where that
// comes.
const changed = "then reload"

// Changed puts into a remedy what makes the setting hold that is to be changed: a
// reload, unless it comes from a file or from the environment.
func Changed(remedy, how string) string {
	return strings.Replace(remedy, changed, how, 1)
}

// unknown are the words for facts that are not known.
var unknown = map[string]string{
	"client":   "<client>",
	"block":    "upstream_oauth",
	"endpoint": "another endpoint",
	"supplied": "that was supplied",
	"wait":     "while",
	"changed":  changed,
	"end":      "the time that the server named",
	"place":    "the client's record",
	"kind":     "file",
	"owner":    "<other>",
	"from":     "<store>",
	"file":     "the file of client_assertion",
	"host":     "the server",
	"name":     "the server's name",
	"proxy":    "the forward proxy",
	"setting":  "token_endpoint",
	"issuer":   "the issuer",
	"named":    "another one",
	"status":   "4xx",
	"lines":    "'terminal_errors <status> <code>'",
	"when":     "before",
	"origin":   "<origin>",
	"method":   "another one",
}
