package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"lamplighter/module/adminapi"
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

// Colours of what is well, passing and broken.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

func (t terminal) paint(text, colour string) string {
	if !t.colours || colour == "" {
		return text
	}
	return colour + text + plain
}

// colourOf says how good a state, a token, or a kind of event is.
func colourOf(word string) string {
	switch word {
	case "ok", "valid", adminapi.TokenPerCaller, "token_obtained", "token_restored", "store_recovered":
		return green
	case "starting", "refreshing", "backoff", "grant_ends", "token_refresh_failed", "rotation_missing", "lifetime_missing", "answer_remarked", adminapi.VerdictWarning:
		return yellow
	case "awaiting_grant", "grant_lost", "misconfigured", "none", "expired", "seed_refused", "store_failed", "troubled", adminapi.VerdictFailed:
		return red
	}
	return ""
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

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// roughly is how long something still lasts, as people say it: 3d, 5h, 12m.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", max(0, d/time.Second))
}

func printClients(t terminal, statuses []adminapi.ClientStatus) error {
	rows := make([][]string, 0, len(statuses))
	for _, s := range statuses {
		expires, next, ends, cause := "-", "-", "-", "-"
		if s.ExpiresIn > 0 {
			expires = seconds(s.ExpiresIn)
		}
		if s.NextRefreshIn != nil {
			next = seconds(*s.NextRefreshIn)
		}
		if !s.GrantExpiresAt.IsZero() {
			ends = roughly(time.Until(s.GrantExpiresAt))
		}
		if s.Cause != "" {
			cause = s.Cause
		}
		rows = append(rows, []string{s.Client, s.Token, s.State, expires, next, ends, fmt.Sprint(s.Generation), cause})
	}
	return t.table("", []string{"CLIENT", "TOKEN", "STATE", "EXPIRES IN", "NEXT REFRESH", "GRANT ENDS", "GENERATION", "LAST ERROR"}, rows)
}

// printClient prints everything about a client.
func printClient(t terminal, s adminapi.ClientStatus) error {
	token := s.Token
	if !s.ExpiresAt.IsZero() {
		token += ", until " + s.ExpiresAt.Local().Format(time.DateTime)
	}
	if s.ExpiresIn > 0 {
		token += " (in " + seconds(s.ExpiresIn) + ")"
	}
	next := "none is planned"
	if s.NextRefreshIn != nil {
		next = "in " + seconds(*s.NextRefreshIn)
	}
	rows := [][]string{
		{"state", s.State},
		{"token", t.paint(token, colourOf(s.Token))},
	}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	if s.Cause != "" {
		add("cause", s.Cause)
		add("detail", s.Detail)
		add("remedy", t.paint(s.Remedy, bold))
	}
	if !s.Since.IsZero() {
		add("since", s.Since.Local().Format(time.DateTime))
	}
	if s.Unsaved {
		add("unsaved", t.paint("the newest refresh token is only in memory: make the record writable, and do not stop the process", red))
	}
	add("next refresh", next)
	if !s.GrantExpiresAt.IsZero() {
		add("grant ends", s.GrantExpiresAt.Local().Format(time.DateTime)+" (in "+roughly(time.Until(s.GrantExpiresAt))+")")
	}
	add("generation", fmt.Sprint(s.Generation))
	if s.Token == adminapi.TokenPerCaller {
		add("kept tokens", fmt.Sprint(s.CacheEntries))
	}
	add("grant type", s.GrantType)
	add("token endpoint", s.TokenEndpoint)
	add("asked for", redact.Visible(string(s.AuthorizationDetails)))
	add("granted", redact.Visible(string(s.AuthorizationDetailsGranted)))
	add("record", s.Record)
	if s.StoreUp != nil {
		add("store", map[bool]string{true: "there", false: "away"}[*s.StoreUp])
		add("lease", leaseOf(s))
	}
	add("declared at", s.DeclaredAt)
	fmt.Fprintln(t, t.paint(s.Client, bold))
	if err := t.table("  ", nil, rows); err != nil || len(s.History) == 0 {
		return err
	}
	fmt.Fprintln(t, "\n"+t.paint("history", bold))
	return t.table("  ", nil, historyRows(s.History))
}

func historyRows(history []adminapi.ClientEvent) (rows [][]string) {
	for _, e := range history {
		about := fmt.Sprintf("generation %d", e.Generation)
		if e.Status > 0 {
			about += fmt.Sprintf(", status %d", e.Status)
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

// leaseOf says who refreshes, of the replicas that share a store.
func leaseOf(s adminapi.ClientStatus) string {
	switch {
	case s.LeaseHeld:
		return "held by this process"
	case s.LeaseHolder != "":
		return "held by " + s.LeaseHolder + "; this process follows"
	}
	return "free, as far as is known"
}
