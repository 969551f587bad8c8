package keeper

import (
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/sharedstore"
	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

func TestWhoStandsInLineWithAGrantThatEndsSoonDoesNotLookInALoop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		end := time.Now().Add(10 * time.Hour)
		r.server.lifetime = 10 * time.Minute
		r.server.next = func(int) fault {
			return fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = time.Until(end) }}
		}
		p := r.boot()
		for time.Until(end) > 50*time.Minute {
			p.tick(time.Minute)
		}
		p.kill()
		time.Sleep(15 * time.Minute) // the access token is over
		p = r.newProcess()
		busy, _ := p.turns.take(1, false, nil) // somebody else asks
		p.start(p.inTurn)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if p.looks > 10 {
			t.Errorf("%d looks in 5 s", p.looks)
		}
		busy.end()
	})
}

func TestAnotherGrantInThePlaceOfTheRecordIsToldOfOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		place := storetest.NewPlace()
		place.Clock(time.Now)
		use := func(name string) (*sharedstore.Store, func()) {
			st := sharedstore.New("memory")
			engine := place.Engine()
			done, err := st.Use("", func() (store.Engine, error) { return engine, nil }, sharedstore.Options{
				Lease: 15 * time.Second, OpTimeout: 2 * time.Second, Poll: 30 * time.Second, Holder: name, Wall: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			return st, func() { done(); _ = st.Close() }
		}
		p := r.newProcess()
		st, end := use("a")
		p.keepAt(st)
		p.start()
		p.token()
		other, end2 := use("b")
		rec, err := other.Load(t.Context(), "erp")
		if err != nil {
			t.Fatal(err)
		}
		foreign := new(record.Record).Answered(1, record.Presented{RefreshToken: "other", Binding: r.binding}, record.Token{RefreshToken: "living"})
		foreign.WriteID = "restored-1"
		if err := other.Save(t.Context(), "erp", foreign, rec.Revision); err != nil {
			t.Fatal(err)
		}
		p.tick(10 * time.Minute)
		contested := 0
		for _, e := range p.told(finding.Troubled) {
			if e.Trouble.Case == finding.CaseForeign {
				contested++
			}
		}
		if st := p.keeper.Status(); contested != 1 || st.Trouble.Case != finding.CaseForeign || p.keeper.Current() == nil {
			t.Errorf("told %d times; %+v", contested, st)
		}
		p.kill()
		end2()
		end()
	})
}
