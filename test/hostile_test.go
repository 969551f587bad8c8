package test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"lamplighter/test/internal/rig"
)

// Faults A13, A14. One server says what is foreign wherever a server can say anything,
// and nothing of it is found as it came, and the client's secret not at all, wherever
// anything is printed.
func TestNothingThatAHostileServerSaysIsPrintedAsItCame(t *testing.T) {
	h := startHostile(t)
	w := &hostileWalk{T: t, server: h, home: rig.Home(t), address: rig.FreeAddress(t), collector: startCollector(t), sinks: map[string]string{}}
	w.configure()
	s := rig.RunSidecar(t, w.home, w.address, "OTEL_EXPORTER_OTLP_ENDPOINT="+w.collector.url, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=200")
	var all sync.WaitGroup
	turns := make(chan struct{}, 32)
	for _, name := range append(slices.Clone(w.clients), w.callers...) {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			w.call(name)
		})
	}
	all.Wait()
	// A token request is traced once a request that used the client's token was.
	rig.Eventually(t, "a client has a token", func() bool { return rig.Get(t, w.address, "/scope-steering").Status == http.StatusOK })
	w.operate()
	if err := s.End(rig.Terminate); err != nil {
		t.Errorf("it ended with %v", err)
	}
	w.add("the log", s.Output.String())
	w.add("the traces", w.collector.String())
	for _, where := range slices.Sorted(maps.Keys(w.sinks)) {
		w.check(where, w.sinks[where])
	}
	// A test that sees nothing proves nothing.
	printed := strings.Join(slices.Collect(maps.Values(w.sinks)), "\n")
	for _, want := range []string{`\x1b[2J`, `\u202e`, "words withheld, because they hold a secret", "certificate_name_mismatch", "issuer_mismatch", "oauth2 token request", "caddy_oauth2_client", "long long"} {
		if !strings.Contains(printed, want) {
			t.Errorf("there is no %s anywhere", want)
		}
	}
}

// hostileWalk is a sidecar with a client for each place and way, and what it printed.
type hostileWalk struct {
	*testing.T
	server    *hostileServer
	collector *collector
	home      string
	address   string

	clients, callers, revoked, devices, logins []string

	mu    sync.Mutex
	sinks map[string]string
}

func (w *hostileWalk) add(where, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sinks[where] += text + "\n"
}

// call is that of an application, with a token of its own.
func (w *hostileWalk) call(name string) {
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.address+"/"+name, nil)
	if err != nil {
		w.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+hostileSecret[:9]+"-of-the-caller")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Error(err)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Error(err)
	}
	w.add("the answer to a caller of "+name, string(body)+res.Header.Get("Proxy-Status"))
}

