package proxies

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestTheSocketIsForWhoItsModeNames: another user of the machine gets no token.
func TestTheSocketIsForWhoItsModeNames(t *testing.T) {
	t.Parallel()
	curl := rig.Need(t, "curl", "install curl")
	setpriv := rig.Need(t, "setpriv", "install util-linux")
	if os.Getuid() != 0 {
		rig.SkipAnyway(t, "only root can be another user")
	}
	s := &site{name: "one", server: rig.StartRotating(t, true, time.Hour, 0)}
	p := runLamplighter(t, s)
	if err := os.Chmod(p.Cmd.Dir, 0o755); err != nil { // so that only the socket is in the way
		t.Fatal(err)
	}
	ask := []string{curl, "-sS", "-i", "--unix-socket", s.socket, "-H", "Lamplighter-Token: yes", "http://lamplighter/erp"}
	if out, err := exec.Command(ask[0], ask[1:]...).CombinedOutput(); err != nil || !strings.Contains(string(out), "Authorization: Bearer ") {
		t.Errorf("%v: %s", err, out)
	}
	other := append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "--"}, ask...)
	if out, err := exec.Command(setpriv, other...).CombinedOutput(); err == nil || strings.Contains(string(out), "Bearer") {
		t.Errorf("another user got: %s", out)
	}
}
