package module

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/store"
)

// twoClients of one configuration, whose seeds are in files.
func twoClients(t *testing.T) (one, two *client) {
	app := &App{clients: make(map[string]*client), logger: zap.NewNop()}
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
		c.app, c.keeper = app, keeper.New(name, store.NewFile(t.TempDir()), nil)
		if owner := app.seeds.claim(c.seed, c); owner != c {
			t.Fatalf("the seed of %s is that of %s", name, owner.name)
		}
		app.clients[name], *into = c, c
	}
	return one, two
}

// supply replaces the seed of a client.
func (c *client) supply(t *testing.T, seed string) {
	t.Helper()
	file := strings.TrimSuffix(strings.TrimPrefix(c.id.RefreshToken, "{file."), "}")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASeedThatIsAnotherClientsIsNotUsed(t *testing.T) {
	one, two := twoClients(t)
	two.supply(t, "seed of one")
	wantTaken(t, two, "one")
	one.supply(t, "a new seed")
	two.supply(t, "a new seed")
	wantSeed(t, one, "a new seed")
	wantTaken(t, two, "one")
	two.supply(t, "one of its own")
	wantSeed(t, two, "one of its own")
}

// Fault B12.
func TestSwappedSeedsThatArePutRightAreUsedWithoutAReload(t *testing.T) {
	for _, order := range []string{"the first looks first", "the second looks first"} {
		t.Run(order, func(t *testing.T) {
			one, two := twoClients(t)
			first, second := one, two
			if order == "the second looks first" {
				first, second = two, one
			}
			one.supply(t, "new seed of two")
			two.supply(t, "new seed of one")
			for range 2 { // at the first time the other one may not have looked yet
				_, _ = first.ownSeed()
				_, _ = second.ownSeed()
			}
			one.supply(t, "new seed of one")
			two.supply(t, "new seed of two")
			for range 2 {
				_, _ = first.ownSeed()
				_, _ = second.ownSeed()
			}
			wantSeed(t, one, "new seed of one")
			wantSeed(t, two, "new seed of two")
		})
	}
}

func wantSeed(t *testing.T, c *client, want string) {
	t.Helper()
	if seed, err := c.ownSeed(); seed != want || err != nil {
		t.Errorf("%s gets %q, %v; want %q", c.name, seed, err, want)
	}
}

func wantTaken(t *testing.T, c *client, by string) {
	t.Helper()
	seed, err := c.ownSeed()
	if taken, ok := errors.AsType[sameSeed](err); seed != "" || !ok || taken.other != by {
		t.Errorf("%s gets %q, %v; want to be told that it is that of %s", c.name, seed, err, by)
	}
}

// Fault B14.
func TestASeedIsCheckedLikeAnImport(t *testing.T) {
	one, _ := twoClients(t)
	one.supply(t, "a seed\nxyzzy")
	seed, err := one.ownSeed()
	if _, odd := errors.AsType[notAToken](err); seed != "" || !odd || strings.Contains(err.Error(), "xyzzy") {
		t.Errorf("got %q, %v", seed, err)
	}
	one.supply(t, "a seed\r\n")
	wantSeed(t, one, "a seed")
}
