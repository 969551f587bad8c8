// Package statuspage answers what a browser is shown of an instance: how its clients are,
// what needs somebody, and buttons that refresh, log in and import.
//
// It knows browsers, and the types on the wire of the admin API, which the caller asks for
// it. It must not know where the instance is, nor how a client works; it has no secret of
// one.
package statuspage

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"lamplighter/module/adminapi"
)

// Ask makes a request of the admin API with a body as JSON, nil for none, and decodes the
// answer, nil for not. All texts of what it decodes are fit to print.
type Ask func(method, uri string, body, into any) error

// Page serves the status of the clients to one browser. It has no secret of theirs:
// everything comes from the admin API.
type Page struct {
	ask  Ask
	host string

	mu      sync.Mutex
	key     string // good once; "" afterwards
	session string // of the browser that had the key
	form    string // what its forms bring along

	last    []adminapi.ClientStatus // as they were seen last
	seen    time.Time               // when that was
	notices map[string]notice       // of orders, by client, until they are shown
	logins  map[string]login        // that are under way, by state
}

// notice is what became of an order.
type notice struct {
	Good bool
	Text string
}

// New returns one that is served at a host and port, with the key that lets one browser in.
func New(ask Ask, host string) *Page {
	return &Page{
		ask: ask, host: host, key: rand.Text(), session: rand.Text() + rand.Text(), form: rand.Text(),
		notices: make(map[string]notice), logins: make(map[string]login),
	}
}

// Link is the address that lets the first browser that opens it in.
func (p *Page) Link() string { return "http://" + p.host + "/?key=" + p.key }

const (
	statusCookie = "lamplighter_status"
	statusLimit  = adminapi.MaxBody // of a form
	callbackPath = "/callback"

	maxBrought = 4 << 10 // of the words of an error that are looked at
)

//go:embed page.css
var statusStyle []byte

//go:embed page.js
var statusScript []byte

// ServeHTTP serves the page, and what its buttons do.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send the form with Origin: null
	h.Set("Cache-Control", "no-store")
	if r.Host != p.host { // DNS rebinding
		_, port, _ := net.SplitHostPort(p.host)
		http.Error(w, "this page has one address, http://"+p.host+"/; from another machine it is reached with 'ssh -L "+port+":"+p.host+" <host>', and that address in the browser", http.StatusMisdirectedRequest)
		return
	}
	if key := r.URL.Query().Get("key"); key != "" {
		p.admit(w, key)
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == callbackPath {
		p.loggedIn(w, r) // from elsewhere, so without the cookie: the state is its key
		return
	}
	cookie, err := r.Cookie(statusCookie)
	if err != nil || !same(cookie.Value, p.session) {
		http.Error(w, "open the address that 'lamplighter tokens status --web' printed", http.StatusForbidden)
		return
	}
	p.serve(w, r)
}

// serve answers the browser that had the key.
func (p *Page) serve(w http.ResponseWriter, r *http.Request) {
	orders := map[string]func(http.ResponseWriter, *http.Request, string){
		"/refresh": p.refresh, "/import": p.imports, "/login": p.login, "/device": p.device,
	}
	order := orders[r.URL.Path]
	switch {
	case r.Method == http.MethodPost && order != nil:
		if client, ok := p.ordered(w, r); ok {
			order(w, r, client)
		}
	case r.Method != http.MethodGet:
		http.NotFound(w, r)
	case r.URL.Path == "/":
		p.show(w, r)
	case r.URL.Path == "/client":
		p.showClient(w, r.URL.Query().Get("name"))
	case r.URL.Path == "/device":
		p.awaitDevice(w, r.URL.Query().Get("state"))
	case r.URL.Path == "/page.css":
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(statusStyle)
	case r.URL.Path == "/page.js":
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(statusScript)
	default:
		http.NotFound(w, r)
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// admit lets the first browser with the key in.
func (p *Page) admit(w http.ResponseWriter, key string) {
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
	goOn(w, "/", "Go on to the status")
}

// goOn leads the browser to another of our pages. It is no redirect: a cookie for same-site
// requests only is not sent after one that began elsewhere.
func goOn(w http.ResponseWriter, to, said string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "0; url="+to)
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Lamplighter</title><p><a href="%s">%s</a></p></html>`, to, said)
}

// backTo is the page where that client is open.
func backTo(client string) string {
	name := url.QueryEscape(client)
	return "/?open=" + name + "#" + name
}

// render writes a template of the page.
func (p *Page) render(w http.ResponseWriter, name string, view any) {
	var page bytes.Buffer
	if err := statusHTML.ExecuteTemplate(&page, name, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = page.WriteTo(w)
}
