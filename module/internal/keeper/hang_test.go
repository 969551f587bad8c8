package keeper

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// hangingLocks is a store whose leases hang when they are looked at, or given back.
type hangingLocks struct {
	*memoryStore
	lost, release chan struct{} // nil if it does not hang
}

type hangingLease struct {
	recordstore.Lease
	of *hangingLocks
}

func (s *hangingLocks) Lease(ctx context.Context, name string) (recordstore.Lease, error) {
	lease, err := s.memoryStore.Lease(ctx, name)
	if err != nil {
		return nil, err
	}
	return &hangingLease{lease, s}, nil
}

func (l *hangingLease) Lost() error {
	if l.of.lost != nil {
		<-l.of.lost
	}
	return l.Lease.Lost()
}

func (l *hangingLease) Release() {
	if l.of.release != nil {
		<-l.of.release
	}
	l.Lease.Release()
}

// A file system that hangs may hang with a lock, too.
func TestALockThatHangsHoldsUpNoStop(t *testing.T) {
	for name, edit := range map[string]func(*hangingLocks, chan struct{}){
		"looked at":  func(s *hangingLocks, hang chan struct{}) { s.lost = hang },
		"given back": func(s *hangingLocks, hang chan struct{}) { s.release = hang },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				hang := make(chan struct{})
				p := r.newProcess()
				locks := &hangingLocks{memoryStore: p.store}
				edit(locks, hang)
				p.keeper.store = locks
				stop := p.start()
				time.Sleep(time.Minute)
				if locks.lost != nil {
					r.wantRequests(0)
				}
				stopped := make(chan struct{})
				go func() {
					stop()
					close(stopped)
				}()
				time.Sleep(30 * time.Second)
				select {
				case <-stopped:
				default:
					t.Error("the stop waits for a lock")
				}
				close(hang)
				<-stopped
				time.Sleep(time.Minute)
				if r.disk.leased() {
					t.Error("the lease is kept")
				}
			})
		})
	}
}

// What is told of refresh tokens outside of the store is told after the store has
// what came in their place, and holds up nobody.
func TestWhatIsToldOfSpentTokensComesAfterTheirSuccessors(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		told := 0
		p := r.boot(func(s *Settings) {
			s.Spent = func(record.Fingerprint, record.Fingerprint, ledger.Said, bool) {
				if told++; r.disk.stored().RefreshToken != r.server.current(r.seed) {
					t.Error("told before the new refresh token is written")
				}
			}
		})
		p.token()
		synctest.Wait()
		if told == 0 {
			t.Error("nothing is told")
		}
	})
}

func TestALedgerThatHangsHoldsUpNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		hang := make(chan struct{})
		p := r.newProcess()
		stop := p.start(func(s *Settings) {
			s.Spent = func(record.Fingerprint, record.Fingerprint, ledger.Said, bool) { <-hang }
		})
		time.Sleep(5 * time.Hour)
		r.wantState(p, StateOK, "")
		stopped := make(chan struct{})
		go func() {
			stop()
			close(stopped)
		}()
		time.Sleep(time.Minute)
		select {
		case <-stopped:
		default:
			t.Error("the stop waits for the ledger")
		}
		close(hang)
		<-stopped
	})
}
