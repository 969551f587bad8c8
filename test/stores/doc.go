// Package stores holds the engines of shared stores to their contract with the servers
// that they are for: as they are installed here, with faults between, restarted, and
// replaced by their standbys.
package stores
