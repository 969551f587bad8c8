package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"lamplighter/module/adminapi"
	"lamplighter/module/condition"
	"lamplighter/module/internal/redact"
)

// terminal writes for people: aligned, and coloured if it is a terminal and
// nobody set NO_COLOR (https://no-color.org).
type terminal struct {
	io.Writer
	colours bool
}

func newTerminal(f *os.File) terminal {
	_, plain := os.LookupEnv("NO_COLOR")
	return terminal{f, !plain && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))}
}

// How a terminal is told to colour.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

// colours are those of what is well, passing and broken.
var colours = map[condition.Tone]string{condition.Good: green, condition.Passing: yellow, condition.Bad: red}

func colourOf(word string) string { return colours[condition.ToneOf(word)] }

func (t terminal) paint(text, colour string) string {
	if !t.colours || colour == "" {
		return text
	}
	return colour + text + plain
}

// table prints rows in aligned columns, and words that mean something in their
// colour. The first row is the heading; nil makes none.
func (t terminal) table(indent string, heading []string, rows [][]string) error {
	all := rows
	if heading != nil {
		all = append([][]string{heading}, rows...)
	}
	var widths []int
	for _, row := range all {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range all {
		b.WriteString(indent)
		for i, cell := range row {
			colour := colourOf(cell)
			if n == 0 && heading != nil {
				colour = bold
			}
			b.WriteString(t.paint(cell, colour))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(t, b.String())
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printClients prints a line for each client. Who refreshes is only of interest where
// replicas share a store.
func printClients(t terminal, statuses []adminapi.ClientStatus) error {
	heading := []string{"CLIENT", "TOKEN", "STATE", "EXPIRES IN", "NEXT REFRESH", "GRANT ENDS", "GENERATION", "LAST ERROR", "LAST REFUSED"}
	shared := slices.ContainsFunc(statuses, func(s adminapi.ClientStatus) bool { return s.StoreUp != nil })
	if shared {
		heading = append(heading, "STORE", "HELD BY")
	}
	rows := make([][]string, 0, len(statuses))
	for _, s := range statuses {
		row := listed(s)
		if shared {
			row = append(row, condition.Store(s), condition.Holder(s))
		}
		rows = append(rows, row)
	}
	return t.table("", heading, rows)
}

// listed is the line of a client.
func listed(s adminapi.ClientStatus) []string {
	expires, next, ends, refused := "-", "-", "-", "-"
	if s.ExpiresIn > 0 {
		expires = condition.Seconds(s.ExpiresIn)
	}
	if s.NextRefreshIn != nil {
		next = condition.Seconds(*s.NextRefreshIn)
	}
	if !s.GrantExpiresAt.IsZero() {
		ends = condition.Roughly(time.Until(s.GrantExpiresAt))
	}
	if x := s.LastRejected; x != nil {
		refused = fmt.Sprintf("%d %s ago", x.Status, condition.Roughly(time.Since(x.At)))
	}
	return []string{s.Client, s.Token, s.State, expires, next, ends, fmt.Sprint(s.Generation), cmp.Or(s.Cause, "-"), refused}
}

// printClient prints everything about a client.
func printClient(t terminal, s adminapi.ClientStatus) error {
	var rows rowsOfClient
	rows.add("state", s.State)
	rows.add("token", t.paint(tokenOf(s), colourOf(s.Token)))
	if s.Cause != "" {
		rows.add("cause", s.Cause)
		rows.add("detail", s.Detail)
		rows.add("remedy", t.paint(s.Remedy, bold))
	}
	if !s.Since.IsZero() {
		rows.add("since", s.Since.Local().Format(time.DateTime))
	}
	if s.NextLookIn != nil {
		rows.add("looked at again", "in "+condition.Seconds(*s.NextLookIn))
	}
	if s.Unsaved {
		rows.add("unsaved", t.paint("the newest refresh token is only in memory: make the record writable, and do not stop the process", red))
	}
	next := "none is planned"
	if s.NextRefreshIn != nil {
		next = "in " + condition.Seconds(*s.NextRefreshIn)
	}
	rows.add("next refresh", next)
	if !s.GrantExpiresAt.IsZero() {
		rows.add("grant ends", s.GrantExpiresAt.Local().Format(time.DateTime)+" (in "+condition.Roughly(time.Until(s.GrantExpiresAt))+")")
	}
	rows.add("generation", fmt.Sprint(s.Generation))
	rows.ofRequests(s)
	rows.add("grant type", s.GrantType)
	rows.add("token endpoint", s.TokenEndpoint)
	rows.add("asked for", redact.Visible(string(s.AuthorizationDetails)))
	rows.add("granted", redact.Visible(string(s.AuthorizationDetailsGranted)))
	rows.add("record", s.Record)
	for _, f := range s.TokenFiles {
		rows.add("token file", f.String())
	}
	if s.StoreUp != nil {
		rows.add("store", s.Store+", "+condition.Store(s))
		rows.add("lease", condition.Lease(s))
	}
	rows.add("declared at", s.DeclaredAt)
	fmt.Fprintln(t, t.paint(s.Client, bold))
	if err := t.table("  ", nil, rows); err != nil || len(s.History) == 0 {
		return err
	}
	fmt.Fprintln(t, "\n"+t.paint("history", bold))
	return t.table("  ", nil, historyRows(s.History))
}

// rowsOfClient are what there is to say of a client.
type rowsOfClient [][]string

func (r *rowsOfClient) add(name, value string) {
	if value != "" {
		*r = append(*r, []string{name, value})
	}
}

// ofRequests adds what became of those that wanted its token.
func (r *rowsOfClient) ofRequests(s adminapi.ClientStatus) {
	if s.Token == adminapi.TokenPerCaller {
		r.add("kept tokens", fmt.Sprint(s.CacheEntries))
	}
	r.add("requests", condition.Requests(s.Requests))
	if x := s.LastRejected; x != nil {
		r.add("last refused", condition.Rejection(x))
	}
	if x := s.LastRefused; x != nil {
		r.add("last not sent", x.Cause+", at "+x.At.Local().Format(time.DateTime))
	}
}

// tokenOf says how the token of a client is.
func tokenOf(s adminapi.ClientStatus) string {
	token := s.Token
	if !s.ExpiresAt.IsZero() {
		token += ", until " + s.ExpiresAt.Local().Format(time.DateTime)
	}
	if s.ExpiresIn > 0 {
		token += " (in " + condition.Seconds(s.ExpiresIn) + ")"
	}
	return token
}

func historyRows(history []adminapi.ClientEvent) (rows [][]string) {
	for _, e := range history {
		about := fmt.Sprintf("generation %d", e.Generation)
		if e.Status > 0 {
			about += fmt.Sprintf(", status %d", e.Status)
		}
		if e.BecauseOf > 0 {
			about += fmt.Sprintf(", because of a %d", e.BecauseOf)
		}
		if e.Duration > 0 {
			about += ", " + time.Duration(e.Duration*float64(time.Second)).Round(time.Millisecond).String()
		}
		if e.Cause != "" {
			about += ", " + e.Cause + ": " + e.Detail
		} else if e.Detail != "" {
			about += ": " + e.Detail
		}
		rows = append(rows, []string{e.At.Local().Format(time.DateTime), e.Event, about})
	}
	return rows
}

// printTrouble prints why something did not come about, and the remedy.
func printTrouble(t terminal, client, what, detail, remedy string) {
	fmt.Fprintf(t, "%s: %s: %s\n", client, t.paint(what, red), detail)
	if remedy != "" {
		fmt.Fprintf(t, "%s %s\n", t.paint("remedy:", bold), remedy)
	}
}
