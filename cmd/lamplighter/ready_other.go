//go:build !linux

package main

// relayReadiness does nothing where there is no systemd.
func relayReadiness() error { return nil }
