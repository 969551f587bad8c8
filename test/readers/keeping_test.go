package readers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"lamplighter/test/internal/rig"
)

// keeping is a sidecar whose client keeps its token in files, at the demo's servers.
type keeping struct {
	*rig.Demo
	home, address string
	plain, envoy  string // the files
	sidecar       *rig.Sidecar
}

// keep starts one whose tokens live so long.
func keep(t *testing.T, lifetime string) *keeping {
	t.Helper()
	k := &keeping{Demo: rig.StartDemo(t, lifetime), home: rig.Home(t), address: rig.FreeAddress(t)}
	k.plain, k.envoy = filepath.Join(k.home, "tokens", "plain"), filepath.Join(k.home, "tokens", "envoy.json")
	rig.Write(t, k.home, "Caddyfile", rig.Config(t, k.address, k.API, fmt.Sprintf(`
			provider tencent_eiam %s
			client_id %s
			client_secret {file.%s}
			refresh_token {file.%s}
			allow %s
			allow_print
			token_file %s
			token_file %s {
				format envoy_sds
			}
`, k.AuthorizationServer, k.ClientID, k.ClientSecretFile, k.RefreshTokenFile, k.API, k.plain, k.envoy)))
	k.start()
	return k
}

// start starts the sidecar, and waits until the file holds a token.
func (k *keeping) start() {
	k.T.Helper()
	k.sidecar = rig.RunSidecar(k.T, k.home, k.address)
	rig.Eventually(k.T, "there is a token in the file", func() bool { return k.read() != "" })
}

var whole = regexp.MustCompile(`^at-\d+-\d+-[0-9a-f]{32}$`)

// read returns what is in the plain file, which is always there, and a whole token or none.
func (k *keeping) read() string {
	k.T.Helper()
	content, err := os.ReadFile(k.plain)
	if os.IsNotExist(err) && k.sidecar == nil {
		return ""
	}
	if text := string(content); err != nil && !os.IsNotExist(err) || text != "" && !whole.MatchString(text) {
		k.T.Fatalf("the file holds %q, %v", text, err)
	}
	return string(content)
}

// rotated waits for n further refreshes.
func (k *keeping) rotated(n int) {
	k.T.Helper()
	before := k.Stats().Generation
	rig.Eventually(k.T, fmt.Sprintf("%d rotations", n), func() bool {
		k.read()
		return k.Stats().Generation >= before+n
	})
}
