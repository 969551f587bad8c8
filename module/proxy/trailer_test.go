package proxy_test

import (
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

func TestCredentialsInTrailersDoNotReachTheUpstream(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	const settings = "inject header Authorization \"Bearer {access_token}\"\ninject header X-Api-Key"
	s.Load(s.Config(settings, ""))
	credentialsInTrailers(t, s)
	s.Load(s.Site(settings, "inject_token erp\nreverse_proxy "+strings.TrimPrefix(s.AS.API.URL, "http://")))
	credentialsInTrailers(t, s)
}

func credentialsInTrailers(t *testing.T, s *moduletest.Sidecar) {
	t.Helper()
	for name, announced := range map[string]string{"announced": "Trailer: Authorization, X-Api-Key, Cookie, X-Sum\n", "not announced": ""} {
		res, body := s.Raw("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n" + announced + "Connection: close\n\n" +
			"5\nhello\n0\nAuthorization: Bearer evil\nX-Api-Key: evil\nX-Sum: 42\nCookie: kept=1\n\n")
		if res.StatusCode != 200 || !strings.Contains(body, "\nhello\n") || strings.Contains(body, "evil") {
			t.Errorf("%s: got %d %s", name, res.StatusCode, body)
		}
		_, trailer, _ := strings.Cut(body, "trailer ")
		if announced != "" && trailer != "map[Cookie:[kept=1] X-Sum:[42]]" {
			t.Errorf("%s: other trailers are lost: %s", name, body)
		}
	}
}

func TestACookieInATrailerDoesNotCompeteWithTheTokens(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	s.Load(s.Config("inject cookie sess\ninject header Authorization \"Bearer {access_token}\"", ""))
	for trailer, want := range map[string]string{
		"Cookie: a=1; sess=evil; b=2": "map[Cookie:[a=1; b=2]]",
		"Cookie: sess=evil":           "map[]",
		"cookie: SESS =evil":          "map[]",
		"Cookie: a=1":                 "map[Cookie:[a=1]]",
	} {
		res, body := s.Raw("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTrailer: Cookie\nConnection: close\n\n0\n" + trailer + "\n\n")
		if _, got, _ := strings.Cut(body, "trailer "); res.StatusCode != 200 || strings.Contains(got, "evil") || got != want && want != "map[]" {
			t.Errorf("%s: got %d %s", trailer, res.StatusCode, body)
		}
	}
}
