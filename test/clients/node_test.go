package clients

import (
	"os/exec"
	"path/filepath"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestNodeFetch calls every kind of upstream with the fetch of Node, which is
// undici: pooled connections, streams as bodies, redirects.
func TestNodeFetch(t *testing.T) {
	t.Parallel()
	node := rig.Need(t, "node", "install nodejs")
	sites := everyKind(t, newAPI())
	runSites(t, sites...)
	drive(t, exec.CommandContext(t.Context(), node, append([]string{filepath.Join("testdata", "client.mjs")}, addresses(sites)...)...), sites...)
}
