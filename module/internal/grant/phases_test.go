package grant

import (
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"lamplighter/module/internal/grant/step"
)

var phaseNames = [...]string{
	Idle: "idle", Looking: "looking", Connecting: "connecting", Leasing: "leasing", LookingAgain: "looking again",
	Journaling: "journaling", Claiming: "claiming", Holding: "holding", Asking: "asking", Saving: "saving", Joining: "joining", Revoking: "revoking",
}

var eventNames = [...]string{
	"Started", "Stopped", "Abandoned", "Poked", "Called", "Ordered", "OrderGone", "Unauthorized", "Accepted", "Panicked",
	"Looked", "Connected", "Leased", "Saved", "Drained", "Answered", "Revoked", "Claimed",
}

const outcomesFrom = 10 // of eventNames

func eventNumber(e step.Event) int {
	switch e.(type) {
	case step.Started:
		return 0
	case step.Stopped:
		return 1
	case step.Abandoned:
		return 2
	case step.Poked:
		return 3
	case step.Called:
		return 4
	case step.Ordered:
		return 5
	case step.OrderGone:
		return 6
	case step.Unauthorized:
		return 7
	case step.Accepted:
		return 8
	case step.Panicked:
		return 9
	case step.Looked:
		return 10
	case step.Connected:
		return 11
	case step.Leased:
		return 12
	case step.Saved:
		return 13
	case step.Drained:
		return 14
	case step.Answered:
		return 15
	case step.Revoked:
		return 16
	}
	return 17
}

// transitions counts what explorations have seen: phase, event, phase after.
type transitions [len(phaseNames)][len(eventNames)][len(phaseNames)]atomic.Int64

var reached transitions

func (t *transitions) note(before Phase, e step.Event, after Phase) {
	t[before][eventNumber(e)][after].Add(1)
}

// row is one of the table in the doc comment of the package.
type row struct {
	awaits []string
	then   []string
}

// table reads it.
func table(t *testing.T) map[string]row {
	src, err := os.ReadFile("grant.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(src), "//\tphase         awaits               then\n")
	if !ok {
		t.Fatal("the table of phases is gone")
	}
	rows := make(map[string]row)
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			break
		}
		name, awaits, then := strings.TrimSpace(line[:14]), strings.TrimSpace(line[14:35]), strings.TrimSpace(line[35:])
		rows[name] = row{strings.Split(awaits, ", "), strings.Split(then, ", ")}
	}
	return rows
}

// checkTable holds the table true to what the explorations have seen.
func checkTable(t *testing.T, seen *transitions) {
	rows := table(t)
	for p, name := range phaseNames {
		row, ok := rows[name]
		if !ok {
			t.Errorf("the table has no phase %q", name)
			continue
		}
		var then [len(phaseNames)]bool
		for e, event := range eventNames {
			for after := range phaseNames {
				if seen[p][e][after].Load() == 0 || after == p && (e < outcomesFrom || !slices.Contains(row.awaits, event)) {
					continue
				}
				if p != int(Idle) && !slices.Contains(row.awaits, event) && event != "Panicked" {
					t.Errorf("%s ends by %s, and the table says that it awaits %q", name, event, row.awaits)
				}
				then[after] = true
			}
		}
		allowed := slices.Clone(row.then)
		if slices.Contains(row.then, "idle") {
			allowed = append(allowed, rows["idle"].then...) // what is due begins at once
		}
		for after, next := range phaseNames {
			if then[after] && !slices.Contains(allowed, next) {
				t.Errorf("%s is followed by %s, and the table has only %q", name, next, row.then)
			}
			if !then[after] && slices.Contains(row.then, next) {
				t.Errorf("%s is never followed by %s, as the table says", name, next)
			}
		}
		for _, next := range row.then {
			if !slices.Contains(phaseNames[:], next) {
				t.Errorf("%s: there is no phase %q", name, next)
			}
		}
	}
}

// checkReached reports pairs of a phase and an event that no exploration has seen.
func checkReached(t *testing.T, seen *transitions) {
	rows := table(t)
	for p, name := range phaseNames {
		for e, event := range eventNames {
			if e >= outcomesFrom && !slices.Contains(rows[name].awaits, event) || event == "Panicked" && p == int(Idle) || unreachable[name+" "+event] {
				continue
			}
			n := int64(0)
			for after := range phaseNames {
				n += seen[p][e][after].Load()
			}
			if n == 0 {
				t.Errorf("no exploration has %s while %s", event, name)
			}
		}
	}
}

// unreachable are pairs that cannot be.
var unreachable = map[string]bool{}
