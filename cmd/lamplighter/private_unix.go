//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// private reports whether a directory is this user's alone.
func private(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}
