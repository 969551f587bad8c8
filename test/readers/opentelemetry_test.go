package readers

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.uber.org/zap"
	"golang.org/x/oauth2"
	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// openTelemetry is the extension of its collector, with the configuration of the page, as an
// exporter uses it. It has read the file.
func openTelemetry(t *testing.T, r *rotating) reader {
	t.Helper()
	var page struct {
		Extensions map[string]map[string]any
	}
	if err := yaml.Unmarshal([]byte(rig.Replaced(t, rig.Example(t, "yaml", "extensions:"), "/run/lamplighter/erp/token", r.file)), &page); err != nil {
		t.Fatal(err)
	}
	factory := bearertokenauthextension.NewFactory()
	config := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(page.Extensions[factory.Type().String()]).Unmarshal(config); err != nil {
		t.Fatal(err)
	}
	settings := extension.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: component.TelemetrySettings{Logger: zap.NewNop()}}
	auth, err := factory.Create(t.Context(), settings, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := auth.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	rig.Eventually(t, "it has read the file", func() bool {
		_, err := auth.(interface {
			Token(context.Context) (*oauth2.Token, error)
		}).Token(t.Context())
		return err == nil
	})
	transport, err := auth.(extensionauth.HTTPClient).RoundTripper(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	return func() int { return call(t, &http.Client{Transport: transport}, r.API.URL) }
}

// TestOpenTelemetryFollowsRotations: it is told by the kernel of a file that is renamed over the
// one it knows.
func TestOpenTelemetryFollowsRotations(t *testing.T) {
	t.Parallel()
	overlaps(t, func(t *testing.T, r *rotating) {
		read := openTelemetry(t, r)
		first := r.Rotations()
		for r.Rotations() < first+8 && t.Context().Err() == nil {
			if status := read(); status != http.StatusOK && r.Lenient {
				t.Errorf("it was answered %d", status)
			}
			time.Sleep(10 * time.Millisecond) // not to keep a core from the others
		}
		r.judge(t, "OpenTelemetry", first)
	})
}

// TestOpenTelemetryGoesOnAfterAFileWithoutAToken: it sends the old token meanwhile, and would for
// good had the file been removed.
func TestOpenTelemetryGoesOnAfterAFileWithoutAToken(t *testing.T) {
	t.Parallel()
	r := rotate(t, true)
	read := openTelemetry(t, r)
	r.SetAway(true)
	rig.Eventually(t, "the token is taken out", func() bool { return r.token(t) == "" })
	if status := read(); status != http.StatusUnauthorized {
		t.Errorf("it was answered %d", status)
	}
	r.SetAway(false)
	rig.Eventually(t, "it has a token again", func() bool { return read() == http.StatusOK })
}
