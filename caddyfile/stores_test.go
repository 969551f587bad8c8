package caddyfile_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/store/guest"
)

// enough is what a store of each kind needs at least.
var enough = map[string][]string{
	"file": nil, "kubernetes": {"namespace erp"}, "postgres": {"host localhost"}, "redis": {"address localhost", "durability aof"},
}

// beside is what else some options need.
var beside = map[string][]string{
	"sentinel":          {"durability replicas 1"},
	"sentinel_username": {"sentinel main", "durability replicas 1"},
	"sentinel_password": {"sentinel main", "durability replicas 1"},
}

// unmarshalStore reads a block.
func unmarshalStore(t *testing.T, kind string, lines ...string) (caddy.Module, error) {
	t.Helper()
	info, err := caddy.GetModule(guest.Namespace + "." + kind)
	if err != nil {
		t.Fatal(err)
	}
	m := info.New()
	return m, m.(caddyfile.Unmarshaler).UnmarshalCaddyfile(caddyfile.NewTestDispenser(kind + " {\n" + strings.Join(lines, "\n") + "\n}"))
}

// optionsOf are those that a kind says it has.
func optionsOf(t *testing.T, kind string) []string {
	t.Helper()
	_, err := unmarshalStore(t, kind, "no_such_option")
	found := regexp.MustCompile(`unrecognized subdirective: no_such_option: this store has (.*?), at`).FindStringSubmatch(fmt.Sprint(err))
	if found == nil {
		t.Fatalf("store %s: %v", kind, err)
	}
	return strings.Split(strings.ReplaceAll(found[1], " and ", ", "), ", ")
}

// eachOption calls a test for each option of each kind of store.
func eachOption(t *testing.T, test func(t *testing.T, kind, option string)) {
	t.Helper()
	kinds := slices.Sorted(maps.Keys(enough))
	for _, m := range caddy.GetModules(guest.Namespace) {
		if !slices.Contains(kinds, m.ID.Name()) {
			t.Errorf("nothing is known of store %s", m.ID.Name())
		}
	}
	for _, kind := range kinds {
		for _, option := range optionsOf(t, kind) {
			test(t, kind, option)
		}
	}
}

func TestAnOptionOfAStoreThatIsGivenTwiceIsRefusedAtItsLine(t *testing.T) {
	value := map[string]string{
		"lease": " 20s", "op_timeout": " 1s", "poll": " 1m", "port": " 5432", "database": " 0", "durability": " aof", "tls": "", "allow_plaintext": "",
	}
	eachOption(t, func(t *testing.T, kind, option string) {
		line, ok := option+value[option], true
		if _, known := value[option]; !known {
			line += " x"
		}
		if _, err := unmarshalStore(t, kind, line, line); err == nil {
			ok = false
		} else if want := option + " is given twice, at Testfile:3"; !strings.Contains(err.Error(), want) {
			t.Errorf("store %s: %v, not %s", kind, err, want)
		}
		if list := option == "encryption_key" || option == "address"; ok == list {
			t.Errorf("store %s: %s may be repeated: %v", kind, option, !ok)
		}
	})
}

func TestAnOptionOfAStoreThatIsEmptyIsRefusedAtItsLine(t *testing.T) {
	flag := func(option string) bool { return option == "tls" || option == "allow_plaintext" }
	eachOption(t, func(t *testing.T, kind, option string) {
		if _, err := unmarshalStore(t, kind, option); err == nil != flag(option) || err != nil && !strings.Contains(err.Error(), "wrong argument count") {
			t.Errorf("store %s: %s alone: %v", kind, option, err)
		}
		want := option + " is empty, at Testfile:2"
		if flag(option) {
			want = "wrong argument count"
		}
		if _, err := unmarshalStore(t, kind, option+` ""`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("store %s: %v, not %s", kind, err, want)
		}
		if _, err := unmarshalStore(t, kind, option+"x"); err == nil || !strings.Contains(err.Error(), "did you mean "+option+"?") {
			t.Errorf("store %s: %v", kind, err)
		}
	})
}

func TestANumberOfAStoreIsNotNegative(t *testing.T) {
	for line, kinds := range map[string][]string{
		"lease -1s": {"kubernetes", "postgres", "redis"}, "op_timeout -1s": {"kubernetes", "postgres", "redis"}, "poll -1s": {"kubernetes", "postgres", "redis"},
		"port -1": {"postgres"}, "database -1": {"redis"},
	} {
		for _, kind := range kinds {
			if _, err := unmarshalStore(t, kind, line); err == nil || !strings.Contains(err.Error(), "at Testfile:2") {
				t.Errorf("store %s: %s: %v", kind, line, err)
			}
		}
	}
}

// TestAPlaceholderOfAStoreThatHasNoValueIsFoundByValidate: none of them would be noticed
// before the store is opened, if at all.
func TestAPlaceholderOfAStoreThatHasNoValueIsFoundByValidate(t *testing.T) {
	eachOption(t, func(t *testing.T, kind, option string) {
		if kind == "file" || option == "tls" || option == "allow_plaintext" || option == "encryption_key" { // of which the app knows
			return
		}
		lines := []string{option + " {env.LAMPLIGHTER_IS_NOT_SET}"}
		for _, line := range append(slices.Clone(beside[option]), enough[kind]...) {
			if name, _, _ := strings.Cut(line, " "); !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") }) {
				lines = append(lines, line)
			}
		}
		if option == "dsn" {
			lines = lines[:1]
		}
		m, err := unmarshalStore(t, kind, lines...)
		if err == nil {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			err = m.(caddy.Provisioner).Provision(ctx)
		}
		if err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("store %s: %q: %v", kind, lines, err)
		}
	})
}

func TestAMemberOfAStoreThatThereIsNotIsNamedInJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind": "kubernetes", "namespce": "erp"}`:              "store kubernetes: there is no namespce (did you mean namespace?)",
		`{"kind": "kubernetes", "namespace": 1}`:                 "store kubernetes: namespace: it is a JSON number",
		`{"kind": "kubernetes", "leas": "1m"}`:                   "store kubernetes: there is no leas (did you mean lease?)",
		`{"kind": "postgres", "hots": "db"}`:                     "store postgres: there is no hots (did you mean host?)",
		`{"kind": "redis", "adress": ["db"]}`:                    "store redis: there is no adress (did you mean address?)", //nolint:misspell // that is the fault
		`{"kind": "redis", "address": "db"}`:                     "store redis: address: it is a JSON string, and must be a list, as in [\"a\", \"b\"]",
		`{"kind": "file", "pth": "/x"}`:                          "store file: there is no pth (did you mean path?)",
		`{"kind": "kubernets"}`:                                  `store "kubernets" is unknown (did you mean kubernetes?)`,
		`{"kind": "kubernetes", "lease": "-1s"}`:                 "lease must not be negative",
		`{"kind": "redis", "address": ["db"], "database": -1}`:   "database must not be negative",
		`{"kind": "kubernetes", "encryption_key": ["{env.NO}"]}`: "encryption_key: the environment variable NO is not set",
	} {
		config := `{"admin": {"disabled": true}, "apps": {"oauth2_client": {"clients": {"erp": {"token_endpoint": "https://as.example.com/token", "client_id": "x", "client_secret": "y", "store": ` + text + `}}}}}`
		var parsed caddy.Config
		if err := json.Unmarshal([]byte(config), &parsed); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&parsed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
