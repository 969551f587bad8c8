package test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

const monitoring = "../examples/monitoring"

// exposed are the metrics of a running sidecar, with the names of their labels.
func exposed(t *testing.T) map[string]map[string]bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	o := operate(t, func(caddyfile string) string {
		return strings.Replace(ending(caddyfile), "refresh_token ", "token_file "+file+"\n\t\t\trefresh_token ", 1)
	})
	metrics := make(map[string]map[string]bool)
	line := regexp.MustCompile(`(?m)^(caddy_oauth2_client_\w+)\{(.*)\} `)
	label := regexp.MustCompile(`(\w+)="`)
	for _, m := range line.FindAllStringSubmatch(o.metrics(), -1) {
		if metrics[m[1]] == nil {
			metrics[m[1]] = map[string]bool{"job": true, "instance": true}
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			metrics[m[1]][l[1]] = true
		}
	}
	for _, m := range regexp.MustCompile(`= storeDesc\("(\w+)"`).FindAllStringSubmatch(sourceOfStoreMetrics(t), -1) {
		metrics["caddy_oauth2_client_"+m[1]] = map[string]bool{"job": true, "instance": true, "store": true}
	}
	if len(metrics) < 12 {
		t.Fatalf("only these metrics are exposed: %v", metrics)
	}
	return metrics
}

// sourceOfStoreMetrics has the names of those that only a shared store has.
func sourceOfStoreMetrics(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../module/observe/stores.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// ending gives the client's grant an end.
func ending(caddyfile string) string {
	return strings.Replace(caddyfile, "refresh_token ", "refresh_token_expires_in 30d\n\t\t\trefresh_token ", 1)
}

// checkExpression checks that an expression asks for nothing that is not exposed.
func checkExpression(t *testing.T, metrics map[string]map[string]bool, expr string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel && !metrics[n.Name][m.Name] {
					t.Errorf("%s: %s is not exposed with a label %s", expr, n.Name, m.Name)
				}
			}
			if metrics[n.Name] == nil {
				t.Errorf("%s: there is no metric %s", expr, n.Name)
			}
		}
		return nil
	})
}

func alertRules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(monitoring, "alerts.yml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	rules := make(map[string]rulefmt.Rule)
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			rules[r.Alert] = r
		}
	}
	return rules
}

func TestAlertRulesAndDashboardAskForMetricsThatThereAre(t *testing.T) {
	metrics := exposed(t)
	for name, r := range alertRules(t) {
		checkExpression(t, metrics, r.Expr)
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
			t.Errorf("alert %s has no summary, description or severity", name)
		}
	}
	for _, expr := range dashboardExpressions(t) {
		checkExpression(t, metrics, expr)
	}
}

// dashboardExpressions are those of the panels, with Grafana's variables set.
func dashboardExpressions(t *testing.T) (list []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title       string
			Description string
			Targets     []struct{ Expr string }
		}
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := []string{"$__rate_interval", "5m"}
	for _, v := range dashboard.Templating.List {
		known = append(known, "$"+v.Name, "demo")
	}
	for _, p := range dashboard.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q lacks a title, a description or a query", p.Title)
		}
		for _, target := range p.Targets {
			expr := strings.NewReplacer(known...).Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %q: a variable of %s is not declared", p.Title, target.Expr)
			}
			list = append(list, expr)
		}
	}
	return list
}