func (w *hostileWalk) configure() {
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w.Cleanup(api.Close)
	rig.Write(w.T, w.home, "secret", hostileSecret+"\n")
	rig.Write(w.T, w.home, "authority.pem", w.server.authority)
	_, port, _ := strings.Cut(w.address, ":")
	var config strings.Builder
	fmt.Fprintf(&config, "{\n\tdebug\n\tgrace_period 5s\n\tmetrics\n}\nhttp://:%s {\n\tbind 127.0.0.1\n\ttracing {\n\t\tspan request\n\t}\n", port)
	client := func(list *[]string, name, settings string) {
		name = strings.ReplaceAll(strings.ToLower(name), "/", "-")
		*list = append(*list, name)
		rig.Write(w.T, w.home, "seed-"+name, "R-0-of-"+name+"\n")
		settings = strings.ReplaceAll(settings, "{file.seed}", "{file.seed-"+name+"}")
		fmt.Fprintf(&config, "\tupstream_oauth /%s %s {\n\t\tclient %s {\n\t\t\tclient_id erp\n\t\t\tclient_secret {file.secret}\n\t\t\twait 100ms\n\t\t\ttimeout 5s\n\t\t\t%s\n\t\t}\n\t}\n",
			name, api.URL, name, strings.ReplaceAll(settings, "\n", "\n\t\t\t"))
	}
	const seeded = "grant_type refresh_token\nrefresh_token {file.seed}\n"
	for place := range places {
		for way := range foreign() {
			grant := ""
			if place == "dead" {
				grant = seeded
			}
			client(&w.clients, place+"/"+way, grant+"token_endpoint "+w.server.url+"/"+place+"/"+way)
		}
	}
	for way := range foreign() {
		for _, place := range []string{"description", "code", "text", "challenge"} {
			client(&w.callers, "caller/"+place+"/"+way, "grant_type token_exchange\nsubject_token {http.request.header.Authorization}\ntoken_endpoint "+w.server.url+"/"+place+"/"+way)
		}
		for _, place := range []string{"issuer", "token_endpoint", "revocation_endpoint", "authorization_endpoint", "device_authorization_endpoint", "redirect", "other"} {
			client(&w.clients, "meta/"+place+"/"+way, "issuer "+w.server.url+"/meta-"+place+"/"+way)
		}
	}
	client(&w.clients, "authority", "token_endpoint "+w.server.tls+"/grant")
	client(&w.clients, "certificate", "token_endpoint "+w.server.tls+"/grant\ntls {\n\ttrust_pool file authority.pem\n}")
	for _, way := range []string{"steering", "lines", "long", "plain", "twice", "basic"} {
		client(&w.revoked, "revoke/"+way, seeded+"token_endpoint "+w.server.url+"/grant\nrevocation_endpoint "+w.server.url+"/revoke/"+way)
		client(&w.revoked, "revoke-code/"+way, seeded+"token_endpoint "+w.server.url+"/grant\nrevocation_endpoint "+w.server.url+"/revoke-code/"+way)
		for _, place := range []string{"code", "uri", "error"} {
			client(&w.devices, "device-"+place+"/"+way, "grant_type refresh_token\ntoken_endpoint "+w.server.url+"/grant\ndevice_authorization_endpoint "+w.server.url+"/device-"+place+"/"+way)
		}
		client(&w.devices, "device-poll/"+way, "grant_type refresh_token\ntoken_endpoint "+w.server.url+"/description/"+way+"\ndevice_authorization_endpoint "+w.server.url+"/device-poll")
		if way == "long" {
			continue // no browser can be sent there
		}
		client(&w.logins, "login/"+way, "grant_type refresh_token\ntoken_endpoint "+w.server.url+"/grant\nauthorization_endpoint "+w.server.url+"/authorize/"+way)
	}
	config.WriteString("}\n")
	rig.Write(w.T, w.home, "Caddyfile", config.String())
}

// operate lets operators look at everything, and order what they can.
func (w *hostileWalk) operate() {
	var all sync.WaitGroup
	turns := make(chan struct{}, 6)
	run := func(args ...string) {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			w.run(args...)
		})
	}
	w.orders(run)
	all.Wait()
	w.look()
}

func (w *hostileWalk) run(args ...string) {
	out, errs, _ := rig.Command(w.T, w.home, append([]string{"tokens"}, args...)...)
	w.add("tokens "+strings.Join(args, " "), out)
	w.add("tokens "+strings.Join(args, " ")+", errors", errs)
}

// orders gives the commands of operators.
func (w *hostileWalk) orders(run func(args ...string)) {
	for _, name := range w.revoked {
		run("revoke", name)
	}
	for _, name := range w.devices {
		run("login", name, "--device")
	}
	for _, name := range w.logins {
		w.logIn(name)
	}
	shown := slices.DeleteFunc(slices.Clone(w.clients), func(name string) bool {
		return !strings.HasSuffix(name, "steering") && !strings.HasSuffix(name, "description-twice")
	})
	for _, name := range append(shown, "certificate", "authority") {
		run("show", name)
	}
	for _, name := range []string{"description-steering", "code-steering", "text-lines", "redirect-steering", "description-html", "scope-steering", "type-steering"} {
		run("refresh", name)
	}
	run("list")
	run("list", "--json")
	run("health")
	run("health", "--json")
}

