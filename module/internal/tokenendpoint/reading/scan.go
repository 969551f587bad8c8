package reading

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep the values of an answer are kept. What nests deeper is
// passed over.
const maxDepth = 64

// scanner reads JSON, and what is nearly JSON, for an answer counts however its
// server writes it: raw line breaks and unknown escapes in strings, single quotes,
// words that are none in JSON, names without quotes, a comma too many. It reads
// every text to where it makes no sense any more, and keeps what was complete.
type scanner struct {
	text []byte
	at   int

	twins map[string][]any // what members of a name held that another one displaced
}

// value reads one value. What is complete of an object or a list comes back even
// if it is not whole; of text and numbers only whole ones do.
func (s *scanner) value(depth int) (value any, whole bool) {
	switch s.peek() {
	case '{', '[':
		if depth >= maxDepth {
			return nil, s.pass()
		}
		if s.text[s.at] == '{' {
			return s.object(depth)
		}
		return s.array(depth)
	case '"', '\'':
		return s.quoted()
	}
	return s.word()
}

func (s *scanner) object(depth int) (object map[string]any, whole bool) {
	object = map[string]any{}
	s.at++
	for {
		switch s.peek() {
		case ',':
			s.at++
			continue
		case '}':
			s.at++
			return object, true
		}
		name, ok := s.name()
		if !ok || s.peek() != ':' {
			return object, false
		}
		s.at++
		value, ok := s.value(depth + 1)
		if !saysNothing(value) || object[name] == nil {
			s.displace(name, object[name])
			object[name] = value // the last of several, unless it says nothing
		}
		if !ok || !s.more('}') {
			return object, false
		}
	}
}

func (s *scanner) array(depth int) (array []any, whole bool) {
	array = []any{}
	s.at++
	for {
		switch s.peek() {
		case ',':
			s.at++
			continue
		case ']':
			s.at++
			return array, true
		}
		value, ok := s.value(depth + 1)
		if ok || value != nil {
			array = append(array, value)
		}
		if !ok || !s.more(']') {
			return array, false
		}
	}
}

func (s *scanner) displace(name string, value any) {
	if saysNothing(value) {
		return
	}
	if s.twins == nil {
		s.twins = make(map[string][]any)
	}
	s.twins[name] = append(s.twins[name], value)
}

// saysNothing recognises what a second member of the same name does not replace
// the first with.
func saysNothing(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case bool:
		return !value
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}

// peek passes blanks over and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// more reports whether a list or an object goes on, or ends, as it must.
func (s *scanner) more(end byte) bool {
	c := s.peek()
	return c == ',' || c == end
}

func (s *scanner) name() (string, bool) {
	if c := s.peek(); c == '"' || c == '\'' {
		name, whole := s.quoted()
		text, _ := name.(string)
		return text, whole
	}
	start := s.at
	return string(s.bare()), s.at > start
}

// quoted reads text in quotes. A number in it is text.
func (s *scanner) quoted() (value any, whole bool) {
	start := s.at
	if !s.passQuoted() {
		return nil, false
	}
	return unquote(s.text[start+1 : s.at-1]), true
}

// passQuoted goes behind the closing quote, and reports whether there is one.
func (s *scanner) passQuoted() bool {
	quote := s.text[s.at]
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case quote:
			s.at++
			return true
		}
	}
	s.at = len(s.text)
	return false
}

// word reads a number, true, false or null. Other words are none of JSON's, and
// stand for nothing. One that ends with the text may have been longer.
func (s *scanner) word() (value any, whole bool) {
	word := s.bare()
	if len(word) == 0 || s.at == len(s.text) {
		return nil, false
	}
	switch {
	case string(word) == "true":
		return true, true
	case string(word) == "false":
		return false, true
	case (word[0] == '-' || isDigit(word[0])) && json.Valid(word):
		return json.Number(word), true
	}
	return nil, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// bare reads up to whatever ends a word.
func (s *scanner) bare() []byte {
	s.peek()
	start := s.at
	for s.at < len(s.text) && !strings.ContainsRune(" \t\r\n,:{}[]\"'", rune(s.text[s.at])) {
		s.at++
	}
	return s.text[start:s.at]
}

// pass passes over a value that nests too deep, however deep.
func (s *scanner) pass() bool {
	depth := 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			if !s.passQuoted() {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return true
		}
	}
	return false
}

// unquote returns the text between quotes. An escape that JSON does not know is
// left as it is.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	var text string
	// Of bytes of another encoding, which may be a token's, it would make other ones.
	if utf8.Valid(raw) && json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &text) == nil {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		length := 2
		if raw[i+1] == 'u' {
			length = 6
			if end := i + 12; end <= len(raw) && raw[i+6] == '\\' && raw[i+7] == 'u' {
				length = 12 // it may be one of a pair
			}
		}
		escape := raw[i:min(i+length, len(raw))]
		if json.Unmarshal(append(append([]byte{'"'}, escape...), '"'), &text) != nil {
			text = string(raw[i : i+1])
			length = 1
			if _, size := utf8.DecodeRune(raw[i+1:]); raw[i+1] == '\'' || raw[i+1] == '\\' {
				text, length = string(raw[i+1:i+1+size]), 1+size
			}
		}
		b.WriteString(text)
		i += length - 1
	}
	return b.String()
}

// Object is one JSON object or array that stands in a text.
type Object struct {
	Tree  any
	Whole bool

	start, end int
}

// Objects finds the JSON objects and arrays in a text, whatever stands around
// them: the outermost ones that are whole, and of those that are not what was
// complete. It reads no byte more than a few times.
func Objects(text []byte) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		budget := 8 * len(text)
		for at := 0; at < len(text); {
			next := bytes.IndexAny(text[at:], "{[")
			if next < 0 {
				return
			}
			s := scanner{text: text, at: at + next}
			found := Object{start: s.at}
			found.Tree, found.Whole = s.value(0)
			found.end = s.at
			if !saysNothing(found.Tree) && !yield(found) {
				return
			}
			// Within what makes no sense there may be something that does.
			at, budget = found.start+1, budget-(found.end-found.start)
			if found.Whole || budget < 0 {
				at = max(at, found.end)
			}
		}
	}
}
