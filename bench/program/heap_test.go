package program

import (
	"testing"

	"github.com/google/pprof/profile"
)

func TestMemoryOfTheConfigurationBelongsToItsModule(t *testing.T) {
	sample := func(bytes int64, functions ...string) *profile.Sample {
		s := &profile.Sample{Value: []int64{1, bytes}}
		for _, name := range functions {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
		}
		return s
	}
	const caddy = "github.com/caddyserver/caddy/v2."
	all, own, err := heapOf(&profile.Profile{
		SampleType: []*profile.ValueType{{Type: "inuse_objects"}, {Type: "inuse_space"}},
		Sample: []*profile.Sample{
			sample(1, "reflect.New", caddy+"StrictUnmarshalJSON", caddy+"Context.LoadModuleByID"),
			sample(10, "net/http.NewRequest", "lamplighter/module.(*App).Provision", caddy+"Context.LoadModuleByID"),
			sample(100, "encoding/json.Unmarshal", caddy+"changeConfig"),
			sample(1000, caddy+"StrictUnmarshalJSON", caddy+"unsyncedDecodeAndRun"),
		},
	})
	if err != nil || all != 1111 || own != 11 {
		t.Errorf("all %v, own %v: %v", all, own, err)
	}
}
