//go:build !linux

package filestore

// NetworkFileSystem knows nothing here.
func NetworkFileSystem(string) (kind string, ok bool) { return "", false }
