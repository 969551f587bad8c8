package observe

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/tokenfile"
)

// Names of metrics begin with these.
const (
	metricsNamespace = "caddy"
	metricsSubsystem = "oauth2_client"
)

// results are the values of the label result, by outcome.
var results = [...]string{
	tokenendpoint.Granted:       "granted",
	tokenendpoint.Refused:       "refused",
	tokenendpoint.Misconfigured: "misconfigured",
	tokenendpoint.Unavailable:   "unavailable",
	tokenendpoint.Unanswered:    "unanswered",
	tokenendpoint.NotSent:       "not_sent",
}

// grantLabel is the value of the label grant.
func grantLabel(grantType string) string {
	if grantType == "-" {
		return "none"
	}
	return grantType
}

// Observed is a client as its metrics show it.
type Observed struct {
	// Name is the client's, and GrantType its setting.
	Name, GrantType string

	// Counts are what is counted of it.
	Counts *Counts

	// Status is how it is, and Waiting how many requests wait for a token.
	Status  keeper.Status
	Waiting int64

	// Shared says that its record is in a shared store, and LeaseHeld that this process has
	// its lease there.
	Shared, LeaseHeld bool

	// Proves says that it proves a key (RFC 9449).
	Proves bool

	// CacheEntries is how many tokens of callers are kept; -1 if they have none.
	CacheEntries int

	// Files are those that the token is kept in.
	Files []tokenfile.State
}

// Register shows clients as they are whenever the registry is asked.
func Register(registry *prometheus.Registry, clients iter.Seq[Observed]) error {
	return registry.Register(collector{clients})
}

// collector shows the clients of one configuration as they are when asked.
type collector struct{ clients iter.Seq[Observed] }

var (
	requestsTotal = desc("token_requests_total",
		"Token requests, by how they ended: granted, refused, misconfigured, unavailable, unanswered or not_sent.", "grant", "result")
	refreshDuration = desc("refresh_duration_seconds",
		"How long token requests took, with the time to connect and to let requests finish.")
	askedTotal = desc("requests_total",
		"Requests that want a token, by what became of them: sent, replayed, unavailable or refused; cause says why one was not sent.", "outcome", "cause")
	rejections        = desc("rejections_in_a_row", "How many answers of one upstream in a row rejected the token.")
	unauthorizedTotal = desc("unauthorized_total", "Answers 401 of upstreams to requests with a token.")
	replayedTotal     = desc("replayed_total", "Requests that were sent once more, with a newer token, after a 401.")
	proofsRefused     = desc("proofs_refused_total", "Proofs of possession (DPoP) that were refused; outcome says whether another one was sent at once, and cause why; only of clients with dpop.", "outcome", "cause")
	storeErrorsTotal  = desc("store_errors_total", "Attempts to read or write the client's record that failed.")

	tokenValid      = desc("token_valid", "1 if there is a valid access token, else 0.")
	tokenExpiry     = desc("token_expiry_timestamp_seconds", "When the newest access token expires, as a Unix time.")
	grantExpiry     = desc("grant_expiry_timestamp_seconds", "When the grant ends by itself, as a Unix time; absent if it does not, or if nobody knows.")
	nextRefresh     = desc("next_refresh_timestamp_seconds", "When the next token request is planned, as a Unix time.")
	generation      = desc("generation", "How many token answers were kept.")
	clientState     = desc("state", "1 for the client's state, 0 for the others.", "state")
	waitingRequests = desc("waiting_requests", "Requests that wait for a token now.")
	cacheEntries    = desc("cache_entries", "Tokens of callers that are kept, and refusals that are remembered; only of clients whose callers have tokens of their own.")
	leaseHeld       = desc("lease_held", "1 if this process has the client's lease in a shared store, else 0.")
	takeoversTotal  = desc("takeovers_total", "Leases that this process took over from a replica that did not renew them.")
	tokenFileFailed = desc("token_file_failed", "1 if the file could not be written, or was changed by somebody else, so that what reads it may have no valid token; else 0.", "path")
	recordUnsaved   = desc("record_unsaved", "1 if the newest refresh token could not be written yet, else 0.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, name), help, append([]string{"client"}, labels...), nil)
}

// Describe lists the metrics.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsTotal, askedTotal, rejections, refreshDuration, unauthorizedTotal, replayedTotal, proofsRefused, storeErrorsTotal,
		tokenValid, tokenExpiry, grantExpiry, nextRefresh, generation, clientState, waitingRequests, cacheEntries, tokenFileFailed, recordUnsaved, leaseHeld, takeoversTotal,
	} {
		ch <- d
	}
	ch <- buildInfo
}

