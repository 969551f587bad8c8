package module_test

import (
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/requestbody"
)

// A body that the caller broke off is no failure of the upstream, which others need.
func TestABodyThatIsBrokenIsTheCallersFailure(t *testing.T) {
	s := newSidecar(t, echoing(t))
	const passive = "fail_duration 1m\nmax_fails 1"
	upstream := strings.TrimPrefix(s.as.api.URL, "http://")
	for face, config := range map[string]string{
		"upstream_oauth":   s.config("", passive),
		"without replay":   s.config("replay_buffer 0", passive),
		"transport oauth2": s.site("", "reverse_proxy "+upstream+" {\ntransport oauth2 erp\n"+passive+"\n}"),
	} {
		s.load(config)
		for _, body := range []string{"5\nhello\nzz\n", "zz\n", "fffffffffffffffffff\nx", "5;a\nhello6\n"} {
			res, answer := s.raw("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n" + body)
			if cause, _ := problemOf(t, res, answer); res.StatusCode != 400 || cause != "request_body_broken" {
				t.Errorf("%s, %q: got %s %s", face, body, res.Status, answer)
			}
			if res, answer := s.do("GET", "/", ""); res.StatusCode != 200 {
				t.Fatalf("%s, %q: another request got %s %s", face, body, res.Status, answer)
			}
		}
		if res, answer := s.do("POST", "/", "whole"); res.StatusCode != 200 || !strings.Contains(answer, "\nwhole\n") {
			t.Errorf("%s: got %s %s", face, res.Status, answer)
		}
	}
}

// A status that another handler gives to a body stays.
func TestABodyThatIsTooLargeIsStillTold(t *testing.T) {
	s := newSidecar(t, echoing(t))
	upstream := strings.TrimPrefix(s.as.api.URL, "http://")
	s.load(s.site("", "request_body {\nmax_size 10\n}\nreverse_proxy "+upstream+" {\ntransport oauth2 erp\n}"))
	if res, answer := s.do("POST", "/", strings.Repeat("x", 100)); res.StatusCode != 413 {
		t.Errorf("got %s %s", res.Status, answer)
	}
}
