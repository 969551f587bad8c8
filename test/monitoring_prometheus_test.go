package test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// prometheus is a real one that scrapes a sidecar and evaluates our rules.
type prometheus struct {
	*testing.T
	origin string
}

// program finds one of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		rig.Skip(t, "there is no %s here: install Debian's package prometheus", name)
	}
	return path
}

// startPrometheus starts one for a target.
func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	path, home := program(t, "prometheus"), rig.Home(t)
	rules, err := filepath.Abs(filepath.Join(monitoring, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, home, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 500ms, evaluation_interval: 500ms, scrape_timeout: 500ms}
rule_files: [%q]
scrape_configs:
  - job_name: lamplighter
    static_configs: [{targets: [%q]}]
`, rules, target))
	address := rig.FreeAddress(t)
	p := &prometheus{t, "http://" + address}
	run := rig.StartBinary(t, path, home, nil, "--config.file="+filepath.Join(home, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(home, "tsdb"), "--web.listen-address="+address)
	rig.Eventually(t, "Prometheus has scraped", func() bool {
		if run.Ended() {
			t.Fatalf("Prometheus ended: %v", run.Err)
		}
		return p.ready() && len(p.query(`up == 1`)) == 1
	})
	return p
}

// ready reports whether it answers queries by now.
func (p *prometheus) ready() bool {
	res, err := http.Get(p.origin + "/-/ready")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// ask asks its API, and decodes the data of the answer.
func (p *prometheus) ask(path string, into any) error {
	res, err := http.Get(p.origin + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// query evaluates an expression.
func (p *prometheus) query(expr string) []json.RawMessage {
	p.Helper()
	var data struct{ Result []json.RawMessage }
	if err := p.ask("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		p.Errorf("%s: %v", expr, err)
	}
	return data.Result
}

// alerts returns the states of those that are active, by name.
func (p *prometheus) alerts() map[string]string {
	p.Helper()
	var data struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	if err := p.ask("/api/v1/alerts", &data); err != nil {
		p.Fatal(err)
	}
	active := make(map[string]string)
	for _, a := range data.Alerts {
		active[a.Labels["alertname"]] = a.State
	}
	return active
}

// scraped adds a site with the sidecar's metrics to a Caddyfile.
func scraped(address string) func(string) string {
	_, port, _ := net.SplitHostPort(address)
	return func(caddyfile string) string {
		return ending(caddyfile) + "\nhttp://:" + port + " {\n\tbind 127.0.0.1\n\tmetrics\n}\n"
	}
}

func TestARealPrometheusEvaluatesTheDashboardAndTheAlerts(t *testing.T) {
	program(t, "prometheus")
	address := rig.FreeAddress(t)
	o := operate(t, scraped(address))
	p := startPrometheus(t, address)
	onlyShared := regexp.MustCompile(`_store_up\b`)
	for _, expr := range dashboardExpressions(t) {
		if onlyShared.MatchString(expr) {
			p.query(expr) // there is no shared store here
			continue
		}
		expr = strings.ReplaceAll(strings.ReplaceAll(expr, `job=~"demo"`, `job=~"lamplighter"`), "[5m]", "[1m]")
		rig.Eventually(t, "values of "+expr, func() bool { return len(p.query(expr)) > 0 })
	}

	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	rig.Eventually(t, "all rules are evaluated", func() bool {
		if err := p.ask("/api/v1/rules", &rules); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range rules.Groups[0].Rules {
			if r.Health == "err" || r.LastError != "" {
				t.Fatalf("%s: %s", r.Name, r.LastError)
			}
			if r.Health == "ok" {
				n++
			}
		}
		return n == len(alertRules(t))
	})
	if active := p.alerts(); len(active) > 0 {
		t.Errorf("of a sidecar that is well these alerts are active: %v", active)
	}
	o.control("revoke", nil)
	o.tokens(1, "", "refresh", "demo")
	rig.Eventually(t, "the loss is on the way to an alert", func() bool { return p.alerts()["LamplighterHumanNeeded"] != "" })
}

func TestPromtoolAcceptsTheAlerts(t *testing.T) {
	out, err := exec.Command(program(t, "promtool"), "check", "rules", filepath.Join(monitoring, "alerts.yml")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("SUCCESS: %d rules found", len(alertRules(t)))) {
		t.Errorf("%v\n%s", err, out)
	}
}
