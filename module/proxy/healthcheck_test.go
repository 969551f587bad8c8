package proxy

import "testing"

func TestABodyIsFoundForHealthChecksThatExpectOne(t *testing.T) {
	for pattern, want := range map[string]string{
		"": "", "pong": "pong", "^ok$": "ok", "OK.*": "OK", `"status":"up"`: `"status":"up"`, "a|b": "a|b",
	} {
		if got, ok := expectedBody(pattern); !ok || got != want {
			t.Errorf("%s: got %q, %v", pattern, got, ok)
		}
	}
	if got, ok := expectedBody(`^\d{3}$`); ok {
		t.Errorf("got %q for a pattern of which no match is known", got)
	}
}
