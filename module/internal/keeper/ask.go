package keeper

import (
	"context"
	"errors"
	"strings"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// ask makes one token request and acts on its answer.
func (k *Keeper) ask(f *flight, in *Inputs, p plan, lease store.Lease) {
	start, _ := k.clock.now()
	k.mu.Lock()
	if k.record.Binding.Request != in.Binding.Request {
		k.current.Store(nil)
	}
	f.asking = true
	first := k.schedule.failures == 0 && (!p.beside || k.setbacksSoFar().trial.failures == 0)
	k.broadcast()
	k.mu.Unlock()

	var sent instant
	open := func() {}
	defer func() { open() }()

	ctx, cancel := context.WithTimeout(f.ctx, f.settings.Timeout)
	defer cancel()
	failpoint.At("before-send")
	answer := in.Ask(ctx, p.present, func() error {
		// A retry during an outage holds nobody up, and without a token that
		// works there is nothing to wait for.
		left := spare(ctx, f.settings.Timeout)
		if left <= 0 {
			return errLate
		}
		if f.settings.Drain && first && k.current.Load().valid(k.clock.now()) {
			open = k.gate.close(ctx, min(f.settings.Quiesce, left))
		}
		if ctx.Err() != nil {
			return errLate
		}
		if err := lease.Lost(); err != nil {
			return err
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if f.ctx.Err() != nil {
			return errStopping
		}
		f.written = true
		sent.mono, sent.wall = k.clock.now()
		return nil
	})
	failpoint.At("after-parse")

	end, _ := k.clock.now()
	f.outcome = answer.Outcome
	told := len(f.events)
	k.judge(f, in, p, answer, sent)
	for i := range f.events[told:] {
		f.events[told+i].Duration, f.events[told+i].Status = end.Sub(start), answer.Status
	}
	if f.settings.Observe != nil {
		f.settings.Observe(answer.Outcome, end.Sub(start))
	}
}

// errLate calls a token request off for whose answer too little time is left: it
// could be lost, and a connection that was too slow costs nothing.
var errLate = errors.New("it took so long to connect that too little of the timeout was left for an answer; raise timeout if the network is that slow")

// spare is how much time may pass before a request is sent, so that a third of the
// timeout is left for its answer.
func spare(ctx context.Context, timeout time.Duration) time.Duration {
	end, ok := ctx.Deadline()
	if !ok || ctx.Err() != nil {
		return 0
	}
	return time.Until(end) - timeout/3
}

// judge acts on an answer. Whatever else it says, a new refresh token in it is
// kept first.
func (k *Keeper) judge(f *flight, in *Inputs, p plan, a tokenendpoint.Answer, sent instant) {
	rotated := a.RefreshToken != "" && a.RefreshToken != p.present && f.settings.Rotating
	if a.Outcome == tokenendpoint.Granted || rotated {
		k.keep(f, in, p, a, sent, rotated)
	}
	switch a.Outcome {
	case tokenendpoint.Granted:
		return
	case tokenendpoint.Refused:
		if !rotated {
			k.refused(f, p, a)
			return
		}
		fallthrough
	case tokenendpoint.Misconfigured:
		if !rotated {
			k.settleAttempt(f)
		}
		if p.beside && !rotated {
			k.failBeside(f, p, a)
			return
		}
		t := Trouble{State: StateMisconfigured, Cause: a.Cause, Detail: a.Detail, Remedy: remedyOf(a, "configuration")}
		k.suspectGrant(&t, in, p, a)
		k.fail(f, t, a.RetryAfter)
	case tokenendpoint.NotSent:
		if f.ctx.Err() != nil {
			k.settleAttempt(f)
			return
		}
		fallthrough
	default:
		// A success without a token, or a 5xx of a server or gateway, may have
		// consumed the token all the same: then the attempt stays open in the
		// journal.
		settled := a.Outcome == tokenendpoint.NotSent ||
			a.Outcome == tokenendpoint.Unavailable && a.Status >= 300 && a.Status < 500
		if settled && !rotated {
			k.settleAttempt(f)
		}
		if p.beside && !rotated {
			k.failBeside(f, p, a)
			return
		}
		k.fail(f, Trouble{State: StateBackoff, Cause: a.Cause, Detail: a.Detail, Remedy: remedyOf(a, "transient")}, a.RetryAfter)
	}
}

// remedyOf is the remedy of an answer, or of its kind if it names none.
func remedyOf(a tokenendpoint.Answer, kind string) string {
	if a.Remedy != "" {
		return a.Remedy
	}
	return cause.Code(kind).Remedy
}

// suspectGrant says of an answer that blames the settings that it rather means the
// refresh token, if the same settings have worked before.
func (k *Keeper) suspectGrant(t *Trouble, in *Inputs, p plan, a tokenendpoint.Answer) {
	k.mu.Lock()
	rec, same := k.record, k.accepted != 0 && k.accepted == in.Credentials
	k.mu.Unlock()
	if a.DeadGrant == "" || rec.Token == nil || p.present != rec.RefreshToken || rec.Binding.Grant != in.Binding.Grant {
		return
	}
	kind := "perhaps a dead grant"
	if same {
		kind = "dead grant"
	}
	why := cause.Code(kind).With("client", k.name, "lines", a.DeadGrant, "when", "at "+rec.Token.ObtainedAt.UTC().Format(time.RFC3339))
	t.Detail += "; " + why.Sentence
	t.Remedy = why.Remedy
}

// settleAttempt takes back the journal of a request that consumed nothing, as
// far as an earlier one with the same token does not leave it open. That is for
// the diagnosis after a crash only, so its failure changes nothing.
func (k *Keeper) settleAttempt(f *flight) {
	k.mu.Lock()
	rec := k.record
	if rec.Attempt == nil || !f.settings.Rotating {
		k.mu.Unlock()
		return
	}
	k.mu.Unlock()

	before := rec.Revision
	if a := rec.Attempt; a.Unanswered.IsZero() {
		rec.Attempt = nil
	} else {
		rec.Attempt = &store.Attempt{ID: a.UnansweredBy, RefreshToken: a.RefreshToken, At: a.Unanswered}
	}
	ctx, cancel := writing()
	defer cancel()
	if err := k.store.Save(ctx, k.name, rec, before); err == nil {
		rec.Revision = before + 1
	}
	k.mu.Lock()
	k.record = rec
	k.mu.Unlock()
}

// refused ends a grant that the server refuses: for good, unless the refused
// token is a new seed beside a grant that lives.
func (k *Keeper) refused(f *flight, p plan, a tokenendpoint.Answer) {
	_, wall := k.clock.now()
	fp := store.FingerprintOf(p.present)
	if p.present == "" {
		// No refresh token to lose: a password or a client that is not accepted.
		k.fail(f, Trouble{State: StateMisconfigured, Cause: a.Cause, Detail: a.Detail, Remedy: remedyOf(a, "configuration")}, a.RetryAfter)
		return
	}
	k.mu.Lock()
	rec := k.record
	k.mu.Unlock()
	if k.overtaken(&rec) {
		return
	}
	open := rec.Attempt
	rec.Attempt = nil
	if !p.resting {
		rec.Imported = ""
	}
	rec.Client = k.name
	rec.AddSpent(fp)
	if p.beside {
		rec.AddSeed(fp)
		if !k.conclude(f, rec) {
			return
		}
		k.mu.Lock()
		k.again = true
		e := k.tokenEvent(SeedRefused)
		k.mu.Unlock()
		origin := "of the configuration"
		if p.imported {
			origin = "that was imported"
		}
		f.seedRefused = Trouble{
			State: StateMisconfigured, Cause: CauseSeedUsed, At: wall,
			Detail: "the new refresh token " + origin + " was refused; the one in use stays: " + a.Detail,
			Remedy: cause.Of(CauseSeedUsed, "beside").Remedy,
		}
		e.Cause, e.Detail, e.Remedy = f.seedRefused.Cause, f.seedRefused.Detail, f.seedRefused.Remedy
		f.note(e)
		return
	}
	rec.Lost = &store.Loss{Cause: lossCause(&rec, open), Detail: k.lossDetail(&rec, open) + ": " + a.Detail, At: wall, RefreshToken: fp}
	switch {
	case p.revived != nil:
		rec.Lost = p.revived // as it was
	case p.imported && rec.Lost.Cause != CauseResponseLost:
		rec.Lost.Cause, rec.Lost.Detail = CauseRefused, "the refresh token that was imported was refused: "+a.Detail
	}
	if k.conclude(f, rec) {
		k.blocked(f, lostTrouble(rec.Lost))
	}
}

// conclude writes what a refusal means, unless somebody has rotated meanwhile.
func (k *Keeper) conclude(f *flight, rec store.Record) bool {
	ctx, cancel := writing()
	defer cancel()
	err := k.store.Save(ctx, k.name, rec, rec.Revision)
	switch {
	case err == nil:
		rec.Revision++
	case errors.Is(err, store.ErrConflict):
		if k.overtaken(&rec) {
			return false
		}
		err = k.write(&rec)
	}
	k.commit(f, rec, err)
	return true
}

// overtaken reports whether somebody who ignores the lease has rotated: then
// theirs is the living grant, and the round starts over.
func (k *Keeper) overtaken(rec *store.Record) bool {
	stored, err := k.store.Load(context.Background(), k.name)
	if err != nil || stored.Generation <= rec.Generation {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.again = true
	return true
}

func lossCause(rec *store.Record, open *store.Attempt) string {
	switch {
	case open != nil && !open.Unanswered.IsZero():
		return CauseResponseLost
	case rec.Generation == 0:
		return CauseSeedUsed
	default:
		return CauseRefused
	}
}

func (k *Keeper) lossDetail(rec *store.Record, open *store.Attempt) string {
	switch lossCause(rec, open) {
	case CauseResponseLost:
		when := open.Unanswered.UTC().Format(time.RFC3339)
		if !strings.HasPrefix(open.UnansweredBy, k.process+"-") {
			return "the refresh token was refused; it was presented at " + when + " and the response lost in a crash"
		}
		return "the refresh token was refused; the response to the request of " + when + " was lost"
	case CauseSeedUsed:
		return "the refresh token of the configuration was refused the first time we presented it; most likely it was used before and the state kept since is lost (expected at " + k.store.Describe(k.name) + ")"
	default:
		return "the refresh token was refused"
	}
}
