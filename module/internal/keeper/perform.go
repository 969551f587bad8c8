package keeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/tokenendpoint"
)

func random() float64 { return rand.Float64() }

// perform carries out an effect. A bug in that ends what is under way, and not the
// refreshing; one in whoever is told of something ends nothing.
func (k *Keeper) perform(effect any) {
	if e, ok := effect.(Event); ok {
		if notify := k.obeyed().Notify; notify != nil {
			_ = panics.Contain(func() { notify(e) }) // there is nobody else to tell
		}
		return
	}
	e := k.outcome(effect)
	if e == nil {
		return
	}
	k.step(e)
	if k.idle() {
		_ = panics.Contain(k.list)
	}
	if _, ok := e.(step.Answered); ok {
		_ = panics.Contain(k.observe) // after its refresh token is on the way to the disk
	}
}

// idle reports whether nothing is under way.
func (k *Keeper) idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Phase() == grant.Idle
}

// observe counts the answer.
func (k *Keeper) observe() {
	k.mu.Lock()
	observe, r := k.told.Observe, k.request
	k.mu.Unlock()
	if observe != nil && r != nil {
		observe(r.outcome, r.took)
	}
}

// outcome carries out an effect and returns what comes of it, nil if that is of no
// interest.
func (k *Keeper) outcome(effect any) (e step.Event) {
	defer func() {
		if r := recover(); r != nil {
			e = step.Panicked{Facts: panicked(r)}
		}
	}()
	switch effect := effect.(type) {
	case step.Look:
		defer k.endLook()
		return k.read(effect)
	case step.Connect:
		return k.connect()
	case step.Lease:
		return k.takeLease()
	case step.Save:
		return k.save(effect)
	case step.Claim:
		return k.claim(effect)
	case step.Hold:
		return k.hold(effect)
	case step.Send:
		return k.send()
	case step.Revoke:
		return k.revoke(effect)
	case step.Reply:
		k.reply(effect)
	case step.Line:
		k.standInLine(effect.Hurried)
	case step.Leave:
		k.leaveLine()
	case step.Release:
		k.release()
	}
	return nil
}

// obeyed returns the settings in force, or those that were last.
func (k *Keeper) obeyed() *Settings {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.told
}

// panicked is what may be told of a bug. The value may quote an answer.
func panicked(value any) *finding.Facts {
	return &finding.Facts{Detail: fmt.Sprintf("a %T panic while refreshing", value)}
}

// read resolves the settings, if that is wanted, and reads the record. A file that a
// setting names may hang like the store.
func (k *Keeper) read(look step.Look) step.Event {
	var e step.Looked
	if look.Config {
		resolve := k.obeyed().Resolve
		in, err := call(k, &k.unread, func(context.Context) (Inputs, error) { return resolve() })
		if b, ok := errors.AsType[*bug](err); ok {
			return step.Panicked{Facts: b.facts}
		}
		if err != nil {
			e.Config, e.Facts = step.Unresolved, &finding.Facts{Detail: err.Error()}
			switch _, notYet := errors.AsType[*NotYet](err); {
			case notYet:
				e.Config = step.NotYet
			case errors.Is(err, errStuck), errors.Is(err, context.DeadlineExceeded):
				e.Facts.Detail = "a file or directory that the settings name hangs: " + err.Error()
			}
			return e
		}
		in.Revocable = in.Revoke != nil
		k.inputs = &in
		e.Inputs = in.Inputs
	}
	stored, err := call(k, &k.stuck, func(ctx context.Context) (*record.Record, error) { return k.store.Load(ctx, k.name) })
	if err == nil && stored.Moved != nil && k.obeyed().Rotating {
		stored, err = k.followed(stored)
	}
	e.Stored = stored
	e.Store, e.Facts = faultOf(err)
	if e.Store == step.None || e.Store == step.Missing {
		k.lookAtToken(look, &e)
	}
	return e
}

// lookAtToken finds out about the refresh token that a look asks for, if it does.
func (k *Keeper) lookAtToken(look step.Look, e *step.Looked) {
	var facts *finding.Facts
	var fault step.Fault
	switch {
	case look.Taken != 0:
		facts, fault = k.taken(look.Taken, e.Stored)
	case look.Missing != 0:
		facts, fault = k.spent(look.Missing, e.Stored)
	}
	if fault == step.Away && look.Taken != 0 {
		e.Unknown = true // what was known of it holds
		return
	}
	if fault == step.Away {
		e.Store, e.Facts, e.Stored = fault, facts, nil
		return
	}
	e.Taken = facts
}

