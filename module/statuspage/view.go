package statuspage

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/condition"
)

//go:embed page.html
var statusTemplate string

var statusHTML = template.Must(template.New("status").Funcs(template.FuncMap{
	"clock":     func(t time.Time) string { return t.Local().Format(time.DateTime) },
	"duration":  lasting,
	"until":     func(t time.Time) string { return condition.Roughly(time.Until(t)) },
	"since":     func(t time.Time) string { return condition.Roughly(time.Since(t)) },
	"ago":       func(t time.Time) string { return condition.Roughly(time.Since(t)) + " ago" },
	"has":       slices.Contains[[]string],
	"tone":      tone,
	"parts":     partsOf,
	"requests":  condition.Requests,
	"rejection": condition.Rejection,
	"lease":     condition.Lease,
	"file":      adminapi.TokenFile.String,
	"words":     func(word string) string { return strings.ReplaceAll(word, "_", " ") },
}).Parse(statusTemplate))

// lasting is a duration without what is zero at its end.
func lasting(s float64) string {
	text := condition.Seconds(s)
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len(zero)+1]
		}
	}
	return text
}

// tone is how good a state, a token or an event is, as a class.
func tone(word string) string {
	switch condition.ToneOf(word) {
	case condition.Good:
		return "ok"
	case condition.Passing:
		return "wait"
	case condition.Bad:
		return "bad"
	case condition.Plain:
	}
	return "plain"
}

// The groups of clients: which come first, and what they are called.
const (
	groupHuman   = "human"
	groupTrouble = "trouble"
	groupOK      = "ok"
)

// group is what one may show alone.
type group struct {
	Name, Label, Tone string
	Count             int
	Current           bool
	Link              string
}

// shownClient is a client as the page shows it.
type shownClient struct {
	adminapi.ClientStatus

	Group, Tone string
	Left        float64 // share of the token's lifetime that is left, in percent
	Refresh     float64 // where in that the next refresh is planned, -1 if none is
	Open        bool
	Notice      *notice
	Form        string
	Follows     string // who refreshes in its place
}

// statusView is the whole page.
type statusView struct {
	Title   string
	Icon    template.URL
	Runs    adminapi.Live // the instance that was asked
	At      time.Time
	Error   string
	Stale   bool
	Groups  []group
	Clients []shownClient
	Refused []refused
	Stores  []storeLine
	Query   string
	Show    string
	Sort    string
	All     int
}

// refused is a request that was refused lately.
type refused struct {
	At           time.Time
	Client, What string
}

// storeLine is a shared store.
type storeLine struct {
	Name           string
	Up             bool
	Holds, Follows int
}

// Bounds of what is shown by itself.
const (
	openByThemselves = 10
	refusedShown     = 5
)

// show answers with the page, or with what was seen last.
func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	view := statusView{At: time.Now(), Query: q.Get("q"), Show: q.Get("show"), Sort: q.Get("sort")}
	list, err := p.list(&view)
	if err != nil {
		view.Error = err.Error()
	}
	view.All = len(list)
	for _, s := range list {
		view.Clients = append(view.Clients, p.shown(s, slices.Contains(q["open"], s.Client)))
	}
	view.summarize(q)
	view.choose()
	for i := range view.Clients {
		c := &view.Clients[i]
		c.Open = c.Open || c.Group == groupHuman && i < openByThemselves && !q.Has("open")
		if c.Open {
			p.details(c)
		}
	}
	p.render(w, "page", view)
}

// list returns the clients as they are, or as they were seen last.
func (p *Page) list(view *statusView) ([]adminapi.ClientStatus, error) {
	var list []adminapi.ClientStatus
	err := p.ask(http.MethodGet, "/oauth2_client/clients", nil, &list)
	if err == nil {
		_ = p.ask(http.MethodGet, adminapi.Prefix+"live", nil, &view.Runs) // which an older one does not say
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.last, p.seen = list, view.At
		return list, nil
	}
	if !p.seen.IsZero() {
		view.At = p.seen
	}
	view.Stale = true
	return p.last, err
}

// showClient answers with what there is to say of one client.
func (p *Page) showClient(w http.ResponseWriter, name string) {
	c := p.shown(adminapi.ClientStatus{Client: name}, true)
	if !p.details(&c) {
		http.Error(w, "no such client", http.StatusNotFound)
		return
	}
	p.render(w, "details", c)
}

// details adds the history to what is known. It reports whether the instance has it.
func (p *Page) details(c *shownClient) bool {
	var whole adminapi.ClientStatus
	if p.ask(http.MethodGet, "/oauth2_client/clients/"+url.PathEscape(c.Client), nil, &whole) != nil {
		return false // it went in between
	}
	slices.Reverse(whole.History)
	with := p.shown(whole, true)
	p.mu.Lock()
	if n, ok := p.notices[c.Client]; ok {
		delete(p.notices, c.Client)
		with.Notice = &n
	}
	p.mu.Unlock()
	*c = with
	return true
}

