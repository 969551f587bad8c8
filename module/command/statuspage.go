package command

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/settings"
)

//go:embed statuspage.html
var statusTemplate string

var statusHTML = template.Must(template.New("status").Funcs(template.FuncMap{
	"clock":    func(t time.Time) string { return t.Local().Format(time.DateTime) },
	"duration": seconds,
	"until":    func(t time.Time) string { return roughly(time.Until(t)) },
	"tone":     tone,
}).Parse(statusTemplate))

// tone is how good a state, a token or an event is, as a class.
func tone(word string) string {
	switch colourOf(word) {
	case green:
		return "good"
	case yellow:
		return "passing"
	case red:
		return "bad"
	}
	return "plain"
}

// statusPage serves the status of the clients to one browser. It has no secret of
// theirs: everything comes from the admin API.
type statusPage struct {
	api  *adminClient
	host string

	mu      sync.Mutex
	key     string // good once; "" afterwards
	session string // of the browser that had the key
}

const (
	statusCookie = "lamplighter_status"
	statusLimit  = 4 << 10 // of a form
)

// ServeHTTP serves the page, and the button on it.
func (p *statusPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send the form with Origin: null
	h.Set("Cache-Control", "no-store")
	if r.Host != p.host { // DNS rebinding
		http.Error(w, "this is another host's page", http.StatusMisdirectedRequest)
		return
	}
	if key := r.URL.Query().Get("key"); key != "" {
		p.admit(w, key)
		return
	}
	cookie, err := r.Cookie(statusCookie)
	if err != nil || !same(cookie.Value, p.session) {
		http.Error(w, "open the address that 'lamplighter tokens status --web' printed", http.StatusForbidden)
		return
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/refresh":
		p.refresh(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/":
		p.show(w, nonce, r.URL.Query().Get("client"))
	default:
		http.NotFound(w, r)
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// admit lets the first browser with the key in.
func (p *statusPage) admit(w http.ResponseWriter, key string) {
	p.mu.Lock()
	good := p.key != "" && same(key, p.key)
	if good {
		p.key = ""
	}
	p.mu.Unlock()
	if !good {
		http.Error(w, "this key was used already, or never good: start 'lamplighter tokens status --web' anew", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: statusCookie, Value: p.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	// Not a redirect: a cookie for same-site requests only is not sent after one
	// that began elsewhere.
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "0; url=/")
	fmt.Fprint(w, `<!doctype html><html lang="en"><title>Lamplighter</title><p><a href="/">Go on to the status</a></p></html>`)
}

// refresh does what the button of a client says.
func (p *statusPage) refresh(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, statusLimit)
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+p.host {
		http.Error(w, "this form is not ours", http.StatusForbidden)
		return
	}
	name := r.PostFormValue("client")
	if settings.CheckName(name) != nil {
		http.Error(w, "no such client", http.StatusBadRequest)
		return
	}
	var result adminapi.OrderResult
	if err := p.api.call(http.MethodPost, "/oauth2_client/clients/"+url.PathEscape(name)+"/refresh", nil, &result); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/?client="+url.QueryEscape(name)+"#"+url.QueryEscape(name), http.StatusSeeOther)
}

// shownClient is a client as the page shows it.
type shownClient struct {
	adminapi.ClientStatus

	// Left is the share of the token's lifetime that is left, in percent.
	Left float64

	// Refreshed says that its button was just used.
	Refreshed bool
}

func (p *statusPage) show(w http.ResponseWriter, nonce, refreshed string) {
	var list []adminapi.ClientStatus
	view := struct {
		Nonce   string
		At      time.Time
		Clients []shownClient
		Error   string
	}{Nonce: nonce, At: time.Now()}
	if err := p.api.call(http.MethodGet, "/oauth2_client/clients", nil, &list); err != nil {
		view.Error = err.Error()
	}
	for _, s := range list {
		var whole adminapi.ClientStatus
		if p.api.call(http.MethodGet, "/oauth2_client/clients/"+url.PathEscape(s.Client), nil, &whole) != nil {
			continue // it went in between
		}
		slices.Reverse(whole.History)
		shown := shownClient{ClientStatus: whole, Refreshed: whole.Client == refreshed}
		if life := whole.ExpiresAt.Sub(whole.ObtainedAt).Seconds(); life > 0 && whole.ExpiresIn > 0 {
			shown.Left = min(100, 100*whole.ExpiresIn/life)
		}
		view.Clients = append(view.Clients, shown)
	}
	var page bytes.Buffer
	if err := statusHTML.Execute(&page, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = page.WriteTo(w)
}
