package readers

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	secrets "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/common/config"
	"google.golang.org/protobuf/encoding/protojson"
	"k8s.io/client-go/transport"

	"lamplighter/test/internal/rig"
)

// reader makes a request of the API with the token that it read.
type reader func() (status int)

// prometheus is what its scrapes are made with: it reads credentials_file for each.
func prometheus(t *testing.T, k *keeping) reader {
	t.Helper()
	client, err := config.NewClientFromConfig(config.HTTPClientConfig{
		Authorization: &config.Authorization{Type: "Bearer", CredentialsFile: k.plain},
	}, "lamplighter")
	if err != nil {
		t.Fatal(err)
	}
	return func() int { return call(t, client, k.API) }
}

// clientGo is the token source of Kubernetes' clients, which is told of a 401.
func clientGo(t *testing.T, k *keeping) reader {
	t.Helper()
	client := &http.Client{Transport: transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(k.plain))(http.DefaultTransport)}
	return func() int { return call(t, client, k.API) }
}

func call(t *testing.T, client *http.Client, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestReadersGoOnOverRotationsAndCrashes: what is refused is what was on its way while the
// token was replaced, whose predecessor dies that moment.
func TestReadersGoOnOverRotationsAndCrashes(t *testing.T) {
	t.Parallel()
	k := keep(t, "4s")
	for name, read := range map[string]reader{"Prometheus": prometheus(t, k), "client-go": clientGo(t, k)} {
		refused, rotations := 0, 0
		for rotations < 3 {
			before := k.Stats().Generation
			rig.Eventually(t, name+" is served after a rotation", func() bool {
				if read() == http.StatusOK {
					return k.Stats().Generation > before
				}
				refused++
				return false
			})
			rotations++
		}
		t.Logf("%s: %d refused over %d rotations", name, refused, rotations)
	}
	k.sidecar.Kill()
	if k.read() == "" {
		t.Error("a crash has emptied the file")
	}
	k.start()
	k.rotated(1)
	read := prometheus(t, k)
	rig.Eventually(t, "it is served after a crash", func() bool { return read() == http.StatusOK })
	if stats := k.Stats(); stats.Spent != 0 {
		t.Errorf("%+v", stats)
	}
	left, err := os.ReadDir(k.home + "/tokens")
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestAtTheEndOfTheTokenTheFileSaysSo lets a grant die.
func TestAtTheEndOfTheTokenTheFileSaysSo(t *testing.T) {
	t.Parallel()
	k := keep(t, "4s")
	if held := envoySecret(t, k); held != "Bearer "+k.read() && !strings.HasPrefix(held, "Bearer at-") {
		t.Errorf("Envoy reads %q", held)
	}
	k.Fault(`{"kind":"status","status":503,"times":1000}`)
	rig.Eventually(t, "the token is taken out", func() bool { return k.read() == "" })
	rig.Eventually(t, "Envoy is told", func() bool { return envoySecret(t, k) == "" })
	if status := prometheus(t, k)(); status != http.StatusUnauthorized {
		t.Errorf("Prometheus was answered %d", status)
	}
}

// envoySecret reads the file as Envoy does, and returns its secret.
func envoySecret(t *testing.T, k *keeping) string {
	t.Helper()
	text, err := os.ReadFile(k.envoy)
	if err != nil {
		t.Fatal(err)
	}
	var answer discovery.DiscoveryResponse
	var secret secrets.Secret
	if err := protojson.Unmarshal(text, &answer); err != nil || len(answer.GetResources()) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	if err := answer.GetResources()[0].UnmarshalTo(&secret); err != nil {
		t.Fatal(err)
	}
	if err := secret.ValidateAll(); err != nil || secret.GetName() != "erp" {
		t.Errorf("%v: %v", err, secret.GetName())
	}
	return secret.GetGenericSecret().GetSecret().GetInlineString()
}

func TestKubectlsCredentialIsPrinted(t *testing.T) {
	t.Parallel()
	k := keep(t, "1h")
	out, _, code := rig.Command(t, k.home, "tokens", "print", "erp", "--format", "exec_credential")
	var credential struct {
		Kind   string
		Status struct {
			Token               string
			ExpirationTimestamp time.Time
		}
	}
	if err := json.Unmarshal([]byte(out), &credential); err != nil || code != 0 || credential.Kind != "ExecCredential" || credential.Status.Token != k.read() ||
		time.Until(credential.Status.ExpirationTimestamp) < time.Minute {
		t.Errorf("exit code %d, %v: %+v", code, err, credential)
	}
	if got, _, code := rig.Command(t, k.home, "tokens", "print", "erp"); code != 0 || strings.TrimSuffix(got, "\n") != k.read() {
		t.Errorf("exit code %d, %q", code, got)
	}
	if out, errs, code := rig.Command(t, k.home, "tokens", "print", "nobody"); code != 1 || out != "" || errs == "" {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	k.sidecar.Kill()
	if out, _, code := rig.Command(t, k.home, "tokens", "print", "erp"); code != 3 || out != "" {
		t.Errorf("exit code %d, %q", code, out)
	}
}
