package inject

import (
	"bytes"
	"net/http"
	"slices"

	"lamplighter/module/internal/keeper"
)

// What is put into the query or into a cookie comes back by itself: APIs redirect to the
// URL that they were asked for, link to the next page of it, and renew cookies. The caller
// has sent neither, and is not to see the token. The rule: the parameter that holds it is
// taken out of every header of the answer, however often it is escaped there, and a cookie
// that is set to it is not set. Every other byte stays.

// leastToken is the length below which a token is looked for in its own parameter only:
// elsewhere it may be there by chance.
const leastToken = 8

// mostRepetitions is how often one value may repeat the token until all of it is dropped.
const mostRepetitions = 16

// sought is a value that must not come back.
type sought struct {
	value []byte
	name  *reading // of its parameter or cookie
	alone bool     // it is looked for there only
}

// Repeats reports whether the token goes where APIs repeat it.
func (in *Injections) Repeats() bool {
	return slices.ContainsFunc(in.places, func(p Place) bool { return p.In != "header" })
}

// TakeBack takes what APIs repeat of a token out of the headers of the answer to a request that
// carried it, and reports whether there was anything. Of a client whose token goes into headers
// only there is nothing to take.
func (in *Injections) TakeBack(h http.Header, t *keeper.Token) bool {
	if len(h) == 0 || !in.Repeats() {
		return false
	}
	list := in.soughtOf(t)
	found := false
	for field, values := range h {
		var kept []string
		for i, value := range values {
			clean, dropped := withoutSought(value, list)
			if clean == value && !dropped {
				if kept != nil {
					kept = append(kept, value)
				}
				continue
			}
			if kept == nil {
				kept = append(make([]string, 0, len(values)), values[:i]...)
			}
			if !dropped && field != "Set-Cookie" {
				kept = append(kept, clean)
			}
		}
		if kept == nil {
			continue
		}
		found = true
		if h[field] = kept; len(kept) == 0 {
			delete(h, field)
		}
	}
	return found
}

func (in *Injections) soughtOf(t *keeper.Token) (list []sought) {
	for i := range in.places {
		p := &in.places[i]
		if value := plainOf(p.render(t)).text; p.In != "header" && len(value) > 0 {
			list = append(list, sought{value, p.reading, len(value) < leastToken || !p.usesToken()})
		}
	}
	for _, secret := range []string{t.AccessToken, t.IDToken} {
		if value := plainOf(secret).text; len(value) >= leastToken {
			list = append(list, sought{value: value})
		}
	}
	return list
}

// usesToken reports whether a token goes into the place, and not only something else of the answer
// that it came in, such as the name of a server.
func (p *Place) usesToken() bool {
	return slices.ContainsFunc(p.template, func(piece piece) bool { return piece.value == "access_token" || piece.value == "id_token" })
}

// withoutSought takes out of the value of a header whatever is sought. It is dropped if that is
// there too often.
func withoutSought(raw string, list []sought) (clean string, dropped bool) {
	view := plain{}
	for _, s := range list {
		if len(raw) < len(s.value) {
			continue
		}
		for range mostRepetitions {
			if view.from == nil {
				view = plainOf(raw)
			}
			from, to := s.in(view)
			if from < 0 {
				break
			}
			raw = raw[:view.from[from]] + raw[view.from[to]:]
			view = plain{}
		}
		if view.from == nil && len(raw) >= len(s.value) {
			return "", true
		}
	}
	return raw, false
}

// in returns what is to be taken out of a text for the sake of one value, -1 if nothing is: the
// parameter around it, with the separator, or only itself.
func (s *sought) in(view plain) (from, to int) {
	text := view.text
	for at := 0; ; at++ {
		next := bytes.Index(text[at:], s.value)
		if next < 0 {
			return -1, -1
		}
		at += next
		end := at + len(s.value)
		left, right := bytes.LastIndexAny(text[:at], delimiters)+1, len(text)
		if i := bytes.IndexAny(text[end:], delimiters); i >= 0 {
			right = end + i
		}
		equals := bytes.IndexByte(text[left:at], '=')
		switch {
		case s.alone && (equals < 0 || left+equals+1 != at || right != end || !s.name.of(string(text[left:left+equals]))):
			continue
		case equals < 0:
			return at, end
		}
		return view.withSeparator(left, right)
	}
}

// delimiters stand around parameters, and around URLs in headers.
const delimiters = "?&;#/,<>\"' \t"

// withSeparator returns the bounds of a parameter with the separator that goes with it. One behind
// it is of the same query only if it is escaped as often as that before it.
func (p plain) withSeparator(left, right int) (from, to int) {
	if left == 0 {
		return left, right
	}
	switch before := p.text[left-1]; {
	case before == '&' || before == ';':
		return left - 1, right
	case before != '?':
		return left, right
	case right < len(p.text) && (p.text[right] == '&' || p.text[right] == ';') && p.depth[right] == p.depth[left-1]:
		return left, right + 1
	}
	return left - 1, right
}

// plain is a text in which nothing is escaped any more, and where each byte of it begins in what
// it was made of.
type plain struct {
	text  []byte
	from  []int // with the end of all as the last
	depth []int // how often it was escaped as URLs are
}

// plainOf undoes escapes, also those that appear by that: whoever has passed the text on may have
// escaped it once more. A plus is a blank, since nobody knows who meant it.
func plainOf(raw string) plain {
	p := plain{make([]byte, 0, len(raw)), make([]int, 0, len(raw)+1), make([]int, 0, len(raw))}
	for i := range len(raw) {
		p.text, p.from, p.depth = append(p.text, raw[i]), append(p.from, i), append(p.depth, 0)
		for c, n := escape(p.text); n > 0; c, n = escape(p.text) {
			first := len(p.text) - n
			if p.text[first] == '%' {
				p.depth[first]++
			}
			p.text[first] = c
			p.text, p.from, p.depth = p.text[:first+1], p.from[:first+1], p.depth[:first+1]
		}
	}
	for i, c := range p.text {
		if c == '+' {
			p.text[i] = ' '
		}
	}
	p.from = append(p.from, len(raw))
	return p
}

// escape returns what the end of a text stands for, if it is an escape: of a URL, of JSON in a
// header, or the one that HTML has of what separates parameters. The number of its bytes is else 0.
func escape(text []byte) (c byte, n int) {
	tail := func(n int) []byte { return text[max(0, len(text)-n):] }
	if t := tail(3); len(t) == 3 && t[0] == '%' && isHex(t[1:]) {
		return unhex(t[1])<<4 | unhex(t[2]), 3
	}
	if t := tail(6); len(t) == 6 && string(t[:4]) == `\u00` && isHex(t[4:]) && t[4] < '8' {
		return unhex(t[4])<<4 | unhex(t[5]), 6
	}
	switch {
	case string(tail(2)) == `\/`:
		return '/', 2
	case string(tail(5)) == "&amp;":
		return '&', 5
	}
	return 0, 0
}
