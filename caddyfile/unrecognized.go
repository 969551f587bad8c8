package caddyfile

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/nearest"
	"lamplighter/module/settings"
)

// ofClients are the settings of a client.
var ofClients = slices.DeleteFunc(settings.Names(), func(name string) bool {
	return slices.Contains([]string{"declared_at", "client_secret_next", "provider_base", "rejected_off"}, name) // which JSON alone has
})

// unrecognized is the error of a setting that no client has.
func (p *clientParser) unrecognized(setting string) error {
	if slices.Contains(ofUpstreams, setting) {
		return p.Errf("unrecognized subdirective: %s is no setting of a client: it belongs into the block of upstream_oauth, beside the client's", setting)
	}
	return p.Errf("unrecognized subdirective: %s%s", setting, nearest.Hint(setting, ofClients...))
}

// ofUpstreams are the subdirectives of upstream_oauth that reverse_proxy does not have.
var ofUpstreams = []string{"client", "callers", "caller_secret", "allow_host", "allow_origin", "audit", "allow_insecure_tls"}

// ofProxies are those that it has, too.
var ofProxies = []string{
	"to", "dynamic", "lb_policy", "lb_retries", "lb_try_duration", "lb_try_interval", "lb_retry_match", "health_uri", "health_upstream", "health_port",
	"health_interval", "health_passes", "health_fails", "health_timeout", "health_method", "health_status", "health_request_body", "health_body",
	"health_follow_redirects", "health_headers", "fail_duration", "max_fails", "unhealthy_status", "unhealthy_latency", "unhealthy_request_count",
	"flush_interval", "request_buffers", "response_buffers", "stream_timeout", "stream_close_delay", "trusted_proxies", "header_up", "header_down",
	"method", "rewrite", "transport", "handle_response", "replace_status", "verbose_logs",
}

// ofUpstream returns an error for a subdirective that upstream_oauth does not have, in place
// of Caddy's.
func ofUpstream(d *caddyfile.Dispenser) error {
	name := d.Val()
	if slices.Contains(ofProxies, name) {
		return nil
	}
	if slices.Contains(ofClients, name) {
		return d.Errf("unrecognized subdirective: %s is a setting of a client: it belongs into the block of 'client <name> { … }'", name)
	}
	if found := nearest.To(name, slices.Concat(ofUpstreams, ofProxies)...); found != "" {
		return d.Errf("unrecognized subdirective: %s (did you mean %s?)", name, found)
	}
	return nil // Caddy knows best
}
