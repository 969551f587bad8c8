package main

import (
	"fmt"
	"math"
	"slices"
)

// row is one line of the table: something that was measured in pairs with its
// baseline.
type row struct {
	what, baseline string
	unit           unit
	ours, base     []float64 // one pair for each round, or one value each
	target         target
	missing        string // why nothing was measured; "" if it was
	invalid        error  // why the numbers mean nothing
}

// target is what a row ought to show. Its zero value is no target.
type target struct {
	of    targetOf
	limit float64
}

type targetOf int

const (
	noTarget     targetOf = iota
	ratioAtMost           // the ratio
	ratioAtLeast          // the ratio
	valueAtMost           // the value itself
)

// median returns the middle value, NaN if there is none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios returns the ratio of each pair. Values that were taken once are
// compared with every value of the other side.
func (r row) ratios() []float64 {
	n := max(len(r.ours), len(r.base))
	if len(r.ours) == 0 || len(r.base) == 0 {
		return nil
	}
	out := make([]float64, 0, n)
	for i := range n {
		out = append(out, r.ours[min(i, len(r.ours)-1)]/r.base[min(i, len(r.base)-1)])
	}
	return out
}

// spread is a median and the range around it.
type spread struct{ median, low, high float64 }

func (r row) ratio() (s spread, ok bool) {
	all := r.ratios()
	if len(all) == 0 {
		return spread{}, false
	}
	return spread{median(all), slices.Min(all), slices.Max(all)}, true
}

// met reports whether the target is reached; ok is false if that cannot be said.
func (r row) met() (met, ok bool) {
	if r.missing != "" || r.invalid != nil || len(r.ours) == 0 {
		return false, false
	}
	ratio, compared := r.ratio()
	switch r.target.of {
	case ratioAtMost:
		return ratio.median <= r.target.limit, compared
	case ratioAtLeast:
		return ratio.median >= r.target.limit, compared
	case valueAtMost:
		return median(r.ours) <= r.target.limit, true
	case noTarget:
	}
	return false, false
}

// unit says how a number is written.
type unit string

const (
	microseconds unit = "µs"
	milliseconds unit = "ms"
	seconds      unit = "s"
	perSecond    unit = "/s"
	kibibytes    unit = "KiB"
	mebibytes    unit = "MiB"
	number       unit = ""
)

// write writes a number with three digits that count.
func (u unit) write(value float64) string {
	digits := 0
	switch size := math.Abs(value); {
	case math.IsNaN(value):
		return "–"
	case size < 10 && (u != number || value != math.Trunc(value)):
		digits = 2
	case size < 100 && (u != number || value != math.Trunc(value)):
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, value)
	if u == number {
		return text
	}
	if u == perSecond {
		return text + string(u)
	}
	return text + " " + string(u)
}
