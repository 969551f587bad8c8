package grant

import (
	"fmt"
	"strings"
)

// String shows a world, for who looks for what is wrong in it.
func (w *world) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %.1f s, server %+v, safe %v, past %+v\n", float64(w.now)/1e9, w.server.families, w.safe, w.past)
	if r := w.store.rec; r != nil {
		fmt.Fprintf(&b, "  store: revision %d %s number %d generation %d lineages %+v attempts %+v damaged %v lease %d\n", r.Revision, r.WriteID, r.Number, r.Generation, r.Lineages, r.Attempts, w.store.damaged, w.store.lease)
	}
	for i := range w.holders {
		h := &w.h[i]
		if h.state == nil {
			fmt.Fprintf(&b, "  %d is down\n", i)
			continue
		}
		s := h.state
		d, ok := s.Wake(w.clock())
		fmt.Fprintf(&b, "  %d: %s, under %T, line %v turn %v again %v unsaved %v loaded %v leased %v aside %v tag %d trouble %+v wake %v %v orders %v heard %v dead %v owed %q live %+v\n     number %d generation %d lineages %+v attempts %+v\n     schedule %+v\n",
			i, phaseNames[s.phase], h.under, h.line, h.turn, s.again, s.unsaved, s.loaded, s.leased, s.aside, s.tag, s.trouble, d, ok, s.rarely().orders, h.heard, h.dead, h.owed, s.live, s.record.Number, s.record.Generation, s.record.Lineages, s.record.Attempts, s.schedule)
	}
	return b.String()
}

// brief shows the least.
func (w *world) brief() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f s, server %s, lease %d", float64(w.now)/1e9, w.server.families[0].current, w.store.lease)
	for i := range w.holders {
		if h := &w.h[i]; h.state != nil {
			fmt.Fprintf(&b, "; %d: %s %s%s, unsaved %v", i, phaseNames[h.state.phase], h.state.trouble.Cause, h.state.trouble.Case, h.state.unsaved)
		}
	}
	return b.String()
}
