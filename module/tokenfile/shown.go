package tokenfile

import (
	"fmt"

	"lamplighter/module/adminapi"
)

// Show adds to a client's status how its files are. What is wrong with one of them is the
// cause, unless there is another.
func (f *Files) Show(s *adminapi.ClientStatus) {
	for _, file := range f.States() {
		shown := adminapi.TokenFile{Path: file.Path, Format: file.Format, Generation: file.Generation, WrittenAt: file.WrittenAt}
		if t := file.Trouble; t != nil {
			shown.Cause, shown.Detail, shown.Remedy, shown.Since = t.Cause, t.Detail, t.Remedy, t.Since
			if s.Cause == "" {
				s.Cause, s.Detail, s.Remedy, s.Since = t.Cause, t.Detail, t.Remedy, t.Since
			}
		}
		s.TokenFiles = append(s.TokenFiles, shown)
	}
}

// Paths say which client of a configuration has which file.
type Paths map[string]string

// Take notes that a client has files. No other one may have them.
func (p Paths) Take(client string, list []*Compiled) error {
	for _, c := range list {
		if other, taken := p[c.Path]; taken {
			return fmt.Errorf("token_file %s: client %s has it already: each needs a path of its own", c.Path, other)
		}
		p[c.Path] = client
	}
	return nil
}
