//go:build !linux

package listen

// Holders are unknown where the system does not list them.
func (a Address) Holders() []Process { return nil }
