package guest

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// unmarshal reads a block as an engine does that has tls, and a list, of its own.
func unmarshal(block string) (o Options, serverName string, servers []string, err error) {
	d := caddyfile.NewTestDispenser("any {\n" + block + "\n}")
	err = UnmarshalBlock(d, func() error {
		switch d.Val() {
		case "tls":
			config, err := UnmarshalTLS(d)
			if err == nil {
				serverName = config.ServerName
			}
			return err
		case "server":
			return UnmarshalTexts(d, &servers)
		}
		known, err := o.UnmarshalOption(d)
		if err == nil && !known {
			err = UnknownOption(d, "tls", "server")
		}
		return err
	}, "server")
	return o, serverName, servers, err
}

func TestTheOptionsOfAllStoresAreOneALine(t *testing.T) {
	o, server, servers, err := unmarshal(`encryption_key a b
		lease 1m
		tls {
			server_name db.example.com
			insecure_skip_verify
		}
		encryption_key c
		op_timeout 3s
		poll 1d
		allow_plaintext
		server x
		server y z`)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(o.EncryptionKeys, ",") != "a,b,c" || o.Lease != caddy.Duration(time.Minute) || o.OpTimeout != caddy.Duration(3*time.Second) ||
		o.Poll != caddy.Duration(24*time.Hour) || !o.AllowPlaintext || server != "db.example.com" || strings.Join(servers, ",") != "x,y,z" {
		t.Errorf("%+v, %s", o, server)
	}
}

func TestAnOptionThatMeansNothingIsRefused(t *testing.T) {
	for block, want := range map[string]string{
		"lease":               "wrong argument count",
		"lease 1s 2s":         "wrong argument count",
		"lease soon":          "lease: ",
		`poll ""`:             "poll is empty",
		"encryption_key":      "wrong argument count",
		"allow_plaintext 1":   "wrong argument count",
		"tls on":              "wrong argument count",
		"tls {\nbogus\n}":     "tls_bogus",
		`encryption_key a ""`: "encryption_key is empty",
		"server":              "wrong argument count",
		"lease 0":             "lease must be more than 0",
		"poll -1s":            "poll must be more than 0",
		"color red":           "unrecognized subdirective: color: this store has tls, server, encryption_key, lease, op_timeout, poll and allow_plaintext",
		"leese 1m":            "unrecognized subdirective: leese (did you mean lease?)",
		"lease 1m\nlease 2m":  "lease is given twice",

		"tls\ntls {\ninsecure_skip_verify\n}": "tls is given twice",
		"allow_plaintext\nallow_plaintext":    "allow_plaintext is given twice",
	} {
		if _, _, _, err := unmarshal(block); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", block, err)
		}
	}
}

func TestTLSWithoutABlockIsTLSAsTheSystemHasIt(t *testing.T) {
	if o, _, _, err := unmarshal("tls\nlease 20s"); err != nil || o.Lease != caddy.Duration(20*time.Second) {
		t.Error(o, err)
	}
}
