package observe

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// buildInfo tells which version runs, as metrics of that name do.
var buildInfo = prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, "build_info"),
	"1, with the version of Lamplighter and that of Go that it was built with.", []string{"version", "goversion"}, nil)

func builtMetric() prometheus.Metric {
	return prometheus.MustNewConstMetric(buildInfo, prometheus.GaugeValue, 1, Version(), runtime.Version())
}

// Started is when this process did.
var Started = time.Now()

const ourModule = "lamplighter"

// Version is that of Lamplighter: of our binary the one it was released as, and elsewhere
// that of the module.
var Version = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	if info.Main.Path != ourModule {
		for _, dep := range info.Deps {
			if dep.Path == ourModule {
				return dep.Version
			}
		}
	}
	if caddy.CustomVersion != "" {
		return caddy.CustomVersion
	}
	return info.Main.Version
})
