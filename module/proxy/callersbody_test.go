package proxy_test

import (
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// A body that the caller broke off is no failure of the upstream, which others need.
func TestABodyThatIsBrokenIsTheCallersFailure(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	const passive = "fail_duration 1m\nmax_fails 1"
	upstream := strings.TrimPrefix(s.AS.API.URL, "http://")
	for face, config := range map[string]string{
		"upstream_oauth":   s.Config("", passive),
		"without replay":   s.Config("replay_buffer 0", passive),
		"transport oauth2": s.Site("", "reverse_proxy "+upstream+" {\ntransport oauth2 erp\n"+passive+"\n}"),
	} {
		s.Load(config)
		for _, body := range []string{"5\nhello\nzz\n", "zz\n", "fffffffffffffffffff\nx", "5;a\nhello6\n"} {
			res, answer := s.Raw("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n" + body)
			if cause, _ := moduletest.ProblemOf(t, res, answer); res.StatusCode != 400 || cause != "request_body_broken" {
				t.Errorf("%s, %q: got %s %s", face, body, res.Status, answer)
			}
			if res, answer := s.Do("GET", "/", ""); res.StatusCode != 200 {
				t.Fatalf("%s, %q: another request got %s %s", face, body, res.Status, answer)
			}
		}
		if res, answer := s.Do("POST", "/", "whole"); res.StatusCode != 200 || !strings.Contains(answer, "\nwhole\n") {
			t.Errorf("%s: got %s %s", face, res.Status, answer)
		}
	}
}

// A status that another handler gives to a body stays.
func TestABodyThatIsTooLargeIsStillTold(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	upstream := strings.TrimPrefix(s.AS.API.URL, "http://")
	s.Load(s.Site("", "request_body {\nmax_size 10\n}\nreverse_proxy "+upstream+" {\ntransport oauth2 erp\n}"))
	if res, answer := s.Do("POST", "/", strings.Repeat("x", 100)); res.StatusCode != 413 {
		t.Errorf("got %s %s", res.Status, answer)
	}
}
