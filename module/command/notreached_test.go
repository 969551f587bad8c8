package command

import (
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestWhoeverReachesNoInstanceLearnsWhy(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for name, c := range map[string]struct {
		e    notReachedError
		says string
	}{
		"no permission": {notReachedError{"unix//run/lamplighter/admin.sock", &net.OpError{Op: "dial", Err: syscall.EACCES}, "lamplighter.service"}, "only root and the user that it runs as"},
		"a service":     {notReachedError{"localhost:2019", refused, "lamplighter.service"}, "systemctl status lamplighter.service"},
		"no service":    {notReachedError{"localhost:2019", refused, ""}, "is it running"},
		"no socket":     {notReachedError{"unix//nowhere", fs.ErrNotExist, ""}, "is it running"},
	} {
		if got := c.e.Error(); !strings.Contains(got, c.says) || !strings.Contains(got, c.e.address) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
