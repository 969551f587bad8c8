//go:build !linux

package store

// NetworkFileSystem knows nothing here.
func NetworkFileSystem(string) (kind string, ok bool) { return "", false }
