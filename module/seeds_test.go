package module

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/store"
)

// twoClients of one configuration, whose seeds are in files.
func twoClients(t *testing.T) (one, two *client, logs *observer.ObservedLogs) {
	core, logs := observer.New(zap.ErrorLevel)
	app := &App{clients: make(map[string]*client), logger: zap.New(core)}
	for name, into := range map[string]**client{"one": &one, "two": &two} {
		file := filepath.Join(t.TempDir(), "seed")
		settings := settingsOf(name)
		settings.RefreshToken = "{file." + file + "}"
		if err := os.WriteFile(file, []byte("seed of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := newClient(caddy.Context{Context: t.Context()}, nil, name, settings)
		if err != nil {
			t.Fatal(err)
		}
		c.app, c.keeper = app, keeper.New(name, store.NewFile(t.TempDir()), keeper.Clock{})
		if owner := app.seeds.claim(c.seed, c); owner != c {
			t.Fatalf("the seed of %s is that of %s", name, owner.name)
		}
		app.clients[name], *into = c, c
	}
	return one, two, logs
}

// supply replaces the seed of a client.
func (c *client) supply(t *testing.T, seed string) {
	t.Helper()
	file := strings.TrimSuffix(strings.TrimPrefix(c.id.refreshToken, "{file."), "}")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASeedThatIsAnotherClientsIsNotUsed(t *testing.T) {
	one, two, logs := twoClients(t)
	two.supply(t, "seed of one")
	if seed, err := two.ownSeed(); seed != "" || err != nil {
		t.Errorf("got %q, %v", seed, err)
	}
	if said := logs.TakeAll(); len(said) != 1 || !strings.Contains(said[0].ContextMap()["error"].(string), "client one") {
		t.Errorf("logged %+v", said)
	}
	one.supply(t, "a new seed")
	two.supply(t, "a new seed")
	if seed, err := one.ownSeed(); seed != "a new seed" || err != nil {
		t.Errorf("the first gets %q, %v", seed, err)
	}
	if seed, err := two.ownSeed(); seed != "" || err != nil {
		t.Errorf("the second gets %q, %v", seed, err)
	}
	two.supply(t, "one of its own")
	if seed, err := two.ownSeed(); seed != "one of its own" || err != nil {
		t.Errorf("got %q, %v", seed, err)
	}
}
