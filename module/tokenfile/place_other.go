//go:build !unix

package tokenfile

import (
	"io/fs"
	"os"
)

// checkDirectory checks nothing: who may write to a directory is not in its mode here.
func checkDirectory(string, fs.FileInfo) error { return nil }

// anothers and replaceable know no owners here.
func anothers(fs.FileInfo) bool    { return false }
func replaceable(fs.FileInfo) bool { return false }

// numbered knows no numbers here: the path of what is there has its own letters.
func numbered(string) (identity, bool) { return identity{}, false }

// accessOf knows no modes here.
func accessOf(fs.FileInfo) (access, bool) { return access{}, false }

// openToReaders leaves a directory as it was made.
func openToReaders(*os.Root) {}
