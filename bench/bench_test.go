package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/bench/load"
	"lamplighter/bench/program"
	"lamplighter/module/moduletest/skip"
)

// The tests' own binary is the load generator too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == load.Command {
		exitOn(load.Serve(os.Stdin, os.Stdout))
		return
	}
	os.Exit(m.Run())
}

func TestRatiosAreThoseOfPairs(t *testing.T) {
	r := row{ours: []float64{2, 30, 8}, base: []float64{1, 10, 8}}
	s, ok := r.ratio()
	if !ok || s != (spread{median: 2, low: 1, high: 3}) {
		t.Errorf("got %+v", s)
	}
	r = row{ours: []float64{6}, base: []float64{1, 2, 3, 6}}
	if s, _ := r.ratio(); s != (spread{median: 2.5, low: 1, high: 6}) {
		t.Errorf("one value beside four: %+v", s)
	}
	if _, ok := (row{ours: []float64{1}}).ratio(); ok {
		t.Error("there is a ratio to nothing")
	}
}

func TestTargets(t *testing.T) {
	for _, test := range []struct {
		target  target
		ours    []float64
		met, ok bool
	}{
		{target{ratioAtMost, 1.02}, []float64{1.02}, true, true},
		{target{ratioAtMost, 1.02}, []float64{1.03}, false, true},
		{target{ratioAtLeast, 0.98}, []float64{0.98}, true, true},
		{target{ratioAtLeast, 0.98}, []float64{0.97}, false, true},
		{target{valueAtMost, 0}, []float64{0}, true, true},
		{target{valueAtMost, 0}, []float64{1}, false, true},
		{target{}, []float64{1}, false, false},
		{target{valueAtMost, 0}, nil, false, false},
	} {
		r := row{ours: test.ours, base: []float64{1}, target: test.target}
		if met, ok := r.met(); met != test.met || ok != test.ok {
			t.Errorf("%v of %v: met %t, %t", test.target, test.ours, met, ok)
		}
		r.invalid = errors.New("503")
		if _, ok := r.met(); ok {
			t.Errorf("%v of %v is judged though it is invalid", test.target, test.ours)
		}
	}
}

func TestNumbersAreWrittenWithThreeDigits(t *testing.T) {
	for want, got := range map[string]string{
		"1234 µs": microseconds.write(1234.4), "56.8 KiB": kibibytes.write(56.78), "0.12 s": seconds.write(0.123),
		"987/s": perSecond.write(987.2), "16": number.write(16), "2.50": number.write(2.5), "–": number.write(math.NaN()),
	} {
		if got != want {
			t.Errorf("got %q instead of %q", got, want)
		}
	}
}

func TestEvenness(t *testing.T) {
	mean, deviation, most := evenness([]int{2, 4, 4, 4, 5, 5, 7, 9})
	if mean != 5 || deviation != 2 || most != 9 {
		t.Errorf("mean %v, deviation %v, most %v", mean, deviation, most)
	}
}

func TestOnlyTheGeneratedPartOfAPageChanges(t *testing.T) {
	page := "before\n" + beginMark + "\nold\n" + endMark + "\nafter\n"
	got, err := splice([]byte(page), "new")
	if want := "before\n" + beginMark + "\nnew\n" + endMark + "\nafter\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := splice([]byte("no marks"), "new"); err == nil {
		t.Error("a page without marks was accepted")
	}
	real, err := os.ReadFile(filepath.Join("..", "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := splice(real, "new"); err != nil {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	if err := writeFile(dir, "performance.md", beginMark+endMark); err != nil {
		t.Fatal(err)
	}
	r := report{about: about{lines: []string{"a machine"}}, tables: []table{{"Cost", []row{
		{what: "ours", baseline: "theirs", unit: microseconds, ours: []float64{1, 2, 3}, base: []float64{1, 1, 1}, target: target{ratioAtMost, 1.5}},
		{what: "other", baseline: "theirs", missing: "it is not installed"},
		{what: "slow", baseline: "theirs", unit: seconds, missing: "it took too long", target: target{valueAtMost, 3}},
	}}}}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"- a machine\n",
		"| ours | 2.00 µs | theirs | 1.00 µs | **2.0** (1.000–3.0) | ratio ≤ 1.5 | **missed** |\n",
		"| other | | theirs | | not measured: it is not installed |  |  |\n",
		"| slow | | theirs | | not measured: it took too long | ≤ 3.00 s | **missed** |\n",
	} {
		if !strings.Contains(string(page), line) {
			t.Errorf("the page lacks %q:\n%s", line, page)
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "performance.svg"))
	if err != nil || !strings.Contains(string(svg), "<svg") || strings.Contains(string(svg), "other") {
		t.Errorf("the plot: %v\n%.500s", err, svg)
	}
}

