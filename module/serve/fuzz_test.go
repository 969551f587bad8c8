package serve

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzAccept: whatever a request says that it accepts, it gets JSON only if it names that.
func FuzzAccept(f *testing.F) {
	for _, accept := range []string{"application/json", "text/html;q=0.9, Application/JSON ; q=0.1", "application/json;q=0", "application/json;q=NaN", "*/*", `application/json;a="`, ",;=,"} {
		f.Add(accept)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if wantsJSON(http.Header{"Accept": {accept}}) && !strings.Contains(strings.ToLower(accept), "application/json") {
			t.Errorf("%q asks for no JSON", accept)
		}
	})
}
