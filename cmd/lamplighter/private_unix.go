//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// private reports whether a directory is this user's alone. Others may pass through it, to a
// socket of tokens or a file, if it lists nothing to them and the umask lets nobody else
// connect to a socket before it has its mode.
func private(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() {
		return false
	}
	others := info.Mode().Perm() & 0o077
	return others == 0 || others&0o066 == 0 && umask()&0o022 == 0o022
}

// umask is that of this process, which nothing but setting it tells of everywhere. It is asked
// for before anything else runs.
func umask() int {
	now := syscall.Umask(0o077)
	syscall.Umask(now)
	return now
}
