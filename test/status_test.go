package test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// browser keeps cookies, and does not follow redirects.
type browser struct {
	*testing.T
	http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, http.Client{Jar: jar}}
}

func (b *browser) page(res *http.Response, err error) (int, string) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestTheStatusPageIsForOneBrowserAndRefreshes(t *testing.T) {
	o := operate(t, unedited)
	p := rig.Start(t, o.home, "tokens", "status", "--web", "--no-browser")
	link := p.Printed(addressToOpen)
	origin, _, _ := strings.Cut(link, "/?")

	b := newBrowser(t)
	if status, _ := b.page(b.Get(origin + "/")); status != http.StatusForbidden {
		t.Errorf("without the key the answer is %d", status)
	}
	if status, page := b.page(b.Get(link)); status != http.StatusOK || strings.Contains(page, "demo") {
		t.Errorf("the key is answered %d %s", status, page)
	}
	status, page := b.page(b.Get(origin + "/?open=demo"))
	if status != http.StatusOK || !regexp.MustCompile(`(?s)<title>all well.*<h2>demo</h2>.*</span>ok</span>.*<rect class="left" width="(99\.\d+|100\.00)%".*Generation</dt><dd>1,.*token_obtained`).MatchString(page) {
		t.Errorf("%d, the page is\n%s", status, page)
	}
	if external := regexp.MustCompile(`(src|href)="?(https?:)?//`).FindString(page); external != "" {
		t.Errorf("the page asks elsewhere: %s", external)
	}
	form := regexp.MustCompile(`name="form" value="(\w+)"`).FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("there is no form in\n%s", page)
	}
	refresh := url.Values{"client": {"demo"}, "form": {form[1]}}
	if status, page = b.page(b.PostForm(origin+"/refresh", refresh)); status != http.StatusOK || !strings.Contains(page, "New token obtained: generation 2.") {
		t.Errorf("after the button: %d\n%s", status, page)
	}

	o.control("revoke", nil)
	if _, page = b.page(b.PostForm(origin+"/refresh", refresh)); !regexp.MustCompile(`(?s)1 needs you.*grant lost.*No new token.*<b>refused</b>.*What to do:.*tokens import`).MatchString(page) {
		t.Errorf("after the loss the page is\n%s", page)
	}

	other := newBrowser(t)
	if status, _ := other.page(other.Get(link)); status != http.StatusForbidden {
		t.Errorf("a second browser with the key gets %d", status)
	}
	if status, _ := other.page(other.PostForm(origin+"/refresh", refresh)); status != http.StatusForbidden {
		t.Errorf("a stranger's refresh is answered %d", status)
	}
	for name, edit := range map[string]func(*http.Request){
		"another host": func(r *http.Request) { r.Host = "evil.example" },
		"a form of another origin": func(r *http.Request) {
			r.Method, r.URL.Path = http.MethodPost, "/refresh"
			r.Header.Set("Origin", "http://evil.example")
		},
	} {
		req, err := http.NewRequest(http.MethodGet, origin+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		edit(req)
		if status, page := b.page(b.Do(req)); status < 400 || strings.Contains(page, "demo") {
			t.Errorf("%s is answered %d %s", name, status, page)
		}
	}
}
