package sharedstore

import (
	"errors"
	"testing"
	"time"

	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

func TestTheNewestConfigurationsEngineIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := New("memory")
		if _, err := s.Load(t.Context(), "erp"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("without an engine: %v", err)
		}
		if s.Describe("erp") != "memory erp" {
			t.Errorf("described as %s", s.Describe("erp"))
		}
		made := 0
		options := Options{Lease: lasts, OpTimeout: 2 * time.Second, Poll: time.Minute}
		engine := func(fault *storetest.Fault) func() (store.Engine, error) {
			return func() (store.Engine, error) {
				made++
				m := r.place.Engine()
				m.Faults(func(storetest.Call) storetest.Fault { return *fault })
				return m, nil
			}
		}
		use := func(settings string, fault *storetest.Fault) func() {
			done, err := s.Use(settings, engine(fault), options)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		good, bad := &storetest.Fault{}, &storetest.Fault{Err: store.ErrRefused}
		first := use("old password", good)
		same := use("old password", good)
		if made != 1 {
			t.Errorf("%d engines for equal settings", made)
		}
		if err := s.Save(t.Context(), "erp", holding("one"), 0); err != nil {
			t.Fatal(err)
		}
		l, err := s.Lease(t.Context(), "erp")
		if err != nil {
			t.Fatal(err)
		}
		wrong := use("wrong password", bad)
		if err := s.Save(t.Context(), "erp", holding("two"), 1); !errors.Is(err, store.ErrRefused) {
			t.Errorf("save with other credentials: %v", err)
		}
		wrong() // that configuration could not start
		if err := s.Save(t.Context(), "erp", holding("two"), 1); err != nil {
			t.Errorf("save with the former ones: %v", err)
		}
		other := use("new password", good)
		named := use("", bad) // for a command, which takes what is there
		first()
		same()
		time.Sleep(30 * time.Second)
		if err := l.Lost(); err != nil {
			t.Errorf("a lease is not renewed after a change of credentials: %v", err)
		}
		l.Release()
		named()
		other()
		if err := s.Save(t.Context(), "erp", holding("three"), 2); err != nil {
			t.Errorf("what is left to be written at the end: %v", err)
		}
		if made != 3 {
			t.Errorf("%d engines", made)
		}
		time.Sleep(2 * outlived)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnEngineThatCannotBeMadeIsAnError(t *testing.T) {
	s := New("memory")
	want := errors.New("bad")
	if _, err := s.Use("x", func() (store.Engine, error) { return nil, want }, Options{}); !errors.Is(err, want) {
		t.Errorf("use: %v", err)
	}
}
