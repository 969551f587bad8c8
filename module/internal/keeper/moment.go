package keeper

import (
	"time"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
)

// momentOf is that of an event. Only those whose number is always the same are drawn
// for, so that a simulation repeats itself.
func (k *Keeper) momentOf(e step.Event) when.Now {
	switch e.(type) {
	case step.Started, step.Answered, step.Saved, step.Leased:
		k.drawn = k.draw()
	}
	now := k.now()
	now.Draw = k.drawn
	return now
}

// now tells the time twice.
func (k *Keeper) now() when.Now {
	mono := time.Now()
	wall := mono
	if k.wall != nil {
		wall = k.wall()
	}
	return when.Now{Mono: int64(mono.Sub(k.began)) + 1, Wall: wall.UnixNano()}
}
