//go:build !linux

package doctor

// room looks at nothing where the system is asked in another way: what opens the store does.
func room(string) error { return nil }
