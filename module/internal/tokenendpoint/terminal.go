package tokenendpoint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"lamplighter/module/internal/redact"
)

// matcher recognises an error that ends a grant.
type matcher struct {
	status            int    // 0: any below 500
	code, description string // code "": any, and none
}

// parseMatcher reads "[<status>] [<code> [<description>]]". A code with blanks
// stands in quotes. Three digits alone are a status; with "*" before them they are
// a code.
func parseMatcher(line string) (m matcher, err error) {
	first, rest := cutWord(line)
	status, err := strconv.Atoi(first)
	isStatus := err == nil && len(first) == 3
	switch {
	case first == "*":
	case isStatus && status >= 400 && status < 600:
		m.status = status
		if rest == "" {
			return m, nil
		}
	case isStatus && status < 400:
		return m, fmt.Errorf("%q begins with the status %s, and no answer with that one says that the grant is dead: write '* %s' if it is an error code", line, first, first)
	default:
		rest = line
	}
	m.code, rest = cutWord(rest)
	if quoted, err := strconv.Unquote(m.code); err == nil {
		m.code = strings.TrimSpace(quoted)
	} else if strings.HasPrefix(m.code, `"`) {
		return m, fmt.Errorf("%q has a quote that is not closed", line)
	}
	if m.code == "" {
		return m, errors.New("an error code is empty: write '[<status>] [<code> [<description>]]', such as 'invalid_grant', '401' or '401 invalid_request'")
	}
	if isNoError(m.code) {
		return m, fmt.Errorf("%q cannot match: %s is how answers say that there is no error, and too long a sentence is no code; match a status alone, or name another member in error_path", line, redact.Quote(m.code))
	}
	m.description = strings.Join(strings.Fields(rest), " ")
	return m, nil
}

// cutWord takes the first word of a line, with the quotes around it if it has some.
func cutWord(line string) (word, rest string) {
	line = strings.TrimSpace(line)
	end := strings.IndexAny(line, " \t")
	if quoted, err := strconv.QuotedPrefix(line); err == nil && strings.HasPrefix(line, `"`) {
		end = len(quoted)
	}
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.TrimSpace(line[end:])
}

func (m matcher) matches(status int, e answerError) bool {
	if m.status == 0 && status >= 500 || m.status != 0 && m.status != status {
		return false
	}
	return m.code == "" || m.code == e.code && containsFold(e.description, m.description)
}

func (c *Client) isTerminal(status int, e answerError) bool {
	for _, m := range c.terminal {
		if m.matches(status, e) {
			return true
		}
	}
	return false
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
