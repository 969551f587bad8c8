package kubernetes

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
)

// rereadAfter is how long a token is used before its file is read again: a projected one
// is replaced long before its end.
const rereadAfter = 50 * time.Second

// dialTimeout bounds one try to connect, TLS included.
const dialTimeout = 5 * time.Second

// A peer that is gone is found out after this silence, and this wait for the answer to a
// ping.
const (
	silence = 10 * time.Second
	pong    = 3 * time.Second
)

// server is the URL of the API server.
func (c *config) server() (*url.URL, error) {
	if c.api != nil {
		return c.api, nil
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, fmt.Errorf("%w: this is no pod, for KUBERNETES_SERVICE_HOST is not set: write api, token_file and ca_file", store.ErrRefused)
	}
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}, nil
}

// space is the namespace.
func (c *config) space() (string, error) {
	if c.namespace != "" {
		return c.namespace, nil
	}
	b, err := os.ReadFile(filepath.Join(c.account, "namespace"))
	if err != nil {
		return "", fmt.Errorf("%w: the pod's namespace is not known, write namespace: %w", store.ErrRefused, err)
	}
	namespace := strings.TrimSpace(string(b))
	if !namespaces.MatchString(namespace) {
		return "", fmt.Errorf("%w: %s/namespace holds no name of a namespace", store.ErrRefused, c.account)
	}
	return namespace, nil
}

// token is the bearer token, as its file had it a moment ago.
type token struct {
	conf *config

	mu    sync.Mutex
	value string
	read  time.Time
}

// get returns the token, "" if none is to be sent.
func (t *token) get() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && time.Since(t.read) < rereadAfter {
		return t.value, nil
	}
	return t.load()
}

// after returns another token than one that was refused, if the file has another.
func (t *token) after(refused string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != refused {
		return t.value, nil
	}
	return t.load()
}

// load reads the file. Called with t.mu held.
func (t *token) load() (string, error) {
	name := t.conf.tokenFile
	switch {
	case name == "" && t.conf.api != nil:
		return "", nil
	case name == "":
		name = filepath.Join(t.conf.account, "token")
	}
	b, err := os.ReadFile(name)
	value := strings.TrimSpace(string(b))
	switch {
	case err != nil && t.value != "":
		return t.value, nil // it may be about to be replaced; the server will tell
	case err != nil:
		return "", fmt.Errorf("%w: token_file: %w (does the pod have automountServiceAccountToken off?)", store.ErrRefused, err)
	case value == "", strings.ContainsAny(value, " \t\r\n"):
		return "", fmt.Errorf("%w: token_file: %s holds no token", store.ErrRefused, name)
	}
	redact.Remember(value)
	t.value, t.read = value, time.Now()
	return value, nil
}

// newTransport returns one that reads the CA's file for each connection, goes through no
// proxy, and finds out when its peer is gone.
func newTransport(conf *config) *http.Transport {
	dialer := &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: pong / 2, Count: 4},
	}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: pong, WriteByteTimeout: silence},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			settings := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
			if name := conf.authorities(); name != "" {
				pool, err := readCA(name)
				if err != nil {
					return nil, fmt.Errorf("%w: ca_file: %w", store.ErrRefused, err)
				}
				settings.RootCAs = pool
			}
			return (&tls.Dialer{NetDialer: dialer, Config: settings}).DialContext(ctx, network, address)
		},
	}
}

// authorities is the file of the CA's certificates, "" for those of the system.
func (c *config) authorities() string {
	if c.caFile != "" || c.api != nil {
		return c.caFile
	}
	return filepath.Join(c.account, "ca.crt")
}
