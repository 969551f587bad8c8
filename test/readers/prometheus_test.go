package readers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// targets are as many as are scraped every two seconds, all of them at the same address.
const targets = 20

// TestPrometheusScrapesOverRotations runs Debian's, with the configuration of the page. Each scrape
// that failed was refused by the API, and each of those is excused.
func TestPrometheusScrapesOverRotations(t *testing.T) {
	t.Parallel()
	program := rig.Need(t, "prometheus", "install prometheus")
	overlaps(t, func(t *testing.T, r *rotating) {
		home, address := rig.Home(t), rig.FreeAddress(t)
		var all strings.Builder
		for i := range targets {
			fmt.Fprintf(&all, "      - targets: [%s]\n        labels: {number: %q}\n", strings.TrimPrefix(r.API.URL, "http://"), fmt.Sprint(i))
		}
		rig.Write(t, home, "prometheus.yml", "global: {scrape_interval: 2s, scrape_timeout: 2s}\n"+rig.Replaced(t, rig.Example(t, "yaml", "scrape_configs:"),
			"/run/lamplighter/erp/token", r.file, "scheme: https", "scheme: http", "      - targets: [erp.example.com]\n", all.String()))
		p := rig.StartBinary(t, program, home, rig.Environment(home), "--config.file=prometheus.yml", "--storage.tsdb.path="+filepath.Join(home, "tsdb"), "--web.listen-address="+address)
		until := func(what string, holds func() bool) {
			rig.Eventually(t, what, func() bool {
				if p.Ended() {
					t.Fatalf("Prometheus ended: %v\n%s", p.Err, p.Output)
				}
				return holds()
			})
		}
		until("there was a scrape", func() bool { return slices.Max(r.Seen().Accepted) > 0 })
		first := r.Rotations()
		until("the token was replaced often enough", func() bool { return r.Rotations() >= first+8 })
		good, failed := scrapes(t, address)
		r.judge(t, fmt.Sprintf("Prometheus (%d scrapes, %d failed)", good+failed, failed), first)
		if good < targets {
			t.Errorf("there were %d scrapes", good)
		}
		if seen := r.Seen(); failed > seen.Replaced+seen.Refused {
			t.Errorf("%d scrapes failed, and the API has refused %d", failed, seen.Replaced+seen.Refused)
		}
	})
}

// scrapes asks a Prometheus how many there were, and how many of them failed.
func scrapes(t *testing.T, address string) (good, failed int) {
	t.Helper()
	res, err := http.Get("http://" + address + "/api/v1/query?query=up[10m]")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Values [][2]any } }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, series := range answer.Data.Result {
		for _, value := range series.Values {
			if value[1] == "1" {
				good++
			} else {
				failed++
			}
		}
	}
	return good, failed
}