// save writes the record.
func (k *Keeper) save(s step.Save) step.Saved {
	if s.Journal {
		failpoint.At("before-journal")
	}
	_, err := call(k, &k.stuck, func(ctx context.Context) (struct{}, error) {
		switch {
		case s.Into != nil:
			return struct{}{}, k.handOver(ctx, s.Record, *s.Into)
		case s.SetAside == step.Damaged:
			return struct{}{}, k.store.Replace(ctx, k.name, s.Record, s.IfRevision+1, 0)
		case s.SetAside == step.Foreign:
			return struct{}{}, k.store.Replace(ctx, k.name, s.Record, s.IfRevision+1, s.IfRevision)
		default:
			return struct{}{}, k.store.Save(ctx, k.name, s.Record, s.IfRevision)
		}
	})
	if s.Journal {
		failpoint.At("after-journal")
	} else {
		failpoint.At("before-publish")
	}
	var e step.Saved
	e.Fault, e.Facts = faultOf(err)
	return e
}

// takeLease tries once.
func (k *Keeper) takeLease() (e step.Leased) {
	lease, err := call(k, &k.stuck, func(ctx context.Context) (recordstore.Lease, error) { return k.store.Lease(ctx, k.name) })
	if err == nil {
		k.lease = lease
	}
	e.Fault, e.Facts = faultOf(err)
	return e
}

// tokenRequest is one token request, from the connection on.
type tokenRequest struct {
	refreshToken string
	key          record.Key // whose proof goes along
	ctx          context.Context
	cancel       context.CancelCauseFunc
	timeout      time.Duration

	up      chan struct{} // closed when the request may be written
	proceed chan error    // nil lets it be written
	answer  chan tokenendpoint.Answer

	asked   time.Time     // when it was begun
	took    time.Duration // until its answer
	outcome tokenendpoint.Outcome

	access      string // of the answer, with the certificate it was obtained with
	certificate *tls.Certificate
}

func newRequest(c step.Connect, s *Settings) *tokenRequest {
	r := &tokenRequest{
		refreshToken: c.RefreshToken, key: c.Key, timeout: s.Timeout,
		up: make(chan struct{}), proceed: make(chan error, 1), answer: make(chan tokenendpoint.Answer, 1),
	}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	return r
}

// errStopping calls a token request off before it is written.
var errStopping = errors.New("called off")

// callOff ends a request that was not written.
func (r *tokenRequest) callOff(because error) {
	r.cancel(because)
	select {
	case r.proceed <- because:
	default:
	}
}

// connect prepares the request, and returns when it could be written, or will not
// be.
func (k *Keeper) connect() step.Event {
	k.mu.Lock()
	r := k.request
	k.mu.Unlock()
	r.asked = time.Now()
	ctx, cancel := withTimeout(r.ctx, r.timeout)
	ask := k.inputs.Ask
	failpoint.At("before-send")
	go func() {
		defer cancel()
		a := tokenendpoint.Answer{Outcome: tokenendpoint.Unanswered, Cause: finding.CauseInternal}
		defer func() {
			if v := recover(); v != nil {
				a.Detail = panicked(v).Detail
			}
			r.answer <- a
		}()
		a = ask(ctx, Request{RefreshToken: r.refreshToken, Key: r.key.Private, Keyed: r.keyed, BeforeSend: func() error {
			close(r.up)
			select {
			case err := <-r.proceed:
				if err == nil && ctx.Over() {
					err = errStopping
				}
				return err
			case <-ctx.Done():
				return errStopping
			}
		}})
	}()
	select {
	case <-r.up:
		return step.Connected{Key: r.key}
	case a := <-r.answer:
		return k.answered(r, a)
	}
}

// send lets the request be written, and returns its answer.
func (k *Keeper) send() step.Event {
	k.mu.Lock()
	r := k.request
	k.mu.Unlock()
	select {
	case r.proceed <- nil:
	default: // called off, by a stop that a start followed: its answer says so
	}
	a := <-r.answer
	failpoint.At("after-parse")
	return k.answered(r, a)
}

