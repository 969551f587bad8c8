//go:build !linux

package module

import "os/exec"

// bindToParent does nothing: only Linux kills a child together with its parent.
func bindToParent(*exec.Cmd) {}
