package presets

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEveryPresetIsAnObjectOfSettings(t *testing.T) {
	if len(Names()) == 0 {
		t.Fatal("no presets")
	}
	for _, name := range Names() {
		text, err := presets.ReadFile(name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		base := ""
		if strings.Contains(string(text), placeholder) {
			base = "https://tenant.example.com"
		}
		settings, err := Load(name, base)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(settings) == 0 {
			t.Errorf("%s: no settings", name)
		}
		for field, value := range settings {
			if strings.Contains(string(value), placeholder) {
				t.Errorf("%s: %s still holds %s", name, field, placeholder)
			}
		}
	}
}

func TestTheBaseBecomesPartOfTheTokenEndpoint(t *testing.T) {
	for _, base := range []string{"https://acme.example.com", "https://acme.example.com/"} {
		settings, err := Load("tencent_eiam", base)
		if err != nil {
			t.Fatal(err)
		}
		var endpoint string
		if err := json.Unmarshal(settings["token_endpoint"], &endpoint); err != nil {
			t.Fatal(err)
		}
		if want := "https://acme.example.com/auth/oauth2/token"; endpoint != want {
			t.Errorf("base %s: token_endpoint is %s, want %s", base, endpoint, want)
		}
	}
}

func TestAPlaceholderAsBaseIsLeftToBeResolved(t *testing.T) {
	settings, err := Load("tencent_eiam", "{env.EIAM}")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(settings["token_endpoint"]), `"{env.EIAM}/auth/oauth2/token"`; got != want {
		t.Errorf("token_endpoint is %s, want %s", got, want)
	}
}

func TestAnErrorNamesTheRemedy(t *testing.T) {
	for _, test := range []struct{ name, base, want string }{
		{"tencent", "", "tencent_ciam, tencent_eiam, wechat_mp_stable"},
		{"../provider", "", "is unknown"},
		{"tencent_eiam", "", "write 'provider tencent_eiam https://…'"},
		{"tencent_eiam", "acme.example.com", "write it with https://"},
		{"tencent_eiam", "ftp://acme.example.com", "write it with https://"},
		{"tencent_eiam", "https://user:hunter2@acme.example.com", "must not have a user"},
		{"tencent_eiam", "https://acme.example.com/?tenant=1", "must not have a user, query"},
	} {
		_, err := Load(test.name, test.base)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Load(%q, %q): %v; want it to say %q", test.name, test.base, err, test.want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Load(%q, …) prints a password: %v", test.name, err)
		}
	}
}

func TestAValueThatTheUserMustGiveIsRecognised(t *testing.T) {
	for value, want := range map[string]string{
		`"{required: the account}"`:      "the account",
		`["{required: the account}"]`:    "the account",
		`"the account"`:                  "",
		`["the account"]`:                "",
		`["{required: the account}",""]`: "",
		`"{env.ACCOUNT}"`:                "",
		`true`:                           "",
		`{"account":"{required: it}"}`:   "",
		`[]`:                             "",
	} {
		what, ok := Required(json.RawMessage(value))
		if what != want || ok != (want != "") {
			t.Errorf("%s: %q, %t; want %q", value, what, ok, want)
		}
	}
}
