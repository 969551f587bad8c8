package program

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Memory is what a process holds, in bytes.
type Memory struct {
	RSS  float64
	Heap float64 // in use by Go after a collection
	Own  float64 // the part of it that Lamplighter allocated, its configuration included
}

// Memory collects garbage, gives the kernel time to get its pages back, and
// looks.
func (p *Process) Memory(ctx context.Context, rest time.Duration) (m Memory, err error) {
	// The profile is of the last collection but one: two make it current.
	var raw []byte
	for range 2 {
		if raw, err = p.Ask(ctx, "/debug/pprof/heap?gc=1"); err != nil {
			return m, err
		}
	}
	prof, err := profile.Parse(bytes.NewReader(raw))
	if err != nil {
		return m, err
	}
	m.Heap, m.Own, err = heapOf(prof)
	if err != nil {
		return m, err
	}
	time.Sleep(rest)
	m.RSS, err = p.RSS()
	return m, err
}

// heapOf adds up the memory in use, and what of it was allocated by Lamplighter.
// Caddy unmarshals a module's settings into the module: they count as the
// module's. The copies of the whole configuration that Caddy keeps do not.
func heapOf(prof *profile.Profile) (all, own float64, err error) {
	index := -1
	for i, t := range prof.SampleType {
		if t.Type == "inuse_space" {
			index = i
		}
	}
	if index < 0 {
		return 0, 0, fmt.Errorf("the heap profile has no inuse_space")
	}
	for _, s := range prof.Sample {
		all += float64(s.Value[index])
		if isOwn(s) {
			own += float64(s.Value[index])
		}
	}
	return all, own, nil
}

func isOwn(s *profile.Sample) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			name := line.Function.Name
			if strings.HasPrefix(name, "lamplighter/") || strings.HasSuffix(name, ".StrictUnmarshalJSON") && under(s, "LoadModuleByID") {
				return true
			}
		}
	}
	return false
}

// under reports whether a function of Caddy's context is among the callers.
func under(s *profile.Sample, method string) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if strings.HasSuffix(line.Function.Name, "caddy/v2.Context."+method) {
				return true
			}
		}
	}
	return false
}