func (w *hostileWalk) logIn(name string) {
	p := rig.Start(w.T, w.home, "tokens", "login", name, "--no-browser")
	res, err := http.Get(p.Printed(addressToOpen))
	if err != nil {
		w.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	<-p.Done
	w.add("the page after the log-in of "+name, string(body))
	w.add("tokens login "+name, p.Output.String())
}

// look asks for what can be read without an order.
func (w *hostileWalk) look() {
	admin := rig.UnixClient(filepath.Join(w.home, "data", "lamplighter", "admin.sock"))
	paths := []string{"/oauth2_client/clients", "/oauth2_client/ready", "/metrics"}
	for _, name := range slices.Concat(w.clients, w.callers, w.revoked, w.devices, w.logins) {
		paths = append(paths, "/oauth2_client/clients/"+name)
	}
	for _, path := range paths {
		res, err := admin.Get("http://admin" + path)
		if err != nil {
			w.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		w.add("the admin API at "+path, string(body))
	}
	p := rig.Start(w.T, w.home, "tokens", "status", "--web", "--no-browser")
	link := p.Printed(addressToOpen)
	b := newBrowser(w.T)
	b.page(b.Get(link))
	origin, _, _ := strings.Cut(link, "/?")
	_, page := b.page(b.Get(origin + "/"))
	w.add("the status page", page)
	_, page = b.page(b.PostForm(origin+"/refresh", url.Values{"client": {"code-steering"}}))
	w.add("the status page after a refresh", page)
}

// check looks for what may not be there: in the text, and in what JSON in it says.
func (w *hostileWalk) check(where, text string) {
	said := []string{text}
	for line := range strings.Lines(text) {
		var value any
		if json.Unmarshal([]byte(line), &value) == nil {
			entry, _ := value.(map[string]any)
			if logger, _ := entry["logger"].(string); strings.HasPrefix(logger, "http.handlers.reverse_proxy") || strings.HasPrefix(logger, "http.log") {
				continue // Caddy's own, of what callers and upstreams say
			}
			said = append(said, stringsIn(value)...)
		}
	}
	if plain := html.UnescapeString(text); plain != text {
		said = append(said, plain)
	}
	for _, text := range said {
		if where == "the traces" { // which are binary
			for _, part := range []string{"\x1b[2J", "\u009b31m", "\u202e", "\u2066", "forged\n"} {
				if strings.Contains(text, part) {
					w.Errorf("%s hold %q", where, part)
				}
			}
		} else if i := strings.IndexFunc(text, func(r rune) bool {
			return r != '\n' && r != '\t' && (!unicode.IsPrint(r) || r == unicode.ReplacementChar)
		}); i >= 0 {
			w.Errorf("%s: %q", where, text[max(0, i-200):min(len(text), i+100)])
		}
		if strings.Contains(text, "\nlevel=error") || strings.Contains(text, "\n{\"level\":\"error\"}") {
			w.Errorf("%s holds a forged line", where)
		}
		if len(text) > 4<<10 && strings.Contains(text, strings.Repeat("long ", 800)) {
			w.Errorf("%s holds words without bound", where)
		}
		lower := strings.ToLower(text)
		for _, spelling := range secretSpellings() {
			if i := strings.Index(lower, spelling); i >= 0 {
				w.Errorf("%s holds the secret as %q: %q", where, spelling, lower[max(0, i-200):min(len(lower), i+100)])
				break
			}
		}
	}
}

// secretSpellings are pieces of the secret, in lower case, in whatever it may be written.
var secretSpellings = sync.OnceValue(func() []string {
	var all []string
	for i := range len(hostileSecret) - 8 {
		part := hostileSecret[i : i+8]
		all = append(all, part, url.QueryEscape(part), url.PathEscape(part), url.QueryEscape(url.QueryEscape(part)), html.EscapeString(part), hex.EncodeToString([]byte(part)))
	}
	for i := range 3 {
		for _, text := range []string{hostileSecret, url.QueryEscape(hostileSecret)} {
			encoded := base64.StdEncoding.EncodeToString([]byte("xx"[:min(i, 2)] + text))
			all = append(all, encoded[4:16], encoded[16:28])
		}
	}
	for i, part := range all {
		all[i] = strings.ToLower(part)
	}
	return all
})

func stringsIn(value any) (all []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, inner := range value {
			all = append(all, stringsIn(inner)...)
		}
	case map[string]any:
		for name, inner := range value {
			all = append(append(all, name), stringsIn(inner)...)
		}
	}
	return all
}

// collector takes traces, and keeps their bytes.
type collector struct {
	rig.Output
	url string
}

func startCollector(t *testing.T) *collector {
	c := new(collector)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&c.Output, r.Body) }))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}
