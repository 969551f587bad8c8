package cause_test

import (
	"encoding/json"
	"errors"
	"html"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/observe"
	"lamplighter/module/problem"
	"lamplighter/module/statuspage"
	"lamplighter/module/unavailable"
)

// said is what a face says of trouble.
type said struct{ cause, detail, remedy string }

// face is one who tells people why a client is not well.
type face func(t *testing.T, trouble finding.Trouble, about explain.About) said

// faces are all of them. The commands print what the admin API says, as a test of theirs
// shows.
var faces = map[string]face{
	"the log":           logged,
	"the history":       remembered,
	"the admin API":     shown,
	"the status page":   onThePage,
	"an answer of ours": answered,
}

// client is one that nobody needs to run.
type client struct{ about explain.About }

func (c client) Name() string { return c.about.Client }

func (c client) Explain(t finding.Trouble) (detail, remedy string) { return explain.Of(t, c.about) }

func eventOf(trouble finding.Trouble, about explain.About) observe.Event {
	return observe.InWords(keeper.Event{Kind: finding.Troubled, Client: about.Client, At: time.Now(), Trouble: trouble}, about)
}

func logged(t *testing.T, trouble finding.Trouble, about explain.About) said {
	t.Helper()
	core, lines := observer.New(zap.DebugLevel)
	(&observe.Reporter{Logger: zap.New(core)}).Report(eventOf(trouble, about))
	if lines.Len() != 1 {
		t.Fatalf("%d lines", lines.Len())
	}
	line := lines.All()[0].ContextMap()
	word := func(name string) string { text, _ := line[name].(string); return text }
	return said{word("cause"), word("detail"), word("remedy")}
}

func remembered(_ *testing.T, trouble finding.Trouble, about explain.About) said {
	var h observe.History
	h.Add(eventOf(trouble, about))
	e := h.Shown(about)[0]
	return said{e.Cause, e.Detail, e.Remedy}
}

func statusOf(trouble finding.Trouble, about explain.About) adminapi.ClientStatus {
	return observe.Status(keeper.Status{Client: about.Client, Token: "none", State: keeper.StateBackoff, Trouble: trouble}, about, time.Now())
}

func shown(_ *testing.T, trouble finding.Trouble, about explain.About) said {
	s := statusOf(trouble, about)
	return said{s.Cause, s.Detail, s.Remedy}
}

var (
	troubleOnPage = regexp.MustCompile(`(?s)<div class="trouble"><p><b>(.*?)</b>(?: <time.*?</time>)?<br>(.*?)</p>(?:<p class="remedy"><b>What to do:</b> (.*?)</p>)?</div>`)
	copyButton    = regexp.MustCompile(`(?s)<code>(.*?)</code><button.*?</button>`)
	tag           = regexp.MustCompile(`(?s)<[^>]*>`)
)

func onThePage(t *testing.T, trouble finding.Trouble, about explain.About) said {
	t.Helper()
	page := statuspage.New(func(_, _ string, _, into any) error {
		status, ok := into.(*adminapi.ClientStatus)
		if !ok {
			return errors.New("only one client is asked for")
		}
		*status = statusOf(trouble, about)
		return nil
	}, "127.0.0.1:1")
	get := func(link string, cookies ...*http.Cookie) *http.Response {
		req := httptest.NewRequest(http.MethodGet, link, nil)
		for _, cookie := range cookies {
			req.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, req)
		return w.Result()
	}
	res := get("http://127.0.0.1:1/client?name="+about.Client, get(page.Link()).Cookies()...)
	var text strings.Builder
	if err := res.Write(&text); err != nil {
		t.Fatal(err)
	}
	found := troubleOnPage.FindStringSubmatch(text.String())
	if found == nil {
		t.Fatalf("the page tells of no trouble:\n%s", text.String())
	}
	plain := func(part string) string {
		return html.UnescapeString(tag.ReplaceAllString(copyButton.ReplaceAllString(part, "'$1'"), ""))
	}
	return said{plain(found[1]), plain(found[2]), plain(found[3])}
}

func answered(t *testing.T, trouble finding.Trouble, about explain.About) said {
	t.Helper()
	p := unavailable.Problem(client{about}, &keeper.Unavailable{Status: keeper.Status{Client: about.Client, State: keeper.StateBackoff, Trouble: trouble}})
	got := written(t, p)
	got.detail = strings.TrimPrefix(got.detail, "there is no valid access token: ")
	return got
}

