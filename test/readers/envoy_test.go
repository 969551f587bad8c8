package readers

import (
	"encoding/json"
	"strings"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	injector "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	codec "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	generic "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	upstream "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// definition is a message of Envoy's, with its rules.
type definition interface {
	proto.Message
	ValidateAll() error
}

// read reads a block of the page as Envoy does, and holds it to the rules of its definition.
func read(t *testing.T, block string, into definition) {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
	if err := into.ValidateAll(); err != nil {
		t.Error(err)
	}
}

// unpack does the same to a message within another one.
func unpack(t *testing.T, packed *anypb.Any, into definition) {
	t.Helper()
	if err := packed.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
	if err := into.ValidateAll(); err != nil {
		t.Error(err)
	}
}

// TestEnvoyKnowsTheConfigurationForAFile reads what the page shows for a file that Envoy watches,
// which is the one of the page's Caddyfile. Envoy itself is not here.
func TestEnvoyKnowsTheConfigurationForAFile(t *testing.T) {
	t.Parallel()
	api, options, injects, secret := new(cluster.Cluster), new(upstream.HttpProtocolOptions), new(injector.CredentialInjector), new(generic.Generic)
	read(t, "name: api\n"+rig.Example(t, "yaml", "# in the cluster of the API\n"), api)
	unpack(t, api.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"], options)
	filters := options.GetHttpFilters()
	if len(filters) != 2 {
		t.Fatalf("%d filters", len(filters))
	}
	unpack(t, filters[0].GetTypedConfig(), injects)
	unpack(t, filters[1].GetTypedConfig(), new(codec.UpstreamCodec))
	unpack(t, injects.GetCredential().GetTypedConfig(), secret)
	path := secret.GetCredential().GetSdsConfig().GetPathConfigSource().GetPath()
	if secret.GetCredential().GetName() != "erp" || !injects.GetOverwrite() || !strings.Contains(rig.ServingPage(t), "token_file "+path+" {\n\t\t\tformat envoy_sds\n") {
		t.Errorf("got %v", secret)
	}

	policy := new(route.RetryPolicy)
	var around struct {
		Policy json.RawMessage `json:"retry_policy"`
	}
	if err := yaml.UnmarshalStrict([]byte(rig.Example(t, "yaml", "# in the route\n")), &around); err != nil {
		t.Fatal(err)
	}
	read(t, string(around.Policy), policy)
	if codes := policy.GetRetriableStatusCodes(); len(codes) != 1 || codes[0] != 401 {
		t.Errorf("got %v", policy)
	}
}
