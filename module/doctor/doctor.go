// Package doctor answers what stands between a client and its token, and between the token
// and its upstream, step by step: settings and secrets, the way to the authorization server,
// the store and the record, the ports, the upstreams.
//
// It knows clients, what they ask of their authorization server, records and sockets. It
// must not know the app, commands or HTTP servers of ours; and it spends no refresh token.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"lamplighter/module/adminapi"
	"lamplighter/module/authserver"
	"lamplighter/module/client"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/listen"
	"lamplighter/module/records"
	"lamplighter/module/settings"
)

// Doctor examines the clients of one configuration, once.
type Doctor struct {
	// Clients are all of them.
	Clients []*client.Client

	// Upstreams are where requests with their tokens go.
	Upstreams []Upstream

	// Addresses are what the configuration listens on.
	Addresses []listen.Address

	// Running says that an instance runs the configuration, in this process: its clients
	// are at work, its stores open, and the addresses its own.
	Running bool

	// Stranger says that this process has other rights, variables and directories than the
	// one that is to serve. What depends on those is not checked, and nothing is opened that
	// would leave this user's files among the other's.
	Stranger bool

	mu     sync.Mutex
	ways   map[wayTo]func() authserver.Way
	stores map[*records.Use]func() error
	opened []*records.Use
}

// patience is how long one step may take that asks another machine.
const patience = 10 * time.Second

// atATime bounds how many clients are examined at a time.
const atATime = 16

// Examine takes all steps for these clients. With ask, those whose grant presents no refresh
// token make a token request.
func (d *Doctor) Examine(ctx context.Context, clients []*client.Client, ask bool) []adminapi.Check {
	d.ways, d.stores = make(map[wayTo]func() authserver.Way), make(map[*records.Use]func() error)
	defer func() {
		for _, use := range d.opened {
			use.Close()
		}
	}()
	found := make([][]adminapi.Check, len(clients))
	var wg sync.WaitGroup
	turns := make(chan struct{}, atATime)
	for i, c := range clients {
		turns <- struct{}{}
		wg.Go(func() {
			found[i] = d.one(ctx, c, ask)
			<-turns
		})
	}
	wg.Wait()
	return slices.Concat(d.general(ctx), slices.Concat(found...))
}

// general are the steps that are about no client.
func (d *Doctor) general(ctx context.Context) []adminapi.Check {
	e := &examination{Doctor: d, ctx: ctx}
	how := "the configuration can be loaded, and "
	if d.Running {
		how = "the configuration that runs "
	}
	how += "has " + english.Plural(len(d.Clients), "client", "")
	if len(d.Clients) == 0 {
		e.add("configuration", adminapi.VerdictWarning, how, "declare a client, with upstream_oauth or the global option oauth2_client")
	} else {
		e.ok("configuration", how)
	}
	if slices.ContainsFunc(d.Clients, func(c *client.Client) bool { return c.Settings().Rotating() }) {
		e.ledger()
	}
	for _, address := range d.Addresses {
		e.port(address)
	}
	return e.checks
}

// one examines one client.
func (d *Doctor) one(ctx context.Context, c *client.Client, ask bool) []adminapi.Check {
	e := &examination{Doctor: d, ctx: ctx, client: c, settings: c.Settings().Join(c.Server().Identity()), name: c.Name(), sound: true}
	e.warnings()
	seeded := e.secrets()
	e.authorizationServer()
	if ask {
		e.tokenRequest()
	}
	e.durable(seeded)
	if d.Running && !e.settings.PerCaller() {
		e.token()
	}
	for _, u := range d.Upstreams {
		if u.Client == e.name {
			e.upstream(u)
		}
	}
	return e.checks
}

// examination is that of one client, or of what concerns all.
type examination struct {
	*Doctor
	ctx      context.Context
	client   *client.Client
	settings *settings.Client // all of its effective ones
	name     string
	checks   []adminapi.Check
	sound    bool // nothing has failed that a token request needs
}

func (e *examination) add(step, verdict, detail, remedy string) {
	e.checks = append(e.checks, adminapi.Check{Client: e.name, Step: step, Verdict: verdict, Detail: redact.Text(detail), Remedy: redact.Visible(remedy)})
}

func (e *examination) ok(step, detail string) { e.add(step, adminapi.VerdictOK, detail, "") }

func (e *examination) skip(step, detail string) { e.add(step, adminapi.VerdictSkipped, detail, "") }

// strange skips a step that only who is to serve can take.
func (e *examination) strange(step, why string) {
	e.skip(step, "not checked, because this user cannot tell: "+why)
}

// forbidden reports whether an error says no more than that this user is a stranger.
func (e *examination) forbidden(err error) bool {
	return e.Stranger && errors.Is(err, fs.ErrPermission)
}

// warnings are about settings that work, or may work later.
func (e *examination) warnings() {
	for _, warning := range e.client.Warnings() {
		what, remedy := warning, ""
		if at := strings.LastIndex(warning, "; "); at >= 0 {
			what, remedy = warning[:at], warning[at+2:]
		}
		e.add("configuration", adminapi.VerdictWarning, what, remedy)
	}
}

// token is how the client is at work.
func (e *examination) token() {
	s := e.client.Status()
	said := fmt.Sprintf("token %s, state %s", s.Token, s.State)
	switch {
	case s.Cause != "":
		said += ", " + s.Cause + ": " + s.Detail
	case s.ExpiresIn > 0:
		said += fmt.Sprintf(", expires in %s", time.Duration(s.ExpiresIn*float64(time.Second)).Round(time.Second))
	}
	needsHuman := slices.Contains([]string{adminapi.StateGrantLost, adminapi.StateMisconfigured, adminapi.StateAwaitingGrant}, s.State) || s.Unsaved
	switch {
	case needsHuman, !adminapi.HasToken(s.Token):
		e.add("token", adminapi.VerdictFailed, said, s.Remedy)
	case s.Cause != "":
		e.add("token", adminapi.VerdictWarning, said, s.Remedy)
	default:
		e.ok("token", said)
	}
}

// tokenRequest makes one, if that spends nothing.
func (e *examination) tokenRequest() {
	const step = "token_request"
	switch {
	case e.settings.PerCaller():
		e.skip(step, "each caller's own token is exchanged, and here is none")
		return
	case e.settings.GrantType == "refresh_token":
		e.skip(step, "a token request would present the refresh token")
		return
	case !e.sound:
		e.skip(step, "something that it needs has failed already")
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, time.Duration(e.settings.Timeout)+patience)
	defer cancel()
	if e.Running { // and the token is kept
		r, err := e.client.Refresh(ctx, false)
		switch {
		case err != nil:
			e.add(step, adminapi.VerdictFailed, "no answer came in time", "look at the client's cause with 'lamplighter tokens show "+e.name+"'")
		case !r.Obtained:
			e.add(step, adminapi.VerdictFailed, r.Cause+": "+r.Detail, r.Remedy)
		default:
			e.ok(step, fmt.Sprintf("a new token was obtained, generation %d", r.Status.Generation))
		}
		return
	}
	req, err := e.client.Server().Resolve(nil)
	if err != nil {
		e.add(step, adminapi.VerdictFailed, err.Error(), "")
		return
	}
	answer := e.client.Server().Do(ctx, *req)
	if answer.Outcome != tokenendpoint.Granted {
		e.add(step, adminapi.VerdictFailed, answer.Cause+": "+answer.Detail, answer.Remedy)
		return
	}
	e.ok(step, "a token was obtained, and thrown away: nothing runs that would keep it")
}
