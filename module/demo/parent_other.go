//go:build !linux

package demo

import "os/exec"

// bindToParent does nothing: only Linux kills a child together with its parent.
func bindToParent(*exec.Cmd) {}
