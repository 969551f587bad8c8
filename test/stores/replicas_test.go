package stores

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"

	"lamplighter/test/internal/rig"
)

// backend is a store that replicas share, as it is installed, and what becomes of it.
type backend struct {
	kind    string
	address string                      // where its primary is
	options func(address string) string // of the block, for who reaches it at an address
	restart func()                      // stops it, and starts it again with what it kept
	prepare func()                      // sees to it that there is one that can take its place
	failure func() (address string)     // has that done

	// backup returns what restores a backup of now, in the n-th way that there is to do so.
	backup func(n int) (restore func())
}

// replica is a lamplighter that shares a grant with others. It reaches the store by a way
// of its own.
type replica struct {
	*rig.Sidecar
	name, home string
	store      between
	admin      *http.Client
}

// deployment are replicas of one client, at the strict authorization server.
type deployment struct {
	t        *testing.T
	backend  *backend
	servers  *rig.Demo
	gateway  *gateway
	lease    time.Duration
	timeout  time.Duration
	replicas []*replica
}

// shutdownDelay is how long a replica that is told to end still takes requests.
const shutdownDelay = 2 * time.Second

// lifetime is that of access tokens: a third of it before its end, they are replaced.
const lifetime = "2s"

func deploy(t *testing.T, b *backend, lease, timeout time.Duration) *deployment {
	t.Helper()
	d := newDeployment(t, b, lease, timeout, lifetime)
	for _, name := range []string{"one", "two", "three"} {
		d.replicas = append(d.replicas, d.start(name))
	}
	return d
}

// newDeployment has no replica yet.
func newDeployment(t *testing.T, b *backend, lease, timeout time.Duration, lifetime string) *deployment {
	t.Helper()
	d := &deployment{t: t, backend: b, servers: rig.StartDemo(t, lifetime), lease: lease, timeout: timeout}
	d.gateway = newGateway(t, d.servers.AuthorizationServer)
	return d
}

// start starts one more replica.
func (d *deployment) start(name string) *replica {
	d.t.Helper()
	r, address := d.made(name)
	d.run(r, address)
	return r
}

// made is one that is not started.
func (d *deployment) made(name string) (made *replica, address string) {
	d.t.Helper()
	r := &replica{name: name, home: rig.Home(d.t), store: newBetween(d.t, d.backend.address)}
	r.admin = rig.UnixClient(filepath.Join(r.home, "admin.sock"))
	r.admin.Timeout = 5 * time.Second
	address = rig.FreeAddress(d.t)
	rig.Write(d.t, r.home, "Caddyfile", d.caddyfile(r, address))
	return r, address
}

// run starts its process, anew too.
func (d *deployment) run(r *replica, address string) {
	d.t.Helper()
	r.Sidecar = rig.RunSidecar(d.t, r.home, address, "CADDY_ADMIN="+r.socket())
}

// socket is where its admin API is.
func (r *replica) socket() string { return "unix/" + filepath.Join(r.home, "admin.sock") }

// caddyfile names the replica in a header of its token requests: authorization servers
// do not care, and the gateway learns whose they are.
func (d *deployment) caddyfile(r *replica, address string) string {
	_, port, _ := strings.Cut(address, ":")
	options := d.backend.options(r.store.Listen)
	if d.lease != 0 {
		options += fmt.Sprintf("\n\t\tlease %s\n\t\top_timeout %s", d.lease, d.lease/4)
	}
	return fmt.Sprintf(`{
	shutdown_delay %s
	grace_period 5s
	oauth2_store %s {
		%s
	}
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client demo {
			provider tencent_eiam %s
			client_id %s
			client_secret {file.%s}
			refresh_token {file.%s}
			header %s %s
			timeout %s
		}
	}
}
`, shutdownDelay, d.backend.kind, options, port, d.servers.API, d.gateway.url, d.servers.ClientID, d.servers.ClientSecretFile,
		d.servers.RefreshTokenFile, replicaHeader, r.name, d.timeout)
}

// named returns a replica.
func (d *deployment) named(name string) *replica {
	for _, r := range d.replicas {
		if r.name == name {
			return r
		}
	}
	d.t.Fatalf("there is no replica %q", name)
	return nil
}

func (r *replica) signal(s syscall.Signal) {
	if err := r.Cmd.Process.Signal(s); err != nil {
		r.T.Fatal(err)
	}
}

// cut takes the store away from a replica: what is sent vanishes, both ways.
func (r *replica) cut() (heal func()) {
	heal = r.store.fail(r.T, faults[0])
	r.store.fail(r.T, faults[1])
	return heal
}

// lead has connections go to another server, those that are open too.
func (b between) lead(t testing.TB, upstream string) {
	t.Helper()
	if err := b.Update(&toxiproxy.Proxy{Listen: b.Listen, Upstream: upstream, Enabled: true}); err != nil {
		t.Fatal(err)
	}
}

// status is what a replica says of its client.
type status struct {
	Token, State, Cause, Detail string
	History                     []event
}

// ask asks the admin API of a replica.
func (r *replica) ask(method, path string, body any, answer any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.T.Context(), method, "http://lamplighter/oauth2_client/"+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := r.admin.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", res.StatusCode, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

func (r *replica) status() (s status, err error) {
	err = r.ask(http.MethodGet, "clients/demo", nil, &s)
	return s, err
}

// statuses says how all are, for who has to find out why.
func (d *deployment) statuses() string {
	var text strings.Builder
	for _, r := range d.replicas {
		s, err := r.status()
		fmt.Fprintf(&text, "%s: token %s, %s %s %s %v\n", r.name, s.Token, s.State, s.Cause, s.Detail, err)
	}
	return text.String()
}

// rotated reports whether all replicas serve a later generation.
func (d *deployment) rotated(after int) func() bool {
	client := &http.Client{Timeout: time.Second}
	return func() bool {
		for _, r := range d.replicas {
			if generation, err := get(client, r.Address); err != nil || generation <= after {
				return false
			}
		}
		return true
	}
}
