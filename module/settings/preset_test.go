package settings

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"lamplighter/module/internal/presets"
)

func TestAParameterBesideThoseOfThePreset(t *testing.T) {
	c := Client{
		Provider: "wechat_mp_stable", ClientID: "wx1", ClientSecret: "s",
		Param: map[string][]string{"extra": {"1"}}, ParamNames: map[string]string{"client_secret": "other"},
	}
	e, err := c.Effective()
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string][]string{"force_refresh": {"json:false"}, "extra": {"1"}}; !reflect.DeepEqual(e.Param, want) {
		t.Errorf("param is %v, want %v", e.Param, want)
	}
	if want := map[string]string{"client_id": "appid", "client_secret": "other"}; !reflect.DeepEqual(e.ParamNames, want) {
		t.Errorf("param_names is %v, want %v", e.ParamNames, want)
	}
}

func TestAHeaderReplacesThatOfThePresetHoweverItIsSpelt(t *testing.T) {
	merged := layOver(
		map[string]json.RawMessage{"header": json.RawMessage(`{"Accept":["a"],"X-Other":["b"]}`)},
		map[string]json.RawMessage{"header": json.RawMessage(`{"accept":["c"]}`)},
	)
	if got, want := string(merged["header"]), `{"X-Other":["b"],"accept":["c"]}`; got != want {
		t.Errorf("header is %s, want %s", got, want)
	}
}

func TestTheFieldProviderNamesEveryPreset(t *testing.T) {
	source, err := os.ReadFile("client.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range presets.Names() {
		if !bytes.Contains(source, []byte("`"+name+"`")) {
			t.Errorf("the comment on Client.Provider does not name %s", name)
		}
	}
}
