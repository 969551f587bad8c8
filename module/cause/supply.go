package cause

import "strings"

// Supply is where the refresh token of a configuration comes from, on which it depends how
// another one gets there. The zero value says that nobody knows, and the table speaks of a file.
type Supply uint8

// The places that a refresh token of a configuration comes from.
const (
	FromFile    Supply = iota + 1 // a file, which is read again by itself
	Environment                   // a variable, which a process keeps as it was at its start
	Literal                       // the configuration itself
	Nowhere                       // there is no such setting: a log-in or an import brings it
)

// SupplyOf returns where a refresh token comes from, by how the setting is written.
func SupplyOf(written string) Supply {
	switch {
	case written == "":
		return Nowhere
	case strings.Contains(written, "{file."):
		return FromFile
	case strings.Contains(written, "{env."):
		return Environment
	}
	return Literal
}

// The words of the table about how a new refresh token gets to a client, and about how soon
// one is noticed.
const (
	viaFile = ", or put one into the file that the refresh_token setting reads; none of them needs a restart"
	viaRead = "put a new refresh token where the refresh_token setting reads it; that needs no restart, if it is a file"
	atOnce  = "; what is put right is noticed by itself within minutes, and at once by a reload"
)

// With returns a remedy of the table in which a new refresh token gets to the client in the
// way that leads from there.
func (s Supply) With(remedy string) string {
	if words := supplies[s]; words != nil {
		return words.Replace(remedy)
	}
	return remedy
}

var supplies = map[Supply]*strings.Replacer{
	FromFile: strings.NewReplacer(
		viaRead, "put a new refresh token into the file that the refresh_token setting reads; that needs no restart"),
	Environment: strings.NewReplacer(
		viaFile, ", neither of which needs a restart; or set the variable that refresh_token names, and restart",
		viaRead, "set the variable that refresh_token names to a new refresh token, and restart",
		atOnce, "; a changed variable needs a restart, and what else is put right is noticed by itself within minutes"),
	Literal: strings.NewReplacer(
		viaFile, ", neither of which needs a restart; or write one into refresh_token, and reload",
		viaRead, "write a new one into refresh_token, and reload",
		atOnce, "; a changed refresh_token needs a reload, and what else is put right is noticed by itself within minutes"),
	Nowhere: strings.NewReplacer(
		viaFile, "; neither needs a restart"),
}

// WithoutLogin returns a remedy as it is for a client that nobody can log in, because its
// settings name neither an endpoint for that nor an issuer: a refresh token has to be handed
// over that somebody else obtained.
func WithoutLogin(client, remedy string) string {
	logIn := "'lamplighter tokens login " + client + "'"
	return strings.NewReplacer(
		"log in with "+logIn+", or hand", "hand",
		"log in again, or hand", "hand",
		"log in again with "+logIn, "hand a refresh token over that was obtained with the present one, with 'lamplighter tokens import "+client+"'",
		"; "+logIn+" yields one", ": a log-in of another program, or the console of the authorization server, yields one",
		logIn+" or a new log-in yields one", "a new log-in yields one",
		"run "+logIn+", or supply", "supply",
		"; none of them needs a restart", "; neither needs a restart",
		", neither of which needs a restart", ", which needs no restart",
		"; neither needs a restart", "; that needs no restart",
	).Replace(remedy)
}
