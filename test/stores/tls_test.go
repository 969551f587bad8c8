package stores

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/store"
	"lamplighter/test/internal/rig"
)

// secured are the files of a server's certificate for localhost, of an authority that
// nobody knows, and of another authority; and a client's certificate.
type secured struct{ ca, other, cert, key, clientCert, clientKey string }

func newSecured(t *testing.T) secured {
	t.Helper()
	dir := rig.Directory(t, "postgres") // who wants to own the key
	a, b := rig.NewAuthority(t), rig.NewAuthority(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		rig.Give(t, path, "postgres")
		return path
	}
	cert, key := a.Issue(t, "localhost")
	client, clientKey := a.Issue(t, "postgres")
	return secured{
		ca: file("ca.pem", a.PEM), other: file("other.pem", b.PEM), cert: file("cert.pem", cert), key: file("key.pem", key),
		clientCert: file("client.pem", client), clientKey: file("client.key", clientKey),
	}
}

// tlsOf is a block.
func tlsOf(lines ...string) string { return "tls {\n" + strings.Join(lines, "\n") + "\n}" }

// verified is what holds of every server's certificate: it opens with the authority that
// signed it and the name that is in it, and else says what to write.
func verified(t *testing.T, s secured, engine func(host string, lines ...string) store.Engine) {
	t.Helper()
	untrusted := func(t *testing.T, e store.Engine, because string) {
		t.Helper()
		refuses(t, e, store.ErrUnavailable, because, "trust_pool file", "server_name")
	}
	t.Run("TheAuthorityAndTheName", func(t *testing.T) { opened(t, engine("localhost", tlsOf("trust_pool file "+s.ca))) })
	t.Run("AnAuthorityOfTheSystem", func(t *testing.T) { untrusted(t, engine("localhost", "tls"), "unknown authority") })
	t.Run("AnotherAuthority", func(t *testing.T) {
		untrusted(t, engine("localhost", tlsOf("trust_pool file "+s.other)), "unknown authority")
	})
	t.Run("AnotherName", func(t *testing.T) {
		untrusted(t, engine("127.0.0.1", tlsOf("trust_pool file "+s.ca)), "127.0.0.1")
	})
	t.Run("AnotherNameThatIsWritten", func(t *testing.T) {
		opened(t, engine("127.0.0.1", tlsOf("trust_pool file "+s.ca, "server_name localhost")))
	})
}

func TestPostgresIsVerified(t *testing.T) {
	s := newSecured(t)
	p := rig.StartPostgres(t, "ssl=on", "ssl_cert_file="+s.cert, "ssl_key_file="+s.key, "ssl_ca_file="+s.ca)
	_, port, _ := strings.Cut(p.Address, ":")
	dsnOf := func(host, more string) string {
		return fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres password='%s' %s", host, port, rig.PostgresPassword, more)
	}
	verified(t, s, func(host string, lines ...string) store.Engine { return postgresEngine(t, dsnOf(host, ""), lines...) })
	for more, reason := range map[string]string{
		"sslmode=verify-full sslrootcert=" + s.ca:    "",
		"sslmode=verify-full sslrootcert=" + s.other: "unknown authority",
		"sslmode=verify-ca sslrootcert=" + s.other:   "unknown authority",
		"sslmode=verify-full":                        "unknown authority",
	} {
		e := postgresEngine(t, dsnOf("localhost", more))
		if reason == "" {
			opened(t, e)
			continue
		}
		refuses(t, e, store.ErrUnavailable, reason, "sslrootcert")
	}
	plain := rig.StartPostgres(t)
	refuses(t, postgresEngine(t, strings.Replace(dsn(plain), "127.0.0.1", "localhost", 1), "tls"), store.ErrUnavailable, "refused TLS")
}

func TestRedisIsVerified(t *testing.T) {
	s := newSecured(t)
	start := func(clients string) func(host string, lines ...string) store.Engine {
		r := rig.StartRedis(t, "redis-server", append([]string{
			"--tls-cert-file", s.cert, "--tls-key-file", s.key, "--tls-ca-cert-file", s.ca, "--tls-auth-clients", clients, "--tls-replication", "no",
		}, kept...)...)
		_, port, _ := strings.Cut(r.TLS(t), ":")
		return func(host string, lines ...string) store.Engine {
			return redisEngine(t, host+":"+port, append([]string{"durability aof"}, lines...)...)
		}
	}
	verified(t, s, start("no"))
	engine := start("yes")
	trusting := tlsOf("trust_pool file "+s.ca, "client_auth "+s.clientCert+" "+s.clientKey)
	opened(t, engine("localhost", trusting))
	err := engine("localhost", tlsOf("trust_pool file "+s.ca)).Open(t.Context())
	// A server that closes at once may reset the connection before its reason is read.
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "certificate required") && !strings.Contains(err.Error(), "connection reset") {
		t.Errorf("without a certificate of its own: %v", err)
	}
	if err := engine("localhost").Open(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without TLS, where the server wants it: %v", err)
	}
}
