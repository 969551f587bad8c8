package grant

import (
	"slices"
	"strconv"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
)

// rules say how an authorization server treats refresh tokens.
type rules uint8

const (
	strict  rules = iota // only the newest is honoured
	replace              // a repeated request is forgiven for a while: the later answer wins
	same                 // … is answered alike: the earlier answer wins
	fork                 // … begins a second chain, and both are honoured
	family               // a consumed token ends the grant
	fixed                // nothing rotates
	swap                 // the token before is given again
)

// server is one authorization server with two token endpoints, and what it knows of
// the log-ins.
type server struct {
	rules    rules
	ends     bool // its grants end, unless they are refreshed
	stays    bool // … and whether they are or not
	serial   int32
	families [2]login
}

// login is what one log-in gave. Its refresh tokens begin with its letter.
type login struct {
	there    bool
	dead     bool
	grace    bool // previous is still forgiven
	binding  int8 // the endpoint that issued it
	current  string
	previous string
	other    string // of a second chain
	ends     int64
	since    int32 // of the first answer
}

const (
	tokenLife = time.Hour
	grantLife = 40 * time.Minute
)

func (s *server) login(token string) *login {
	if token == "" { // of a client that has credentials alone
		return &s.families[0]
	}
	if f := int(token[0] - 'A'); f < len(s.families) && s.families[f].there {
		return &s.families[f]
	}
	return nil
}

// honours reports whether the server would accept a token that nothing was
// obtained with yet.
func (s *server) honours(token string, now int64) bool {
	if token == "" {
		return false
	}
	l := s.login(token)
	return l != nil && !l.dead && (token == l.current || token == l.other) && !s.over(l, now)
}

func (s *server) over(l *login, now int64) bool { return s.ends && l.ends != 0 && now >= l.ends }

// process answers a request.
func (s *server) process(token string, binding int8, now int64) *step.Answer {
	l := s.login(token)
	refused := &step.Answer{Outcome: step.RefusedGrant, Status: 400, Cause: finding.CauseRefused}
	if l == nil || l.binding != binding || l.dead || s.over(l, now) {
		return refused
	}
	s.serial++
	serial := strconv.Itoa(int(s.serial))
	fresh := ""
	if token != "" {
		fresh = token[:1] + serial
	}
	forgiven := token == l.previous && l.grace
	switch {
	case token == "" || s.rules == fixed && token == l.current:
		fresh = ""
	case token == l.other && token != "":
		l.other = fresh
	case token == l.current:
		if s.rules == swap && l.previous != "" {
			fresh = l.previous
		}
		l.previous, l.current = token, fresh
		l.grace = s.rules == replace || s.rules == same || s.rules == fork
	case forgiven && s.rules == replace:
		l.current = fresh
	case forgiven && s.rules == same:
		fresh = l.current
	case forgiven && s.rules == fork && l.other == "":
		l.other = fresh
	case s.rules == family:
		l.dead = true
		return refused
	default:
		return refused
	}
	a := &step.Answer{Outcome: step.Granted, Status: 200, RefreshToken: fresh, ExpiresIn: tokenLife}
	a.Access.AccessToken = "a" + serial + " " + strconv.FormatInt(now+int64(tokenLife), 10)
	if l.since == 0 {
		l.since = s.serial
	}
	if s.ends {
		if l.ends == 0 || !s.stays {
			l.ends = now + int64(grantLife)
		}
		a.RefreshExpiresIn = time.Duration(l.ends - now)
	}
	return a
}

// expiry is when an access token really ends.
func expiry(accessToken string) int64 {
	for i := range accessToken {
		if accessToken[i] == ' ' {
			n, _ := strconv.ParseInt(accessToken[i+1:], 10, 64)
			return n
		}
	}
	return 0
}

// fitting returns the tokens that are still of interest.
func fitting(tokens []string, keep func(string) bool) []string {
	if !slices.ContainsFunc(tokens, func(t string) bool { return !keep(t) }) {
		return tokens
	}
	var kept []string
	for _, t := range tokens {
		if keep(t) {
			kept = append(kept, t)
		}
	}
	return kept
}
