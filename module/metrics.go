package module

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// Names of metrics begin with these.
const (
	metricsNamespace = "caddy"
	metricsSubsystem = "oauth2_client"
)

// counters are what is counted for all configurations together: each has a
// registry of its own, and a count must not start anew when one is loaded.
var counters = struct {
	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	unauthorized *prometheus.CounterVec
	replayed     *prometheus.CounterVec
	storeErrors  *prometheus.CounterVec
}{
	requests: prometheus.NewCounterVec(counterOpts("token_requests_total",
		"Token requests, by how they ended: granted, refused, misconfigured, unavailable, unanswered or not_sent."), []string{"client", "grant", "result"}),
	duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "refresh_duration_seconds",
		Help:    "How long token requests took, with the time to connect and to let requests finish.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"client"}),
	unauthorized: prometheus.NewCounterVec(counterOpts("unauthorized_total",
		"Answers 401 of upstreams to requests with a token."), []string{"client"}),
	replayed: prometheus.NewCounterVec(counterOpts("replayed_total",
		"Requests that were sent once more, with a newer token, after a 401."), []string{"client"}),
	storeErrors: prometheus.NewCounterVec(counterOpts("store_errors_total",
		"Attempts to read or write the client's record that failed."), []string{"client"}),
}

func counterOpts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help}
}

// results are the values of the label result.
var results = map[tokenendpoint.Outcome]string{
	tokenendpoint.Granted:       "granted",
	tokenendpoint.Refused:       "refused",
	tokenendpoint.Misconfigured: "misconfigured",
	tokenendpoint.Unavailable:   "unavailable",
	tokenendpoint.Unanswered:    "unanswered",
	tokenendpoint.NotSent:       "not_sent",
}

// grantLabel is the value of the label grant.
func (c *client) grantLabel() string {
	if c.cfg.GrantType == "-" {
		return "none"
	}
	return c.cfg.GrantType
}

// observe counts a token request.
func (c *client) observe(outcome tokenendpoint.Outcome, took time.Duration) {
	counters.requests.WithLabelValues(c.name, c.grantLabel(), results[outcome]).Inc()
	counters.duration.WithLabelValues(c.name).Observe(took.Seconds())
}

// count counts what an event tells.
func (c *client) count(e keeper.Event) {
	if e.Cause == keeper.CauseStore && e.Kind != keeper.StoreRecovered {
		counters.storeErrors.WithLabelValues(c.name).Inc()
	}
}

// presentCounters makes the client's counters appear before there is anything to
// count, so that the first increase is seen as one.
func (c *client) presentCounters() {
	for _, result := range results {
		counters.requests.WithLabelValues(c.name, c.grantLabel(), result)
	}
	counters.duration.WithLabelValues(c.name)
	counters.unauthorized.WithLabelValues(c.name)
	counters.replayed.WithLabelValues(c.name)
	counters.storeErrors.WithLabelValues(c.name)
}

// counted are the clients of all configurations, by name as in the metrics: a
// record that moves to another store gets another keeper, but counts go on.
var counted = caddy.NewUsagePool()

// shareCounters keeps a client's counters until they are given back.
func shareCounters(client string) (bool, error) {
	_, _, err := counted.LoadOrNew(client, func() (caddy.Destructor, error) {
		return pooled[string]{value: client, gone: func() { forgetCounters(client) }}, nil
	})
	return err == nil, err
}

// forgetCounters drops those of a client that no configuration has any more.
func forgetCounters(client string) {
	label := prometheus.Labels{"client": client}
	counters.requests.DeletePartialMatch(label)
	counters.duration.DeletePartialMatch(label)
	counters.unauthorized.DeletePartialMatch(label)
	counters.replayed.DeletePartialMatch(label)
	counters.storeErrors.DeletePartialMatch(label)
}

func registerMetrics(registry *prometheus.Registry, app *App) error {
	for _, c := range []prometheus.Collector{
		counters.requests, counters.duration, counters.unauthorized, counters.replayed, counters.storeErrors, gauges{app},
	} {
		if err := registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// gauges shows the clients of one configuration as they are when asked.
type gauges struct{ app *App }

var (
	gaugeValid      = gaugeDesc("token_valid", "1 if there is a valid access token, else 0.")
	gaugeExpiry     = gaugeDesc("token_expiry_timestamp_seconds", "When the newest access token expires, as a Unix time.")
	gaugeRefresh    = gaugeDesc("next_refresh_timestamp_seconds", "When the next token request is planned, as a Unix time.")
	gaugeGeneration = gaugeDesc("generation", "How many token answers were kept.")
	gaugeState      = gaugeDesc("state", "1 for the client's state, 0 for the others.", "state")
	gaugeWaiting    = gaugeDesc("waiting_requests", "Requests that wait for a token now.")
	gaugeEntries    = gaugeDesc("cache_entries", "Tokens of callers that are kept, and refusals that are remembered; only of clients whose callers have tokens of their own.")
	gaugeUnsaved    = gaugeDesc("record_unsaved", "1 if the newest refresh token could not be written yet, else 0.")
)

func gaugeDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, name), help, append([]string{"client"}, labels...), nil)
}

// Describe lists the gauges.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{gaugeValid, gaugeExpiry, gaugeRefresh, gaugeGeneration, gaugeState, gaugeWaiting, gaugeEntries, gaugeUnsaved} {
		ch <- d
	}
}

// Collect reads them.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	for _, c := range g.app.list() {
		st := c.state()
		send := func(d *prometheus.Desc, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{c.name}, labels...)...)
		}
		send(gaugeValid, oneIf(st.Token == "valid" || st.Token == tokenPerCaller))
		send(gaugeGeneration, float64(st.Generation))
		send(gaugeWaiting, float64(c.waiting()))
		send(gaugeUnsaved, oneIf(st.Unsaved))
		if c.cfg.perCaller() {
			send(gaugeEntries, float64(c.cacheEntries()))
		}
		if !st.ExpiresAt.IsZero() {
			send(gaugeExpiry, unixSeconds(st.ExpiresAt))
		}
		if st.Planned {
			send(gaugeRefresh, unixSeconds(time.Now().Add(st.NextAttempt)))
		}
		for _, state := range keeper.States {
			send(gaugeState, oneIf(st.State == state), string(state))
		}
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// Interface guard
var _ prometheus.Collector = gauges{}
