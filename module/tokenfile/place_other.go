//go:build !unix

package tokenfile

import "io/fs"

// checkDirectory checks nothing: who may write to a directory is not in its mode here.
func checkDirectory(string, fs.FileInfo) error { return nil }

// anothers and replaceable know no owners here.
func anothers(fs.FileInfo) bool    { return false }
func replaceable(fs.FileInfo) bool { return false }

// sameMode knows no modes here.
func sameMode(fs.FileInfo, fs.FileMode) bool { return true }
