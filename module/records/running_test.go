package records

import (
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/internal/record"
)

// A command that reaches no instance would take a grant away from one with another
// admin address.
func TestACommandNoticesAnInstanceThatItDoesNotReach(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	open := func(s *Stores) *Use {
		t.Helper()
		u, err := s.Use(Place{id: dir, dir: dir, command: dir}, "erp")
		if err != nil {
			t.Fatal(err)
		}
		u.Open(t.Context())
		if u.Fault() != nil {
			t.Fatal(u.Fault())
		}
		return u
	}
	var instance, command Stores
	running := open(&instance)
	given := record.Presented{RefreshToken: "seed", Binding: record.Binding{Grant: 1}}
	if err := running.store.Save(t.Context(), "erp", new(record.Record).Answered(1, given, record.Token{RefreshToken: "living"}), 0); err != nil {
		t.Fatal(err)
	}
	instance.Run(t.Context())
	other := open(&command)
	if _, err := over(t.Context(), other, "erp", other, "erp2"); err == nil || !strings.Contains(err.Error(), "--address") {
		t.Errorf("got %v", err)
	}
	if _, err := over(t.Context(), running, "erp", running, "erp2"); err != nil { // the instance itself
		t.Error(err)
	}
	instance.Close()
	if _, err := over(t.Context(), other, "erp2", other, "erp3"); err != nil {
		t.Error(err)
	}
}
