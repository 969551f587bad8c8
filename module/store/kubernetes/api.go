package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
	"lamplighter/module/store/guest"
)

// manager is the name under which the API server notes when we wrote.
const manager = "lamplighter"

// Types of bodies.
const (
	whole      = "application/json"
	metadata   = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=1,application/json"
	metaList   = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=1,application/json"
	mergePatch = "application/merge-patch+json" // RFC 7396
	jsonPatch  = "application/json-patch+json"  // RFC 6902
)

// maxReply bounds an answer: a page of a list with the largest objects.
const maxReply = 64 << 20

// longestPause bounds how long the API server can have us send nothing.
const longestPause = 10 * time.Second

// resource is what a call is about, as the path of a namespace's.
type resource string

const (
	ofSecrets resource = "/api/v1/namespaces/%s/secrets" //nolint:gosec // where they are
	ofLeases  resource = "/apis/coordination.k8s.io/v1/namespaces/%s/leases"
)

// call is one request.
type call struct {
	method string
	of     resource
	object string // its name, "" for all or a new one
	query  url.Values
	accept string // "": whole
	typ    string // of body; "": whole
	body   any    // encoded as JSON
}

// write reports whether a call can change anything.
func (c *call) write() bool { return c.method != http.MethodGet && !c.query.Has("dryRun") }

// api is the connection to an API server.
type api struct {
	conf  *config
	http  *http.Client
	token token
	ended context.Context
	end   context.CancelFunc
	pause atomic.Pointer[time.Time] // nothing is sent before, as the server asked
}

func newAPI(conf *config) *api {
	a := &api{conf: conf}
	a.token.conf = conf
	a.ended, a.end = context.WithCancel(context.Background())
	a.http = &http.Client{
		Transport:     newTransport(conf),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a
}

var errClosed = errors.New("the store was closed")

// within ends a context with the engine too.
func (a *api) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(a.ended, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// do carries out a call, and decodes its answer into out unless that is nil. It returns
// the time by the server's clock. A write is sent once: only if it was not carried out,
// for the token was refused, it is sent with another token.
func (a *api) do(ctx context.Context, c *call, out any) (time.Time, error) {
	ctx, cancel := a.within(ctx)
	defer cancel()
	res, sent, err := a.open(ctx, c)
	if err != nil {
		return time.Time{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		return time.Time{}, c.lost(ctx, sent, fmt.Errorf("its answer cannot be read: %w", err))
	}
	date, _ := http.ParseTime(res.Header.Get("Date"))
	return date, nil
}

// open carries out a call and returns its answer, if that is a success, with the body
// not yet read.
func (a *api) open(ctx context.Context, c *call) (res *http.Response, sent bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if until := a.pause.Load(); until != nil && time.Now().Before(*until) {
		return nil, false, fmt.Errorf("%w: the API server asked to be left alone for %s", store.ErrUnavailable, time.Until(*until).Round(time.Millisecond))
	}
	bearer, err := a.token.get()
	if err != nil {
		return nil, false, err
	}
	res, sent, err = a.send(ctx, c, bearer)
	if err == nil && res.StatusCode == http.StatusUnauthorized && bearer != "" {
		if fresh, readErr := a.token.after(bearer); readErr == nil && fresh != bearer {
			discard(res)
			res, sent, err = a.send(ctx, c, fresh)
		}
	}
	if err != nil {
		return nil, sent, c.lost(ctx, sent, err)
	}
	if res.StatusCode/100 != 2 {
		defer discard(res)
		return nil, sent, a.refusal(c, res)
	}
	return res, sent, nil
}

// send sends a request once, and reports whether the server may have seen it.
func (a *api) send(ctx context.Context, c *call, bearer string) (res *http.Response, sent bool, err error) {
	base, err := a.conf.server()
	if err != nil {
		return nil, false, err
	}
	namespace, err := a.conf.space()
	if err != nil {
		return nil, false, err
	}
	var body io.Reader
	if c.body != nil {
		b, err := json.Marshal(c.body)
		if err != nil {
			return nil, false, err
		}
		body = bytes.NewReader(b)
	}
	u := *base
	u = *u.JoinPath(fmt.Sprintf(string(c.of), namespace), c.object)
	u.RawQuery = c.query.Encode()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), body)
	if err != nil {
		return nil, false, err
	}
	req.GetBody = nil // or it might be sent again
	req.Header.Set("Accept", orWhole(c.accept))
	req.Header.Set("User-Agent", manager)
	if body != nil {
		req.Header.Set("Content-Type", orWhole(c.typ))
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err = a.http.Do(req)
	return res, wrote.Load(), err
}

func orWhole(typ string) string {
	if typ == "" {
		return whole
	}
	return typ
}

// discard has the connection used again.
func discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	res.Body.Close()
}

// lost is the error of a call without an answer: a write that the server may have seen
// is in doubt.
func (c *call) lost(ctx context.Context, sent bool, err error) error {
	kind := store.ErrUnavailable
	if c.write() && sent {
		kind = store.ErrUnknown
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", kind, cause)
	}
	if of, ok := errors.AsType[*url.Error](err); ok {
		err = of.Err // without the URL, which says nothing more
	}
	if errors.Is(err, store.ErrRefused) { // our own, of what is needed before one sends
		return err
	}
	text := redact.Text(err.Error())
	if guest.Untrusted(err) {
		text += "; name who signed the API server's certificate with ca_file, and write a name or address that it has into api"
	}
	return fmt.Errorf("%w: %s", kind, text)
}

// status is an answer that is no success, as the API has it.
type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// refusal is the error of such an answer.
type refusal struct {
	status
	kind error
}

// Error says what the API server said.
func (r *refusal) Error() string {
	said := redact.Text(r.Message)
	if said == "" {
		said = http.StatusText(r.Code)
	}
	return fmt.Sprintf("%v: the API server answered %d: %s", r.kind, r.Code, said)
}

// Unwrap says what that means.
func (r *refusal) Unwrap() error { return r.kind }

// answered returns the status of an error that is an answer, else 0.
func answered(err error) int {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.Code
	}
	return 0
}

// refusal reads an answer that is no success.
func (a *api) refusal(c *call, res *http.Response) error {
	r := &refusal{}
	if b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10)); err == nil && json.Unmarshal(b, &r.status) != nil {
		r.status = status{Message: string(b)} // of a proxy in between
	}
	r.Code = res.StatusCode
	r.kind = r.meaning(c.write())
	if r.Code == http.StatusTooManyRequests || r.Code == http.StatusServiceUnavailable {
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			until := time.Now().Add(min(time.Duration(min(seconds, 1000))*time.Second, longestPause))
			a.pause.Store(&until)
		}
	}
	return r
}

// meaning is what a status says in the words of package store.
func (r *refusal) meaning(write bool) error {
	switch {
	case r.Code == http.StatusForbidden && strings.Contains(r.Message, "exceeded quota"),
		strings.Contains(r.Message, "database space exceeded"),
		r.Code == http.StatusRequestEntityTooLarge,
		r.Code == http.StatusUnprocessableEntity && strings.Contains(r.Message, "Too long"):
		return store.ErrFull
	case r.Code == http.StatusNotFound:
		return store.ErrNotFound
	case r.Code == http.StatusConflict:
		return store.ErrConflict
	case r.Code == http.StatusTooManyRequests, r.Code == http.StatusGone:
		return store.ErrUnavailable // refused before anything was done
	case r.Code >= 400 && r.Code < 500 && r.Code != http.StatusRequestTimeout:
		return store.ErrRefused
	case write:
		return store.ErrUnknown
	default:
		return store.ErrUnavailable
	}
}
