package clients

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// want makes a call, such as "POST /digest", and checks its answer.
func want(t *testing.T, client *http.Client, s *site, call, body string, header http.Header, status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	method, path, _ := strings.Cut(call, " ")
	req, err := http.NewRequestWithContext(ctx, method, s.URL(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status || string(got) != answer {
		t.Fatalf("%s: %d %.200q %v, not %d %.200q", call, res.StatusCode, got, err, status, answer)
	}
}

// digestOf is what the API says of a body.
func digestOf(body string) string {
	return fmt.Sprintf("%d %x", len(body), sha256.Sum256([]byte(body)))
}
