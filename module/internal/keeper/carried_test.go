package keeper

import (
	"path/filepath"
	"testing"

	"lamplighter/module/internal/carry"
	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// TestWhatIsOwedIsHandedOver: to another name, and to another store if somebody here uses it.
func TestWhatIsOwedIsHandedOver(t *testing.T) {
	one, other := filestore.NewFile(filepath.Join(t.TempDir(), "one")), filestore.NewFile(filepath.Join(t.TempDir(), "other"))
	living := record.Presented{RefreshToken: "living", Binding: record.Binding{Grant: 1}}
	for name, c := range map[string]struct {
		to      carry.End
		reach   func(string) recordstore.Store
		reached bool
	}{
		"to another name":                {carry.End{Store: one, Client: "crm"}, nil, true},
		"to another store":               {carry.End{Store: other, Client: "erp", Name: "other"}, func(string) recordstore.Store { return other }, true},
		"to a store that nobody uses":    {carry.End{Store: other, Client: "crm", Name: "other"}, func(string) recordstore.Store { return nil }, false},
		"to a store, and nobody is told": {carry.End{Store: other, Client: "hr", Name: "other"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			from := carry.End{Store: one, Client: "from-" + c.to.Client + c.to.Name, Name: "one"}
			stored := new(record.Record).Answered(1, record.Presented{RefreshToken: "seed", Binding: living.Binding}, record.Token{RefreshToken: "living"})
			if err := one.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := one.Save(t.Context(), from.Client, stored, 0); err != nil {
				t.Fatal(err)
			}
			if err := carry.Over(t.Context(), from, c.to); err != nil {
				t.Fatal(err)
			}
			k := New(from.Client, one, nil)
			k.told = &Settings{Settings: step.Settings{Rotating: true}, Reach: c.reach}
			looked := k.read(step.Look{}).(step.Looked)
			owed := stored.Answered(2, living, record.Token{RefreshToken: "next"})
			got := k.save(step.Save{Record: owed, Into: looked.Stored.Moved})
			if reached := got.Fault == step.None; reached != c.reached {
				t.Fatalf("got %+v", got)
			}
			rec, err := c.to.Store.Load(t.Context(), c.to.Client)
			if err != nil {
				t.Fatal(err)
			}
			want := "living"
			if c.reached {
				want = "next"
			}
			if current := rec.Current(1); current == nil || current.RefreshToken != want {
				t.Errorf("the grant has %+v, want %s", current, want)
			}
		})
	}
}
