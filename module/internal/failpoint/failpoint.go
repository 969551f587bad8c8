//go:build !failpoint || !unix

// Package failpoint exists only so that tests can kill the process between two
// instructions. Production builds contain none of it: without the build tag
// failpoint every call is an empty function that the compiler removes.
package failpoint

// At marks a place where a test may kill the process.
func At(string) {}

// Behind marks what follows such a place in time, but in another goroutine.
func Behind(string) {}
