package readers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// A token lives so long, and is replaced when half of that is over: the other half is what a
// reader has to notice, on a busy machine too.
const lives = 4 * time.Second

// rotating is a server whose client's token is kept in a file.
type rotating struct {
	*rig.Rotating
	file string
}

// rotate starts a sidecar that keeps the token, and waits until its first one was replaced.
func rotate(t *testing.T, lenient bool) *rotating {
	t.Helper()
	home := rig.Home(t)
	r := &rotating{rig.StartRotating(t, lenient, lives, 0), filepath.Join(home, "tokens", "token")}
	rig.Write(t, home, "secret", "secret-of-the-application")
	rig.Write(t, home, "seed", r.Seed)
	rig.Write(t, home, "Caddyfile", fmt.Sprintf(`{
	oauth2_client erp {
		token_endpoint %s/token
		client_id app
		client_secret {file.secret}
		refresh_token {file.seed}
		rotation required
		rotation_overlap %s
		refresh_window_ratio 1/2
		min_refresh_interval 50ms
		token_file %s
	}
}
`, r.URL, r.Overlap(), r.file))
	p := rig.Start(t, home, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	rig.Eventually(t, "the first token was replaced", func() bool {
		if p.Ended() {
			t.Fatalf("lamplighter ended: %v\n%s", p.Err, p.Output)
		}
		return r.Rotations() > 1 && r.token(t) != ""
	})
	return r
}

// token is what the file holds.
func (r *rotating) token(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(r.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

// judge says what is wrong with what a reader has sent since the token before the first of
// these: each of them has to have been used. Where the old token dies with the birth of the next,
// what was on its way with it is refused; nothing else is.
func (r *rotating) judge(t *testing.T, who string, first int) {
	t.Helper()
	seen := r.Seen()
	t.Logf("%s, %s: accepted %v, refused %d on their way and %d others", who, r.Overlap(), seen.Accepted[first:], seen.Replaced, seen.Refused)
	for i, n := range seen.Accepted[first : len(seen.Accepted)-1] { // the last one is new
		if n == 0 {
			t.Errorf("%s has not used the token %d of %d", who, i+1, len(seen.Accepted)-first)
		}
	}
	if seen.Refused > 0 || r.Lenient && seen.Replaced > 0 {
		t.Errorf("%s, %s: %d requests were refused, and %d with the token before the newest", who, r.Overlap(), seen.Refused, seen.Replaced)
	}
}

// overlaps runs a test with both, at once.
func overlaps(t *testing.T, test func(t *testing.T, r *rotating)) {
	t.Helper()
	for _, lenient := range []bool{true, false} {
		t.Run(map[bool]string{true: "until_expiry", false: "none"}[lenient], func(t *testing.T) {
			t.Parallel()
			test(t, rotate(t, lenient))
		})
	}
}
