// Package apiserver runs a real kube-apiserver on a real etcd for tests, and asks it as
// an administrator would. Nothing else of Kubernetes runs: no controller, no kubelet.
package apiserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// adminToken is the token of who may do everything.
const adminToken = "token-of-the-administrator"

// Server is an API server and its etcd. They end with the test.
type Server struct {
	Address string
	URL     string
	CAFile  string

	dir, binary string
	flags       []string
	etcdURL     string
	etcd, api   *rig.Server
}

// Start starts a server that is empty, and skips the test if there is none here.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	etcd := rig.Need(t, "etcd", "install the package etcd-server")
	s := &Server{dir: rig.Home(t), binary: binary(t), flags: flags, Address: rig.FreeAddress(t)}
	s.URL, s.CAFile = "https://"+s.Address, filepath.Join(s.dir, "ca.crt")
	s.etcdURL = "http://" + rig.FreeAddress(t)
	s.certify(t)
	rig.Write(t, s.dir, "tokens.csv", adminToken+`,admin,admin,"system:masters"`+"\n")
	s.etcd = rig.Serve(t, s.dir, etcd,
		"--data-dir", s.data(), "--log-level", "error", "--unsafe-no-fsync",
		"--listen-client-urls", s.etcdURL, "--advertise-client-urls", s.etcdURL,
		"--listen-peer-urls", "http://"+rig.FreeAddress(t))
	s.api = rig.Serve(t, s.dir, s.arguments()...)
	s.ready()
	return s
}

func (s *Server) data() string { return filepath.Join(s.dir, "etcd") }

func (s *Server) arguments() []string {
	_, port, _ := net.SplitHostPort(s.Address)
	file := func(name string) string { return filepath.Join(s.dir, name) }
	return append([]string{
		s.binary, "--etcd-servers", s.etcdURL, "--etcd-prefix", "/registry",
		"--bind-address", "127.0.0.1", "--secure-port", port, "--advertise-address", "127.0.0.1",
		"--tls-cert-file", file("server.crt"), "--tls-private-key-file", file("server.key"),
		"--cert-dir", s.dir, "--token-auth-file", file("tokens.csv"), "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc", "--api-audiences", "https://kubernetes.default.svc",
		"--service-account-signing-key-file", file("account.key"), "--service-account-key-file", file("account.key"),
		"--service-cluster-ip-range", "10.0.0.0/24",
		// Which waits for what a controller would make in each namespace.
		"--disable-admission-plugins", "ServiceAccount",
	}, s.flags...)
}

// StartAPI starts the API server, and returns when it is ready.
func (s *Server) StartAPI() {
	s.api.Start()
	s.ready()
}

func (s *Server) ready() {
	s.api.Until("the API server is ready", func() bool {
		status, _ := s.try("GET", "/readyz", "", nil)
		return status == 200
	})
}

// grace is how long the API server may take to end in good order: it waits for watches to
// end, which takes a minute.
const grace = 3 * time.Second

// StopAPI ends the API server. It is killed, or ends in good order.
func (s *Server) StopAPI(kill bool) {
	if kill {
		s.api.Stop(os.Kill)
		return
	}
	killed := make(chan struct{})
	patience := time.AfterFunc(grace, func() {
		defer close(killed)
		s.api.Stop(os.Kill)
	})
	s.api.Stop(rig.Terminate)
	if !patience.Stop() {
		<-killed
	}
}

// Recertify restarts the API server with a certificate of another authority.
func (s *Server) Recertify(t testing.TB) {
	t.Helper()
	s.StopAPI(true)
	s.certify(t)
	s.StartAPI()
}

// Snapshot returns a function that makes etcd what it is now, as restoring a backup does.
// Both stop meanwhile.
func (s *Server) Snapshot(t testing.TB) (restore func()) {
	t.Helper()
	kept := rig.Home(t)
	s.still(t, func() error { return os.CopyFS(kept, os.DirFS(s.data())) })
	return func() {
		t.Helper()
		s.still(t, func() error {
			if err := os.RemoveAll(s.data()); err != nil {
				return err
			}
			return os.CopyFS(s.data(), os.DirFS(kept))
		})
	}
}

// still does something while nothing runs.
func (s *Server) still(t testing.TB, do func() error) {
	t.Helper()
	s.StopAPI(true)
	s.etcd.Stop(rig.Terminate)
	if err := do(); err != nil {
		t.Fatal(err)
	}
	s.etcd.Start()
	s.StartAPI()
}

// certify makes a certificate authority, the server's certificate, and the key of
// service accounts' tokens.
func (s *Server) certify(t testing.TB) {
	t.Helper()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	caKey := s.key(t, "ca.key")
	s.certificate(t, "ca.crt", ca, ca, caKey, caKey)
	s.certificate(t, "server.crt", &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}, ca, s.key(t, "server.key"), caKey)
	if _, err := os.Stat(filepath.Join(s.dir, "account.key")); err != nil {
		s.key(t, "account.key")
	}
}

func (s *Server) key(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, s.dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	return key
}

func (s *Server) certificate(t testing.TB, name string, of, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, of, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, s.dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// binary returns the kube-apiserver that `make kube-apiserver` built.
func binary(t testing.TB) string {
	t.Helper()
	root, err := rig.Repository()
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(root, "test", "stores", "apiserver", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^\tk8s\.io/kubernetes (v\S+)`).FindSubmatch(module)
	if version == nil {
		t.Fatal("nothing says which version of Kubernetes is built")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return rig.Need(t, filepath.Join(cache, "lamplighter", "kube-apiserver-"+string(version[1])),
		"make kube-apiserver builds it, in about 6 minutes of CPU time")
}
