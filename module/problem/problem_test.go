package problem

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A problem is JSON whatever a server's words are, and its header is one line.
func FuzzProblem(f *testing.F) {
	f.Add("invalid_grant", "it said: \"no\"\r\nX: y", "do\x00that")
	f.Add("…", "\xff\xfe", "</script>")
	f.Fuzz(func(t *testing.T, cause, detail, remedy string) {
		p := &Problem{Type: "about:blank", Status: http.StatusServiceUnavailable, Cause: cause, Detail: detail, Remedy: remedy}
		res := p.Response(nil)
		var got Problem
		body, err := io.ReadAll(res.Body)
		if err == nil {
			err = json.Unmarshal(body, &got)
		}
		if err != nil || got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %v", body, err)
		}
		for _, values := range res.Header {
			for _, value := range values {
				if strings.ContainsAny(value, "\r\n\x00") {
					t.Errorf("header %q", value)
				}
			}
		}
	})
}
