package panics

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

type secretive struct{ password string }

func (s secretive) Error() string { return s.password }

// Fault A1.
func TestAPanicIsToldByTypeAndPlaceAndNothingOfItsValue(t *testing.T) {
	var nothing map[string]int
	for name, do := range map[string]func(){
		"text":          func() { panic("s3cret") },
		"error":         func() { panic(errors.New("s3cret")) },
		"wrapped":       func() { panic(fmt.Errorf("in it: %w", secretive{"s3cret"})) },
		"own type":      func() { panic(secretive{"s3cret"}) },
		"again":         func() { defer func() { panic(fmt.Sprint(recover())) }(); panic("s3cret") },
		"out of bounds": func() { _ = []byte("s3cret")[len(name0(t)):] },
		"nil map":       func() { nothing["s3cret"] = 1 },
		"nil":           func() { panic(nil) },
	} {
		err := Contain(do)
		if err == nil {
			t.Errorf("%s: nothing was told", name)
			continue
		}
		if text := err.Error(); strings.Contains(text, "s3cret") || !strings.Contains(text, "panics_test.go:") || !strings.Contains(text, " panic at ") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func name0(t *testing.T) string { return t.Name() }

func TestWhatEndsWellIsLeftAlone(t *testing.T) {
	done := false
	if err := Contain(func() { done = true }); err != nil || !done {
		t.Errorf("%v, %v", err, done)
	}
}

// A goroutine that ends itself, as a failed test does, is no panic, and goes on to
// end.
func TestAGoroutineThatEndsItselfIsNoPanic(t *testing.T) {
	var wg sync.WaitGroup
	var after bool
	wg.Go(func() {
		t.Run("inner", func(t *testing.T) {
			_ = Contain(func() { t.SkipNow() })
			after = true
		})
	})
	wg.Wait()
	if after {
		t.Error("it went on")
	}
}
