package listen_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/listen"
)

func TestWhoListensIsNamed(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		for _, host := range []string{"localhost", ""} {
			listener, err := net.Listen(network, net.JoinHostPort(host, "0"))
			if err != nil {
				t.Skipf("%s: %v", network, err)
			}
			_, port, _ := net.SplitHostPort(listener.Addr().String())
			holders := listen.Address{Network: "tcp", HostPort: net.JoinHostPort("", port)}.Holders()
			if len(holders) != 1 || !holders[0].Own {
				t.Errorf("%s %q: got %v", network, host, holders)
			}
			_ = listener.Close()
			if holders := (listen.Address{Network: "tcp", HostPort: net.JoinHostPort("", port)}).Holders(); len(holders) != 0 {
				t.Errorf("nobody listens any more: got %v", holders)
			}
		}
	}
}

func TestWhoListensOnAUnixSocketIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	address := listen.Address{Network: "unix", HostPort: path}
	if holders := address.Holders(); len(holders) != 1 || !holders[0].Own {
		t.Errorf("got %v", holders)
	}
	if holders := (listen.Address{Network: "unix", HostPort: path + "2"}).Holders(); len(holders) != 0 {
		t.Errorf("another path: got %v", holders)
	}
	_ = listener.Close()
	if holders := address.Holders(); len(holders) != 0 {
		t.Errorf("nobody listens any more: got %v", holders)
	}
}

func TestAnotherProcessThatListensIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	other.ExtraFiles = append(other.ExtraFiles, file)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = other.Process.Kill(), other.Wait() })
	address := listen.Address{Network: "tcp", HostPort: listener.Addr().String()}
	_, _ = listener.Close(), file.Close()
	holders := address.Holders()
	if len(holders) != 1 || holders[0].PID != other.Process.Pid || !strings.Contains(holders[0].String(), "(sleep)") {
		t.Errorf("got %v, want process %d", holders, other.Process.Pid)
	}
	elsewhere := listen.Address{Network: "tcp", HostPort: strings.Replace(address.HostPort, "127.0.0.1", "127.0.0.2", 1)}
	if holders := elsewhere.Holders(); len(holders) != 0 {
		t.Errorf("another interface: got %v", holders)
	}
}
