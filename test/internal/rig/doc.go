// Package rig is what the black-box tests share: it builds the binary, runs it as
// a process in an environment of its own, calls it as an application would, and
// waits without guessing how long something takes. It knows nothing of what the
// tests test, and nothing of Lamplighter's packages.
package rig