// TestAlertsFireWhenTheyShould evaluates each rule's expression after a quarter of
// an hour with such values, one a minute.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	const c = `{job="lamplighter",instance="a",client="erp"`
	requests := func(result string) string {
		return "caddy_oauth2_client_token_requests_total" + c + `,grant="refresh_token",result="` + result + `"}`
	}
	for _, tc := range []struct {
		name, alert, load string
		fires             bool
	}{
		{"lost", "LamplighterHumanNeeded", "caddy_oauth2_client_state" + c + `,state="grant_lost"} 1x20`, true},
		{"ok", "LamplighterHumanNeeded", "caddy_oauth2_client_state" + c + `,state="ok"} 1x20` + "\n caddy_oauth2_client_state" + c + `,state="grant_lost"} 0x20`, false},
		{"retrying", "LamplighterHumanNeeded", "caddy_oauth2_client_state" + c + `,state="backoff"} 1x20`, false},
		{"ends in a day", "LamplighterGrantEnds", "caddy_oauth2_client_grant_expiry_timestamp_seconds" + c + "} 86400x20", true},
		{"ends in a month", "LamplighterGrantEnds", "caddy_oauth2_client_grant_expiry_timestamp_seconds" + c + "} 2592000x20", false},
		{"is prolonged", "LamplighterGrantEnds", "caddy_oauth2_client_grant_expiry_timestamp_seconds" + c + "} 1800x10 2400x9", false},
		{"no token", "LamplighterTokenMissing", "caddy_oauth2_client_token_valid" + c + "} 0x20", true},
		{"a token", "LamplighterTokenMissing", "caddy_oauth2_client_token_valid" + c + "} 1x20", false},
		{"unsaved", "LamplighterRecordNotWritten", "caddy_oauth2_client_record_unsaved" + c + "} 1x20", true},
		{"saved", "LamplighterRecordNotWritten", "caddy_oauth2_client_record_unsaved" + c + "} 0x20", false},
		{"not written", "LamplighterTokenFileFailed", "caddy_oauth2_client_token_file_failed" + c + `,path="/run/erp"} 1x20`, true},
		{"written", "LamplighterTokenFileFailed", "caddy_oauth2_client_token_file_failed" + c + `,path="/run/erp"} 0x20`, false},
		{"outage", "LamplighterRefreshFailing", requests("unavailable") + " 0+2x20\n " + requests("granted") + " 5x20", true},
		{"one failure, then a token", "LamplighterRefreshFailing", requests("unavailable") + " 0+2x20\n " + requests("granted") + " 5x12 6x7", false},
		{"all granted", "LamplighterRefreshFailing", requests("unavailable") + " 3x20\n " + requests("granted") + " 0+1x20", false},
		{"store fails", "LamplighterStoreErrors", "caddy_oauth2_client_store_errors_total" + c + "} 0x10 1x9", true},
		{"store works", "LamplighterStoreErrors", "caddy_oauth2_client_store_errors_total" + c + "} 7x20", false},
		{"401s stand", "LamplighterUpstreamRefusesTokens", "caddy_oauth2_client_unauthorized_total" + c + "} 0+2x20\n caddy_oauth2_client_replayed_total" + c + "} 0x20", true},
		{"401s are replayed", "LamplighterUpstreamRefusesTokens", "caddy_oauth2_client_unauthorized_total" + c + "} 0+2x20\n caddy_oauth2_client_replayed_total" + c + "} 0+2x20", false},
		{"10 rejections", "LamplighterUpstreamRejectsEveryToken", "caddy_oauth2_client_rejections_in_a_row" + c + "} 3 6 12x18", true},
		{"a few rejections", "LamplighterUpstreamRejectsEveryToken", "caddy_oauth2_client_rejections_in_a_row" + c + "} 9x20", false},
		{"store away", "LamplighterStoreUnavailable", `caddy_oauth2_client_store_up{job="lamplighter",instance="a",store="postgres"} 1x5 0x14`, true},
		{"store there", "LamplighterStoreUnavailable", `caddy_oauth2_client_store_up{job="lamplighter",instance="a",store="postgres"} 1x20`, false},
		{"always waiting", "LamplighterRequestsWait", "caddy_oauth2_client_waiting_requests" + c + "} 3x20", true},
		{"waiting at times", "LamplighterRequestsWait", "caddy_oauth2_client_waiting_requests" + c + "} 3 0 3 0 3 0 3 0 3 0 3 0 3 0 3 0 3 0 3 0", false},
	} {
		t.Run(tc.alert+"/"+tc.name, func(t *testing.T) {
			rule, ok := alertRules(t)[tc.alert]
			if !ok {
				t.Fatal("there is no such rule")
			}
			storage := promqltest.LoadedStorage(t, "load 1m\n "+tc.load+"\n")
			defer storage.Close()
			engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 10000)
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, rule.Expr, time.Unix(0, 0).Add(16*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			defer query.Close()
			vector, err := query.Exec(t.Context()).Vector()
			if err != nil {
				t.Fatal(err)
			}
			if got := len(vector) > 0; got != tc.fires {
				t.Errorf("fires: %v, want %v (%v)", got, tc.fires, vector)
			}
		})
	}
}