// written is what whoever gets an answer of ours reads.
func written(t *testing.T, p *problem.Problem) said {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Write(w); err != nil {
		t.Fatal(err)
	}
	var got struct{ Cause, Detail, Remedy string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return said{got.Cause, got.Detail, got.Remedy}
}

var fact = regexp.MustCompile(`\\\{[a-z]+\\\}`)

// says reports whether a text has the words of a row, whatever its facts are.
func says(text, words string) bool {
	return regexp.MustCompile(fact.ReplaceAllString(regexp.QuoteMeta(words), ".+")).MatchString(text)
}

// TestEveryFaceSaysWhatTheTableSays: each row of the table is brought about, and whoever
// reads of it, wherever that is, finds the sentence and the instruction of that row. A row
// that nobody here brings about fails.
func TestEveryFaceSaysWhatTheTableSays(t *testing.T) {
	guide, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	for _, row := range cause.Causes() {
		key := strings.TrimSuffix(row.Name+", "+row.Case, ", ")
		t.Run(key, func(t *testing.T) {
			if row.Name != "" && !strings.Contains(string(guide), "`"+row.Name+"`") {
				t.Error("docs/troubleshooting.md does not have it")
			}
			used[key] = true
			if row.Source == cause.TokenFile {
				return // module/tokenfile brings each of those about
			}
			if slices.Contains(answers, key) {
				filled := row.With("client", "erp")
				if got, want := written(t, problem.Refused(http.StatusForbidden, filled)), (said{row.Name, filled.Sentence, filled.Remedy}); got != want {
					t.Errorf("the answer says\n%q, and the table\n%q", got, want)
				}
				return
			}
			if failure := exchanges[key]; failure != nil {
				got := written(t, unavailable.Problem(client{explain.About{Client: "erp"}}, failure))
				if row.Name != "" && (got.cause != row.Name || !says(got.detail, row.Sentence)) || !says(got.remedy, row.Remedy) {
					t.Errorf("%q\nis not what the table says:\n%q\n%q", got, row.Sentence, row.Remedy)
				}
				return
			}
			if s, ok := beside(row); ok {
				if s.Cause != row.Name || !says(s.Detail, row.Sentence) || !says(s.Remedy, row.Remedy) {
					t.Errorf("%+v\nis not what the table says:\n%q\n%q", s, row.Sentence, row.Remedy)
				}
				return
			}
			c, known := brought[key]
			if !known {
				c, known = byAnAnswer(row)
			}
			if !known {
				t.Fatal("nobody brings it about: add it to brought, or, if it is of a request and of no client, to answers")
			}
			if c.about.Client == "" {
				c.about.Client = "erp"
			}
			want := shown(t, c.trouble, c.about)
			if !c.ownWords && !says(want.detail, row.Sentence) || !says(want.remedy, row.Remedy) {
				t.Errorf("%q\nis not what the table says:\n%q\n%q", want, row.Sentence, row.Remedy)
			}
			if row.Name != "" && want.cause != row.Name {
				t.Errorf("it is called %s", want.cause)
			}
			if nothing := strings.Contains(want.remedy, "none needed"); nothing && !row.Passes {
				t.Errorf("it does not pass by itself, and the remedy is %q", want.remedy)
			}
			for name, says := range faces {
				if got := says(t, c.trouble, c.about); got != want {
					t.Errorf("%s says\n%q, and the admin API\n%q", name, got, want)
				}
			}
		})
	}
	for _, key := range slices.Concat(slices.Collect(maps.Keys(brought)), slices.Collect(maps.Keys(exchanges)), answers) {
		if !used[key] {
			t.Errorf("%s is brought about, and is no row", key)
		}
	}
}

// TestEveryRowIsToldBySomebody finds rows of which nobody tells any more.
func TestEveryRowIsToldBySomebody(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(filepath.ToSlash(name), "../cause/") {
			return err
		}
		text, err := os.ReadFile(name)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range cause.Causes() {
		for _, word := range []string{row.Name, strings.TrimSuffix(row.Case, " shared")} {
			if word != "" && !strings.Contains(source.String(), `"`+word+`"`) {
				t.Errorf("%s, %s: nobody says %q", row.Name, row.Case, word)
			}
		}
	}
}
