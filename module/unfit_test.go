package module_test

import (
	"strings"
	"testing"
)

// faces are the configurations that put a token into a request.
func (s *sidecar) faces() map[string]string {
	upstream := strings.TrimPrefix(s.as.api.URL, "http://")
	return map[string]string{
		"upstream_oauth":   s.config("", ""),
		"transport oauth2": s.site("", "reverse_proxy "+upstream+" {\ntransport oauth2 erp\n}"),
		"inject_token":     s.site("", "inject_token erp\nreverse_proxy "+upstream),
	}
}

// A target that is no path goes to the upstream as it is, and the server that it names
// counts there, not the Host beside it (RFC 9112 section 3.2.2).
func TestATargetThatNamesAnotherServerIsNotSentWithTheToken(t *testing.T) {
	s := newSidecar(t, echoing(t))
	for face, config := range s.faces() {
		s.load(config)
		for _, target := range []string{
			"a:http://evil.example.com/x", "http:http://evil.example.com/x?a=b", "https:evil.example.com", "foo:bar",
			"http:%2f%2fevil.example.com/", "x:*", "mailto:a@example.com",
		} {
			res, body := s.raw("GET " + target + " HTTP/1.1\nHost: x\nConnection: close\n\n")
			if res.StatusCode != 400 || strings.Contains(body, "access-token") {
				t.Errorf("%s, %s: got %s %s", face, target, res.Status, body)
				continue
			}
			if face == "inject_token" {
				continue // whose errors are for handle_errors
			}
			if cause, remedy := problemOf(t, res, body); cause != "target_refused" || remedy == "" {
				t.Errorf("%s, %s: got %s", face, target, body)
			}
		}
		for _, target := range []string{"/x", "/http://evil.example.com/x", "//evil.example.com/x", "http://x/x", "http://x", "/a:b"} {
			if res, body := s.raw("GET " + target + " HTTP/1.1\nHost: x\nConnection: close\n\n"); res.StatusCode != 200 || !strings.HasPrefix(body, "GET /") {
				t.Errorf("%s, %s: got %s %s", face, target, res.Status, body)
			}
		}
	}
}

func TestATunnelIsNotAskedForWithTheToken(t *testing.T) {
	s := newSidecar(t, echoing(t))
	for face, config := range s.faces() {
		s.load(config)
		for _, line := range []string{"CONNECT x:443", "CONNECT evil.example.com:443", "CONNECT /", "connect /"} {
			host := "x"
			if strings.Contains(line, "evil") && face == "upstream_oauth" {
				host = "evil.example.com:443" // the guard looks at the method first
			}
			res, body := s.raw(line + " HTTP/1.1\nHost: " + host + "\nConnection: close\n\n")
			if res.StatusCode != 405 || res.Header.Get("Allow") == "" {
				t.Errorf("%s, %s: got %s %s", face, line, res.Status, body)
				continue
			}
			if face == "inject_token" {
				continue
			}
			if cause, remedy := problemOf(t, res, body); cause != "connect_refused" || remedy == "" {
				t.Errorf("%s, %s: got %s", face, line, body)
			}
		}
	}
}
