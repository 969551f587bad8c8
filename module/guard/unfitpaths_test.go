package guard_test

import (
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// A target that is no path goes to the upstream as it is, and the server that it names
// counts there, not the Host beside it (RFC 9112 section 3.2.2).
func TestATargetThatNamesAnotherServerIsNotSentWithTheToken(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	for face, config := range s.Faces() {
		s.Load(config)
		for _, target := range []string{
			"a:http://evil.example.com/x", "http:http://evil.example.com/x?a=b", "https:evil.example.com", "foo:bar",
			"http:%2f%2fevil.example.com/", "x:*", "mailto:a@example.com",
		} {
			res, body := s.Raw("GET " + target + " HTTP/1.1\nHost: x\nConnection: close\n\n")
			if res.StatusCode != 400 || strings.Contains(body, "access-token") {
				t.Errorf("%s, %s: got %s %s", face, target, res.Status, body)
				continue
			}
			if face == "inject_token" {
				continue // whose errors are for handle_errors
			}
			if cause, remedy := moduletest.ProblemOf(t, res, body); cause != "target_refused" || remedy == "" {
				t.Errorf("%s, %s: got %s", face, target, body)
			}
		}
		for _, target := range []string{"/x", "/http://evil.example.com/x", "//evil.example.com/x", "http://x/x", "http://x", "/a:b"} {
			if res, body := s.Raw("GET " + target + " HTTP/1.1\nHost: x\nConnection: close\n\n"); res.StatusCode != 200 || !strings.HasPrefix(body, "GET /") {
				t.Errorf("%s, %s: got %s %s", face, target, res.Status, body)
			}
		}
	}
}

func TestATunnelIsNotAskedForWithTheToken(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	for face, config := range s.Faces() {
		s.Load(config)
		for _, line := range []string{"CONNECT x:443", "CONNECT evil.example.com:443", "CONNECT /", "connect /"} {
			host := "x"
			if strings.Contains(line, "evil") && face == "upstream_oauth" {
				host = "evil.example.com:443" // the guard looks at the method first
			}
			res, body := s.Raw(line + " HTTP/1.1\nHost: " + host + "\nConnection: close\n\n")
			if res.StatusCode != 405 || res.Header.Get("Allow") == "" {
				t.Errorf("%s, %s: got %s %s", face, line, res.Status, body)
				continue
			}
			if face == "inject_token" {
				continue
			}
			if cause, remedy := moduletest.ProblemOf(t, res, body); cause != "connect_refused" || remedy == "" {
				t.Errorf("%s, %s: got %s", face, line, body)
			}
		}
	}
}