func (k *Keeper) answered(r *tokenRequest, a tokenendpoint.Answer) step.Event {
	end := time.Now()
	k.mu.Lock()
	r.took, r.outcome = end.Sub(r.asked), a.Outcome
	r.access, r.certificate = a.AccessToken, a.Certificate
	k.mu.Unlock()
	g := step.Answer{
		Outcome: step.Outcome(a.Outcome), Status: a.Status, //nolint:gosec // it is one of six
		RefreshToken: a.RefreshToken, RefreshExpiresIn: a.RefreshTokenExpiresIn,
		Access: record.AccessToken{
			AccessToken: a.AccessToken, IDToken: a.IDToken, TokenType: a.TokenType, Scope: a.Scope,
			Unusable: a.Unusable, Response: a.Response, Key: idOf(a.BoundTo),
		},
		ExpiresIn: a.ExpiresIn, ExpiresDefaulted: a.ExpiresDefaulted,
		RetryAfter: a.RetryAfter, Cause: a.Cause,
	}
	for _, remark := range a.Remarks {
		g.Remarks = append(g.Remarks, &finding.Facts{Detail: remark.Detail, Remedy: remark.Remedy})
	}
	if a.Case != "" {
		g.Facts = &finding.Facts{Detail: a.Unusable, Kind: a.Case}
	}
	if a.Outcome != tokenendpoint.Granted {
		g.Facts = &finding.Facts{Detail: a.Detail, Remedy: a.Remedy, DeadGrant: a.DeadGrant}
	}
	return step.Answered{Answer: g}
}

// othersNotice is what other replicas are given to notice an attempt, and to hold their
// requests back as well.
const othersNotice = 100 * time.Millisecond

// hold holds requests back until those that were sent are answered, and looks
// whether the lease is still held.
func (k *Keeper) hold(h step.Hold) (e step.Drained) {
	if h.Requests {
		k.mu.Lock()
		r, told := k.request, k.told
		k.mu.Unlock()
		began, shared := time.Now(), told.Lease > 0
		left := r.timeout - r.timeout/3 - began.Sub(r.asked)
		quiesce := min(told.Quiesce, max(0, left))
		open := k.gate.close(r.ctx, quiesce)
		pause := k.unseen(quiesce, shared && told.HandsOut, began)
		if shared {
			pause = max(pause, othersNotice-time.Since(began))
		}
		pauseFor(r.ctx, pause)
		k.mu.Lock()
		if k.open != nil {
			k.open()
		}
		k.open = open
		k.mu.Unlock()
	}
	e.Facts = k.leaseLost()
	e.LeaseLost = e.Facts != nil
	return e
}

// leaseLost says why the lease may be somebody else's by now, nil if it is not.
func (k *Keeper) leaseLost() *finding.Facts {
	lease := k.lease
	if lease == nil {
		return nil
	}
	if _, err := call(k, &k.stuck, func(context.Context) (struct{}, error) { return struct{}{}, lease.Lost() }); err != nil {
		return &finding.Facts{Detail: err.Error()}
	}
	return nil
}

// revoke ends the grant at the server.
func (k *Keeper) revoke(r step.Revoke) (e step.Revoked) {
	ctx, cancel := context.WithTimeout(context.Background(), k.obeyed().Timeout)
	defer cancel()
	if err := k.inputs.Revoke(ctx, r.RefreshToken); err != nil {
		e.Facts = &finding.Facts{Detail: err.Error()}
		return e
	}
	e.OK, e.LeaseLost = true, k.leaseLost() != nil
	return e
}

// standInLine takes a turn to ask, or a place in line for one.
func (k *Keeper) standInLine(hurried bool) {
	k.mu.Lock()
	if !k.state.InLine() {
		k.mu.Unlock()
		return // left already
	}
	s := k.told
	own, taken := s.Requests.take(s.MaxRequests, hurried || k.waiting.Load() > 0, k.myTurn)
	k.turn = own
	if taken {
		k.next(step.Called{})
	}
	k.mu.Unlock()
}

// myTurn is called when the turn to ask is given.
func (k *Keeper) myTurn(t *turn) {
	k.mu.Lock()
	if k.turn != t {
		k.mu.Unlock()
		t.end()
		return
	}
	k.next(step.Called{})
	k.look.hurry()
	k.mu.Unlock()
}

// leaveLine gives the turn, or the place in line, to the next.
func (k *Keeper) leaveLine() {
	k.mu.Lock()
	t := k.turn
	k.turn = nil
	k.mu.Unlock()
	t.end()
}

// endLook lets another keeper look.
func (k *Keeper) endLook() {
	k.mu.Lock()
	look := k.look
	k.look = nil
	k.mu.Unlock()
	look.end()
}
