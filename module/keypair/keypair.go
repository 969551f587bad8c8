// Package keypair reads a certificate and its key again whenever they are needed, and
// goes on with the last whole pair while they are being replaced.
//
// It knows PEM texts and TLS. It must not know whose the certificate is.
package keypair

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"lamplighter/module/placeholder"
)

// Pair is a certificate and its key, which are read again whenever they are needed.
// Whoever replaces them writes two files, and not in the same moment: until both belong
// together, the last ones that did are used on.
type Pair struct {
	read   func() (chain, key string, err error)
	logger *zap.Logger
	where  placeholder.Where // of the options, if it is of files

	mu      sync.Mutex
	last    *Loaded // the last whole one
	waiting bool    // what was read last is none
}

// Loaded is a certificate as TLS wants it, and the texts that it was read from.
type Loaded struct {
	// Chain and Key are those texts.
	Chain, Key string

	// Certificate is what TLS presents.
	Certificate *tls.Certificate
}

var errPair = errors.New("certificate and private_key are no pair of PEM texts that belong together")

// OfFiles takes the client certificate out of TLS options: Caddy would read it once.
// nil if they name no files. where says whose options they are.
func OfFiles(options *reverseproxy.TLSConfig, logger *zap.Logger, where placeholder.Where) *Pair {
	certFile, keyFile := options.ClientCertificateFile, options.ClientCertificateKeyFile
	if certFile == "" || keyFile == "" {
		return nil // Caddy says what is wrong, if one is there
	}
	options.ClientCertificateFile, options.ClientCertificateKeyFile = "", ""
	return &Pair{logger: logger, where: where, read: func() (string, string, error) {
		chain, err := os.ReadFile(certFile)
		if err != nil {
			return "", "", err
		}
		key, err := os.ReadFile(keyFile)
		return string(chain), string(key), err
	}}
}

// New returns a pair that read reads the texts of.
func New(logger *zap.Logger, read func() (chain, key string, err error)) *Pair {
	return &Pair{logger: logger, read: read}
}

// Load returns the pair as it is now, or else the last whole one, and nothing of nil.
func (p *Pair) Load() (*Loaded, error) {
	if p == nil {
		return nil, nil
	}
	chain, key, err := p.read()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.last != nil && p.last.Chain == chain && p.last.Key == key {
		p.waiting = false
		return p.last, nil
	}
	if err == nil {
		certificate, pairErr := tls.X509KeyPair([]byte(chain), []byte(key))
		if pairErr == nil {
			p.last, p.waiting = &Loaded{chain, key, &certificate}, false
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

// Present chooses the certificate of a handshake: the pair's, if the server takes it.
func (p *Pair) Present(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := p.Load()
	if err != nil {
		return nil, err
	}
	if asked.SupportsCertificate(pair.Certificate) != nil {
		return new(tls.Certificate), nil
	}
	return pair.Certificate, nil
}

// PresentedBy lets a configuration present the pair, which must be whole by now. The
// configuration may be nil.
func (p *Pair) PresentedBy(config *tls.Config) (*tls.Config, error) {
	if _, err := p.Load(); err != nil && !placeholder.Absent(p.where, "client_auth", err) {
		return nil, fmt.Errorf("client_auth: %w", err)
	}
	if config == nil {
		config = new(tls.Config)
	}
	config.Certificates, config.GetClientCertificate = nil, p.Present
	return config, nil
}

// ClientTLS is what TLS options mean.
func ClientTLS(ctx caddy.Context, options reverseproxy.TLSConfig) (*tls.Config, error) {
	config, _, err := ClientTLSAndPair(ctx, options)
	return config, err
}

// ClientTLSAndPair is what TLS options mean, and the client certificate that they name, nil
// if they name no files.
func ClientTLSAndPair(ctx caddy.Context, options reverseproxy.TLSConfig) (*tls.Config, *Pair, error) {
	pair := OfFiles(&options, ctx.Logger(), placeholder.WhereOf(ctx))
	config, err := options.MakeTLSClientConfig(ctx)
	if err != nil || pair == nil {
		return config, pair, err
	}
	config, err = pair.PresentedBy(config)
	return config, pair, err
}
