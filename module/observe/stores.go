package observe

import (
	"iter"

	"github.com/prometheus/client_golang/prometheus"

	"lamplighter/module/internal/sharedstore"
)

// Store is a shared store as its metrics show it.
type Store struct {
	// Name is its place, without any secret.
	Name string

	// Up says that it answered last.
	Up bool

	// Calls are what was asked of it.
	Calls []sharedstore.Calls
}

var (
	storeUp       = storeDesc("store_up", "1 if the shared store answered last, else 0.")
	storeDuration = storeDesc("store_operation_duration_seconds", "How long calls of the shared store took.", "operation", "result")
)

func storeDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, name), help, append([]string{"store"}, labels...), nil)
}

// RegisterStores shows shared stores as they are whenever the registry is asked.
func RegisterStores(registry *prometheus.Registry, stores iter.Seq[Store]) error {
	return registry.Register(storeCollector{stores})
}

// storeCollector shows the shared stores of one configuration as they are when asked.
type storeCollector struct{ stores iter.Seq[Store] }

// Describe lists the metrics.
func (storeCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- storeUp
	ch <- storeDuration
}

// Collect reads them.
func (c storeCollector) Collect(ch chan<- prometheus.Metric) {
	for s := range c.stores {
		ch <- prometheus.MustNewConstMetric(storeUp, prometheus.GaugeValue, oneIf(s.Up), s.Name)
		for _, call := range s.Calls {
			ch <- prometheus.MustNewConstHistogram(storeDuration, call.Count, call.Seconds, call.Buckets, s.Name, call.Operation, call.Result)
		}
	}
}

// Interface guard
var _ prometheus.Collector = storeCollector{}
