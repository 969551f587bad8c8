// Package test holds the black-box tests of Lamplighter: the built binary, driven
// as a process, against real authorization servers on real sockets. It is a
// module of its own, so that what those servers need never becomes a dependency
// of Lamplighter, and it knows nothing of Lamplighter's packages.
package test
