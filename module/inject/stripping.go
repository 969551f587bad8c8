package inject

import "strings"

// withoutParam takes a parameter out of a raw query, in every spelling, and leaves
// every other byte of it alone. Some servers take a semicolon for an ampersand.
func withoutParam(raw string, name *reading) string {
	if !holdsParam(raw, name) {
		return raw
	}
	var kept strings.Builder
	separator := ""
	for more := true; more; {
		part, next := raw, ""
		i := strings.IndexAny(raw, "&;")
		if more = i >= 0; more {
			part, next, raw = raw[:i], raw[i:i+1], raw[i+1:]
		}
		if name.of(key(part)) {
			if separator != "" && next == "&" {
				separator = next
			}
			continue
		}
		kept.WriteString(separator)
		kept.WriteString(part)
		separator = next
	}
	return kept.String()
}

func holdsParam(raw string, name *reading) bool {
	for more := len(raw) >= name.least; more; {
		part := raw
		i := strings.IndexAny(raw, "&;")
		if more = i >= 0; more {
			part, raw = raw[:i], raw[i+1:]
		}
		if len(part) >= name.least && name.of(key(part)) {
			return true
		}
	}
	return false
}

func key(part string) string {
	key, _, _ := strings.Cut(part, "=")
	return key
}

// withoutCookie takes a cookie out of the value of a Cookie header, in every
// spelling, and leaves every other byte of it alone. A semicolon parts cookies (RFC
// 6265 section 4.2.1); for some servers a comma or a blank does too.
func withoutCookie(line string, name *reading) string {
	if !holdsCookie(line, name) {
		return line
	}
	var kept []string
	for part := range strings.SplitSeq(line, ";") {
		if part = withoutInner(part, name); !name.of(key(part)) {
			kept = append(kept, part)
		}
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " ")
}

// withoutCookies does so for all values of the header, in a new list. A line that
// holds nothing any more is gone.
func withoutCookies(lines []string, name *reading) []string {
	kept := make([]string, 0, len(lines)+1)
	for _, line := range lines {
		if line = withoutCookie(line, name); strings.Trim(line, " \t") != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

func holdsCookie(line string, name *reading) bool {
	for more := len(line) >= name.least; more; {
		var part string
		part, line, more = strings.Cut(line, ";")
		if len(part) < name.least {
			continue
		}
		if _, _, found := innerCookie(part, 0, name); found || name.of(key(part)) {
			return true
		}
	}
	return false
}

func withoutInner(part string, name *reading) string {
	var kept strings.Builder
	end := 0
	for {
		from, to, found := innerCookie(part, end, name)
		if !found {
			break
		}
		kept.WriteString(part[end:from])
		end = to
	}
	kept.WriteString(part[end:])
	return kept.String()
}

// innerCookie finds a cookie behind a comma or a blank, where others see the value
// of the cookie before it. It looks from begin on.
func innerCookie(part string, begin int, name *reading) (from, to int, found bool) {
	for i := max(begin, skipBlanks(part, 0)+1); i < len(part); i++ {
		if !isGap(part[i-1]) || isGap(part[i]) {
			continue
		}
		word := strings.IndexAny(part[i:], "=, \t")
		if word < 0 {
			break
		}
		equals := skipBlanks(part, i+word)
		if equals < len(part) && part[equals] == '=' && name.of(part[i:i+word]) {
			return max(begin, skipGapBack(part, i)), endOfValue(part, skipBlanks(part, equals+1)), true
		}
		i += word
	}
	return 0, 0, false
}

func isGap(c byte) bool { return c == ',' || c == ' ' || c == '\t' }

func skipBlanks(part string, i int) int {
	for i < len(part) && (part[i] == ' ' || part[i] == '\t') {
		i++
	}
	return i
}

func skipGapBack(part string, i int) int {
	for i > 0 && isGap(part[i-1]) {
		i--
	}
	return i
}

// endOfValue is where the value of a cookie ends, which may be quoted.
func endOfValue(part string, i int) int {
	if i < len(part) && part[i] == '"' {
		if closing := strings.IndexByte(part[i+1:], '"'); closing >= 0 {
			i += closing + 2
		}
	}
	for i < len(part) && !isGap(part[i]) {
		i++
	}
	return i
}
