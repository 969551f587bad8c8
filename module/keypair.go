package module

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"

	"lamplighter/module/placeholder"
	"lamplighter/module/settings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
)

// keyPair is a certificate and its key, which are read again whenever they are needed.
// Whoever replaces them writes two files, and not in the same moment: until both belong
// together, the last ones that did are used on.
type keyPair struct {
	read   func() (chain, key string, err error)
	logger *zap.Logger

	mu      sync.Mutex
	last    *loadedPair // the last whole one
	waiting bool        // what was read last is none
}

// loadedPair is a certificate as TLS wants it, and the texts that it was read from.
type loadedPair struct {
	chain, key  string
	certificate *tls.Certificate
}

var errPair = errors.New("certificate and private_key are no pair of PEM texts that belong together")

// pairOfFiles takes the client certificate out of TLS options: Caddy would read it once.
// nil if they name no files.
func pairOfFiles(options *reverseproxy.TLSConfig, logger *zap.Logger) *keyPair {
	certFile, keyFile := options.ClientCertificateFile, options.ClientCertificateKeyFile
	if certFile == "" || keyFile == "" {
		return nil // Caddy says what is wrong, if one is there
	}
	options.ClientCertificateFile, options.ClientCertificateKeyFile = "", ""
	return &keyPair{logger: logger, read: func() (string, string, error) {
		chain, err := os.ReadFile(certFile)
		if err != nil {
			return "", "", err
		}
		key, err := os.ReadFile(keyFile)
		return string(chain), string(key), err
	}}
}

// pairOfSettings is what the settings certificate and private_key hold.
func pairOfSettings(cfg *settings.Client, logger *zap.Logger) *keyPair {
	return &keyPair{logger: logger, read: func() (string, string, error) {
		var r placeholder.Resolver
		chain, key := r.Value("certificate", cfg.Certificate), r.Value("private_key", cfg.PrivateKey)
		return chain, key, r.Err
	}}
}

// load returns the pair as it is now, or else the last whole one, and nothing of nil.
func (p *keyPair) load() (*loadedPair, error) {
	if p == nil {
		return nil, nil
	}
	chain, key, err := p.read()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.last != nil && p.last.chain == chain && p.last.key == key {
		p.waiting = false
		return p.last, nil
	}
	if err == nil {
		certificate, pairErr := tls.X509KeyPair([]byte(chain), []byte(key))
		if pairErr == nil {
			p.last, p.waiting = &loadedPair{chain, key, &certificate}, false
			return p.last, nil
		}
		err = errPair // the other one may quote the key
	}
	if p.last == nil {
		return nil, err
	}
	if !p.waiting {
		p.waiting = true
		p.logger.Warn("the client certificate and its key are just being replaced, or were replaced wrongly; the last ones that belong together are used on", zap.Error(err))
	}
	return p.last, nil
}

// present chooses the certificate of a handshake: the pair's, if the server takes it.
func (p *keyPair) present(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := p.load()
	if err != nil {
		return nil, err
	}
	if asked.SupportsCertificate(pair.certificate) != nil {
		return new(tls.Certificate), nil
	}
	return pair.certificate, nil
}

// presentedBy lets a configuration present the pair, which must be whole by now. The
// configuration may be nil.
func (p *keyPair) presentedBy(config *tls.Config) (*tls.Config, error) {
	if _, err := p.load(); err != nil {
		return nil, fmt.Errorf("client_auth: %w", err)
	}
	if config == nil {
		config = new(tls.Config)
	}
	config.Certificates, config.GetClientCertificate = nil, p.present
	return config, nil
}

// clientTLS is what TLS options mean.
func clientTLS(ctx caddy.Context, options reverseproxy.TLSConfig) (*tls.Config, error) {
	pair := pairOfFiles(&options, ctx.Logger())
	config, err := options.MakeTLSClientConfig(ctx)
	if err != nil || pair == nil {
		return config, err
	}
	return pair.presentedBy(config)
}