func TestLoad(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if served.Add(1)%50 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, "page")
	}))
	defer server.Close()
	address := server.Listener.Addr().String()

	out, err := load.Run(t.Context(), load.Order{Address: address, Duration: 200 * time.Millisecond, Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if out.Requests != 200 || out.Failed != 4 || !strings.Contains(out.Why, "503") || out.P50 <= 0 || out.P99 < out.P50 {
		t.Errorf("at a constant rate: %+v", out)
	}
	served.Store(0)
	if out, err = load.Run(t.Context(), load.Order{Address: address, Duration: 200 * time.Millisecond, Connections: 4}); err != nil {
		t.Fatal(err)
	}
	if out.Requests != served.Load() || out.Failed != served.Load()/50 || out.Err() == nil {
		t.Errorf("one after the other, %d served: %+v", served.Load(), out)
	}
}

// TestLatencyCountsFromWhenARequestWasDue stops the world for a while: whoever
// only times what was sent sees one slow request, not those that had to wait.
func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	first := sync.OnceValue(time.Now)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(time.Until(first().Add(time.Second)))
	}))
	defer server.Close()
	out, err := load.Run(t.Context(), load.Order{Address: server.Listener.Addr().String(), Duration: 400 * time.Millisecond, Rate: 100})
	if err != nil || out.Failed > 0 {
		t.Fatal(err, out)
	}
	if out.Requests != 40 || out.P50 < 500_000 || out.Max > 1_500_000 {
		t.Errorf("%+v", out)
	}
}

func TestWhatIsNotMeasuredIsNoBaseline(t *testing.T) {
	s := &serving{
		nginx: &proxy{missing: "nginx is not installed"}, again: &proxy{missing: "nginx is not installed"},
		each: &proxy{missing: "nginx is not installed"}, cached: &proxy{missing: "nginx is not installed"},
		haproxy: &proxy{what: "HAProxy", cpu: []float64{1}}, script: &proxy{cpu: []float64{2}}, task: &proxy{cpu: []float64{1}},
		caddy: &proxy{cpu: []float64{4}}, front: &proxy{cpu: []float64{4}},
	}
	for _, r := range s.rows() {
		if want := map[bool]string{true: "", false: "nginx is not installed"}[r.baseline == "HAProxy"]; r.missing != want {
			t.Errorf("%s beside %s: missing %q instead of %q", r.what, r.baseline, r.missing, want)
		}
	}
}

// TestWhatIsMeasuredIsWhatThePageShows: an example that is gone is not measured by mistake.
func TestWhatIsMeasuredIsWhatThePageShows(t *testing.T) {
	b := &bench{root: ".."}
	if blocks, err := b.examples("nginx", 5); err != nil || !strings.Contains(blocks[0], "auth_request") {
		t.Errorf("%v: %q", err, blocks)
	}
	if _, err := b.examples("nginx", 4); err == nil {
		t.Error("another number of examples was accepted")
	}
	if got, err := replaced("a b a", "a", "c", "b", "d"); err != nil || got != "c d c" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := replaced("a b", "c", "d"); err == nil {
		t.Error("what is not there was replaced")
	}
}

// TestEverythingOnceWithTheRealBinaries runs what is quick of a quick run.
func TestEverythingOnceWithTheRealBinaries(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds Caddy")
	}
	if _, _, _, err := program.Machine(); err != nil {
		skip.Missing(t, "%v", err)
	}
	if err := run(t.Context(), options{root: "..", only: "proxy,serving,gogc", quick: true}); err != nil {
		t.Error(err)
	}
}