// Collect reads them.
func (m collector) Collect(ch chan<- prometheus.Metric) {
	for c := range m.clients {
		send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, value, append([]string{c.Name}, labels...)...)
		}
		c.collectCounts(send)
		count, sum, buckets := c.Counts.histogram()
		ch <- prometheus.MustNewConstHistogram(refreshDuration, count, sum, buckets, c.Name)
		c.collectState(func(d *prometheus.Desc, value float64, labels ...string) {
			send(d, prometheus.GaugeValue, value, labels...)
		})
	}
	if n := ofNobody(); n != nil {
		n.each(func(n uint64, outcome, why string) {
			ch <- prometheus.MustNewConstMetric(askedTotal, prometheus.CounterValue, float64(n), "", outcome, why)
		})
	}
	ch <- builtMetric()
}

// collectCounts sends counters that are zero too, so that the first increase is
// seen as one.
func (c *Observed) collectCounts(send func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string)) {
	count := func(d *prometheus.Desc, n *atomic.Uint64, labels ...string) {
		send(d, prometheus.CounterValue, float64(n.Load()), labels...)
	}
	for outcome, result := range results {
		if result != "" {
			count(requestsTotal, &c.Counts.requests[outcome], grantLabel(c.GrantType), result)
		}
	}
	c.Counts.Requests.each(func(n uint64, outcome, why string) {
		send(askedTotal, prometheus.CounterValue, float64(n), outcome, why)
	})
	count(unauthorizedTotal, &c.Counts.Unauthorized)
	count(replayedTotal, &c.Counts.Replayed)
	count(storeErrorsTotal, &c.Counts.storeErrors)
	if c.Proves {
		c.Counts.Proofs.each(func(n *atomic.Uint64, outcome, why string) { count(proofsRefused, n, outcome, why) })
	}
	if c.Shared {
		count(takeoversTotal, &c.Counts.Takeovers)
	}
}

func (c *Observed) collectState(send func(d *prometheus.Desc, value float64, labels ...string)) {
	st := &c.Status
	send(tokenValid, oneIf(adminapi.HasToken(st.Token)))
	send(generation, float64(st.Generation))
	send(waitingRequests, float64(c.Waiting))
	send(recordUnsaved, oneIf(st.Unsaved))
	send(rejections, float64(c.Counts.Rejections.longest()))
	if c.Shared {
		send(leaseHeld, oneIf(c.LeaseHeld))
	}
	if c.CacheEntries >= 0 {
		send(cacheEntries, float64(c.CacheEntries))
	}
	for _, f := range c.Files {
		send(tokenFileFailed, oneIf(f.Trouble != nil), f.Path)
	}
	if !st.ExpiresAt.IsZero() {
		send(tokenExpiry, unixSeconds(st.ExpiresAt))
	}
	if !st.GrantExpiresAt.IsZero() {
		send(grantExpiry, unixSeconds(st.GrantExpiresAt))
	}
	if st.Planned {
		send(nextRefresh, unixSeconds(time.Now().Add(st.NextAttempt)))
	}
	for _, state := range keeper.States {
		send(clientState, oneIf(st.State == state), string(state))
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
var _ prometheus.Collector = collector{}
