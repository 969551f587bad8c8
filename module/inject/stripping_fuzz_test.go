package inject

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// readers are what servers read the name of a parameter as, each written from what
// that server does and not from our rule.
var readers = map[string]func(key string) string{
	"net/url": unescaped,
	"decoded twice, as behind a proxy that decodes": func(key string) string {
		return unescaped(unescaped(key))
	},
	"PHP: php_register_variable_ex": func(key string) string {
		name, _, _ := strings.Cut(strings.TrimLeft(unescaped(key), " "), "\x00")
		for i := range len(name) {
			if name[i] != '[' {
				continue
			}
			if i > 0 && strings.Contains(name[i:], "]") {
				name = name[:i] // an array
			} else {
				name = name[:i] + "_" + name[i+1:]
			}
			break
		}
		return strings.NewReplacer(".", "_", " ", "_").Replace(name)
	},
	"ASP.NET: NameValueCollection": func(key string) string { return strings.ToLower(unescaped(key)) },
	"classic ASP: %u": func(key string) string {
		return strings.ToLower(unescaped(percentU.ReplaceAllStringFunc(key, func(escape string) string {
			return "%" + escape[4:]
		})))
	},
	"Rack: normalize_params": func(key string) string {
		if m := rackKey.FindStringSubmatch(unescaped(key)); m != nil {
			return m[1]
		}
		return ""
	},
	"qs, as of Express": func(key string) string {
		name := unescaped(key)
		if i := strings.IndexByte(name, '['); i > 0 {
			return name[:i]
		} else if i == 0 && strings.IndexByte(name, ']') > 0 {
			return name[1:strings.IndexByte(name, ']')]
		}
		return name
	},
	"Java: trimmed": func(key string) string {
		return strings.TrimFunc(unescaped(key), func(r rune) bool { return r <= ' ' })
	},
}

var (
	percentU = regexp.MustCompile(`%u00[0-7][0-9a-fA-F]`)
	rackKey  = regexp.MustCompile(`^[\[\]]*([^\[\]]+)\]*`)
	lenient  = regexp.MustCompile(`%(?:[^0-9a-fA-F]|.[^0-9a-fA-F]|.?$)`)
)

// unescaped decodes once, and leaves what is no escape as it is.
func unescaped(key string) string {
	for {
		decoded, err := url.QueryUnescape(key)
		if err == nil {
			return strings.ReplaceAll(decoded, "\uFFFF%", "%")
		}
		at := lenient.FindStringIndex(key)
		if at == nil {
			return key
		}
		key = key[:at[0]] + "\uFFFF%25" + key[at[0]+1:]
	}
}

// remains reports whether text is what is left of another when some of its pieces
// were taken out: in their order, each as it was.
func remains(left, whole []string) bool {
	for _, piece := range left {
		found := false
		for len(whole) > 0 && !found {
			found, whole = whole[0] == piece, whole[1:]
		}
		if !found {
			return false
		}
	}
	return true
}

func parts(query string) []string {
	return strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
}

// No server reads the parameter in what is left, and that is as it was.
func FuzzWithoutParam(f *testing.F) {
	for _, seed := range []string{
		"", "a=1&access_token=x", "access%5ftoken=x;b", "a;;b&&", "%zz=1&access_token", "access_token=&access_token=x&c", "access.token=1", "access[token=1", "%20access_token=1",
		"access_token%00=1", "access_token[]=1", "[access_token]=1", "]access_token=1", "Access_Token=1", "%2561ccess_token=1", "%u0061ccess_token=1", "access%2", "%", "access_token[a][b",
		"%5Baccess_token%5D", "access%5Btoken", "access_token%0a", "%00access_token", "a[access_token]=1", "+%20+access_token", "access token", "%25%36%31ccess_token", "access_token]0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		left := withoutParam(query, accessTokenParam)
		for _, part := range parts(left) {
			key, _, _ := strings.Cut(part, "=")
			for server, read := range readers {
				if read(key) == "access_token" {
					t.Errorf("%q leaves %q, and %s reads it", query, left, server)
				}
			}
		}
		if again := withoutParam(left, accessTokenParam); again != left {
			t.Errorf("%q becomes %q, and then %q", query, left, again)
		}
		if !remains(parts(left), parts(query)) {
			t.Errorf("%q became %q: something else was changed", query, left)
		}
		if len(parts(left)) == len(parts(query)) && left != query {
			t.Errorf("%q became %q, and nothing was taken out", query, left)
		}
	})
}

// cookieReaders are how servers part the cookies of a header.
var cookieReaders = map[string]func(line string) (names []string){
	"net/http": func(line string) (names []string) {
		for _, c := range (&http.Request{Header: http.Header{"Cookie": {line}}}).Cookies() {
			names = append(names, c.Name)
		}
		return names
	},
	"RFC 6265, as PHP, Django and Express do": func(line string) (names []string) {
		for part := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(part, "=")
			names = append(names, readers["PHP: php_register_variable_ex"](strings.Trim(name, " \t")))
		}
		return names
	},
	"commas, as RFC 2965 has it": func(line string) (names []string) {
		for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == ',' }) {
			if name, _, found := strings.Cut(part, "="); found {
				names = append(names, strings.Trim(name, " \t"))
			}
		}
		return names
	},
	"Python: http.cookies": func(line string) (names []string) {
		for _, m := range pythonCookie.FindAllStringSubmatch(line, -1) {
			names = append(names, m[1])
		}
		return names
	},
}

var pythonCookie = regexp.MustCompile(`(?:^|[;,\s])\s*([\w!#$%&'*+\-.^|~]+)[ \t]*=`)

// No server reads the cookie in what is left, and every other cookie is as it was.
func FuzzWithoutCookie(f *testing.F) {
	for _, seed := range []string{
		"", "sid=x", "a=1; sid=x; b=2", `j={"a":1}; sid=x`, "a=1, sid=x", "a=1 sid=x", `sid="x y"; b`, "SID=x", "sid", " sid = x", "a=b sid", ";;sid;;", `a="b; sid=x"`, "%73id=x", "sid[]=x",
		`x sid="a b" sid=c, sid =`, "sid sid=1", "a,sid=1,sid=2;b", ",sid= ,sid=",
	} {
		f.Add(seed)
	}
	name := newReading("sid")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n\x00") || strings.TrimSpace(line) != line {
			return // no value of a header
		}
		left := withoutCookie(line, name)
		for server, read := range cookieReaders {
			for _, found := range read(left) {
				if strings.EqualFold(found, "sid") {
					t.Errorf("%q leaves %q, and %s reads it", line, left, server)
				}
			}
		}
		if again := withoutCookie(left, name); again != left {
			t.Errorf("%q becomes %q, and then %q", line, left, again)
		}
		if !strings.ContainsAny(line, ", \t") {
			if !remains(strings.Split(left, ";"), strings.Split(line, ";")) && left != "" {
				t.Errorf("%q became %q: something else was changed", line, left)
			}
		}
		if !strings.Contains(strings.ToLower(unescaped(line)), "sid") && !strings.Contains(line, "%") && isASCII(line) && left != line {
			t.Errorf("%q became %q", line, left)
		}
	})
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}
