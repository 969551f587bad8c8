package proxies

import (
	"encoding/json"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	extauthz "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// TestEnvoyKnowsTheConfigurationOfThePage reads it as Envoy does, and checks it by Envoy's rules.
// Envoy itself is not here.
func TestEnvoyKnowsTheConfigurationOfThePage(t *testing.T) {
	var config struct {
		Filters  []json.RawMessage `json:"http_filters"`
		Clusters []json.RawMessage `json:"clusters"`
	}
	if err := yaml.UnmarshalStrict([]byte(rig.Example(t, "yaml", "http_filters:")), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Filters) != 1 || len(config.Clusters) != 1 {
		t.Fatalf("%d filters, %d clusters", len(config.Filters), len(config.Clusters))
	}
	filter, authz, upstream := new(hcm.HttpFilter), new(extauthz.ExtAuthz), new(cluster.Cluster)
	checked(t, config.Filters[0], filter)
	checked(t, config.Clusters[0], upstream)
	if err := filter.GetTypedConfig().UnmarshalTo(authz); err != nil {
		t.Fatal(err)
	}
	if err := authz.ValidateAll(); err != nil {
		t.Error(err)
	}
	service := authz.GetHttpService()
	if service.GetServerUri().GetCluster() != upstream.GetName() || service.GetPathPrefix() != "/erp" || service.GetAuthorizationRequest().GetHeadersToAdd()[0].GetKey() != "Lamplighter-Token" {
		t.Errorf("got %v", authz)
	}
}

// checked reads a message, and holds it to the rules of its definition.
func checked(t *testing.T, text []byte, message interface {
	proto.Message
	ValidateAll() error
},
) {
	t.Helper()
	if err := protojson.Unmarshal(text, message); err != nil {
		t.Fatal(err)
	}
	if err := message.ValidateAll(); err != nil {
		t.Error(err)
	}
}