// shown is a client as the page has it.
func (p *Page) shown(s adminapi.ClientStatus, open bool) shownClient {
	c := shownClient{ClientStatus: s, Group: groupOK, Tone: "ok", Open: open, Refresh: -1, Form: p.form}
	switch condition.Of(s) {
	case condition.HumanNeeded:
		c.Group, c.Tone = groupHuman, "bad"
	case condition.NoToken, condition.NotForLong:
		c.Group, c.Tone = groupTrouble, "wait"
	case condition.Well:
	}
	if s.StoreUp != nil && !s.LeaseHeld {
		c.Follows = s.LeaseHolder
	}
	life := s.ExpiresAt.Sub(s.ObtainedAt).Seconds()
	if life <= 0 || s.ExpiresIn <= 0 {
		return c
	}
	c.Left = min(100, 100*s.ExpiresIn/life)
	if s.NextRefreshIn != nil {
		c.Refresh = max(0, min(100, 100*(s.ExpiresIn-*s.NextRefreshIn)/life))
	}
	return c
}

// summarize says how all clients are, before any are left out.
func (v *statusView) summarize(q url.Values) {
	count := make(map[string]int)
	stores := make(map[string]*storeLine)
	for _, c := range v.Clients {
		count[c.Group]++
		if c.LastRejected != nil {
			v.Refused = append(v.Refused, refused{c.LastRejected.At, c.Client, condition.Rejection(c.LastRejected)})
		}
		if c.LastRefused != nil {
			v.Refused = append(v.Refused, refused{c.LastRefused.At, c.Client, "not sent: " + c.LastRefused.Cause})
		}
		if c.StoreUp == nil {
			continue
		}
		if stores[c.Store] == nil {
			stores[c.Store] = &storeLine{Name: c.Store, Up: *c.StoreUp}
		}
		switch {
		case c.LeaseHeld:
			stores[c.Store].Holds++
		case c.LeaseHolder != "":
			stores[c.Store].Follows++
		}
	}
	for _, s := range stores {
		v.Stores = append(v.Stores, *s)
	}
	slices.SortFunc(v.Stores, func(a, b storeLine) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(v.Refused, func(a, b refused) int { return b.At.Compare(a.At) })
	v.Refused = v.Refused[:min(len(v.Refused), refusedShown)]
	needs := "needs you"
	if count[groupHuman] > 1 {
		needs = "need you"
	}
	for _, g := range []group{
		{"", "all", "plain", len(v.Clients), false, ""},
		{groupHuman, needs, "bad", count[groupHuman], false, ""},
		{groupTrouble, "in trouble", "wait", count[groupTrouble], false, ""},
		{groupOK, "ok", "ok", count[groupOK], false, ""},
	} {
		g.Current = v.Show == g.Name
		to := url.Values{"q": q["q"], "sort": q["sort"], "show": {g.Name}}
		g.Link = "/?" + to.Encode()
		v.Groups = append(v.Groups, g)
	}
	v.entitle(count)
}

// entitle gives the tab of a browser the words and the colour of the worst that there is.
func (v *statusView) entitle(count map[string]int) {
	colour := "2e9e63"
	switch {
	case v.Stale:
		v.Title, colour = "out of reach", "7a828e"
	case count[groupHuman] > 0:
		v.Title, colour = fmt.Sprintf("%d %s", count[groupHuman], v.Groups[1].Label), "d0342c"
	case count[groupTrouble] > 0:
		v.Title, colour = fmt.Sprintf("%d in trouble", count[groupTrouble]), "d99a1c"
	default:
		v.Title = "all well"
	}
	v.Title += " · lamplighter"
	v.Icon = template.URL("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23" + colour + "'/%3E%3C/svg%3E") //nolint:gosec // made of our own words
}

// choose leaves out what was not asked for, and sorts the rest.
func (v *statusView) choose() {
	words := strings.Fields(strings.ToLower(v.Query))
	v.Clients = slices.DeleteFunc(v.Clients, func(c shownClient) bool {
		if v.Show != "" && c.Group != v.Show {
			return true
		}
		text := strings.ToLower(strings.Join([]string{c.Client, c.State, c.Cause, c.TokenEndpoint, c.GrantType, c.LeaseHolder}, " "))
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
	urgency := map[string]int{groupHuman: 0, groupTrouble: 1, groupOK: 2}
	slices.SortStableFunc(v.Clients, func(a, b shownClient) int {
		switch v.Sort {
		case "name":
			return strings.Compare(a.Client, b.Client)
		case "expiry":
			return cmp.Or(cmp.Compare(a.ExpiresIn, b.ExpiresIn), strings.Compare(a.Client, b.Client))
		case "refused":
			return cmp.Or(-rejectedAt(a).Compare(rejectedAt(b)), strings.Compare(a.Client, b.Client))
		}
		return cmp.Or(cmp.Compare(urgency[a.Group], urgency[b.Group]), strings.Compare(a.Client, b.Client))
	})
}

func rejectedAt(c shownClient) (at time.Time) {
	if c.LastRejected != nil {
		at = c.LastRejected.At
	}
	return at
}
