package main

import (
	"net"
	"path/filepath"
	"testing"
)

func TestNoInstanceTakesTheAdminSocketOfAnother(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "admin-2.sock")
	if got := freeSocket(dir); got != first {
		t.Errorf("got %s, want %s", got, first)
	}
	listener, err := net.Listen("unix", first)
	if err != nil {
		t.Fatal(err)
	}
	if got := freeSocket(dir); got != second {
		t.Errorf("got %s, want %s", got, second)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // as if it were killed
	_ = listener.Close()
	if got := freeSocket(dir); got != first {
		t.Errorf("got %s, want %s, which nobody listens on", got, first)
	}
}
