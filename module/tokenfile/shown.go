package tokenfile

import "lamplighter/module/adminapi"

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
